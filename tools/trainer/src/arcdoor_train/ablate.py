"""``ablate``: losses against each other, several seeds each, as one command that goes on where it stopped."""

import argparse
import dataclasses
import json
import statistics
from pathlib import Path
from typing import Any

from arcdoor_train import checkpoint, config, crops, data, evaluate, train
from arcdoor_train.errors import DataError, UsageError

#: ArcFace's own margin, and images that are drawn four to an identity; those with one image are left out.
ARCFACE = {"m2": 0.5}
FOUR_EACH = {"per_identity": 4, "min_images": 2}
#: Name -> what changes in the configuration, section by section. Norm-Softmax has its own scale (the paper's 20).
#: Triplets need images of one identity in a micro-batch: they are to be compared with ``arcface-four-each``.
LOSSES: dict[str, dict[str, dict[str, Any]]] = {
    "arcface-0.5": {"head": ARCFACE},
    "cosface": {"head": {"m2": 0.0, "m3": 0.35}},
    "softmax": {"head": {"kind": "softmax"}},
    "sub-centre-3": {"head": {**ARCFACE, "centres": 3}},
    "arcface-0.4": {"head": {"m2": 0.4}},
    "arcface-0.45": {"head": {"m2": 0.45}},
    "arcface-0.55": {"head": {"m2": 0.55}},
    "cm1": {"head": {"m1": 1.0, "m2": 0.3, "m3": 0.2}},
    "cm2": {"head": {"m1": 0.9, "m2": 0.4, "m3": 0.15}},
    "norm-softmax": {"head": {"kind": "norm-softmax", "scale": 20.0}},
    "sphereface": {"head": {"m1": 1.35, "m2": 0.0}},
    "arcface-s64-512": {"head": {**ARCFACE, "scale": 64.0}, "model": {"dimension": 512}},
    "arcface-four-each": {"head": ARCFACE, "data": FOUR_EACH},
    "arcface+triplet": {"head": {**ARCFACE, "triplet": 1.0}, "data": FOUR_EACH},
    "triplet": {"head": {"kind": "triplet"}, "data": FOUR_EACH},
    "arcface+intra+inter": {"head": {**ARCFACE, "intra": 1.0, "inter": 1.0}},
}
#: The losses that matter most: all of them with one seed come before any of them with the next.
CORE = ("arcface-0.5", "cosface", "softmax", "sub-centre-3", "arcface-0.4")
#: What the paper (arXiv 1801.07698 v4) has on LFW and AgeDB-30 after CASIA-WebFace, ResNet-50. Sub-centres it gives
#: on other data only.
PAPER = {
    "arcface-0.5": "99.53 / 95.15",
    "cosface": "99.51 / 94.56",
    "softmax": "99.08 / 92.33",
    "arcface-0.4": "99.53 / 94.98",
    "arcface-0.45": "99.46 / 94.93",
    "arcface-0.55": "99.41 / 95.05",
    "arcface+triplet": "99.50 / 94.40",
    "triplet": "98.98 / 89.98",
    "cm2": "99.50 / 94.86",
    "arcface+intra+inter": "99.43 / 95.10",
    "norm-softmax": "99.20 / 92.65",
    "sphereface": "99.11 / 91.70",
    "cm1": "99.48 / 94.38",
}


def jobs(losses: list[str], seeds: list[int]) -> list[tuple[str, int]]:
    """The order of the runs: the core losses seed by seed, then each other loss with all its seeds. Stopped early, it
    leaves losses that are compared over the same seeds."""
    core = [loss for loss in losses if loss in CORE]
    rest = [loss for loss in losses if loss not in CORE]
    return [(loss, seed) for seed in seeds for loss in core] + [(loss, seed) for loss in rest for seed in seeds]


def folder_of(base: config.Config, loss: str, seed: int) -> Path:
    """Where one run lies."""
    return config.expand(base.run.folder) / f"{loss}-seed{seed}"


def changed(base: config.Config, changes: dict[str, dict[str, Any]]) -> config.Config:
    """``base`` with other values in its sections."""
    sections = {name: dataclasses.replace(getattr(base, name), **values) for name, values in changes.items()}
    return dataclasses.replace(base, **sections)


def one(base: config.Config, loss: str, seed: int) -> Path:
    """Trains one loss with one seed, or goes on with it; a finished run trains no more. The run's folder."""
    folder = folder_of(base, loss, seed)
    whole = changed(base, {**LOSSES[loss], "run": {"folder": str(folder), "seed": seed}})
    if not (folder / "done").is_file():
        train.train(whole, resume=True)
        checkpoint.write_file(folder / "done", lambda file: file.write(b"\n"))
    return folder


def refuse_overlap(base: config.Config, faces: crops.Crops) -> None:
    """Raises ``DataError`` where an identity that would be trained on lies, by its name, among the crops judged on."""
    source, _ = data.gather(base.data, base.run.seed)
    judged = {name.rpartition("/")[0].rpartition("/")[2].lower() for name in faces.names}
    both = [name for name in source.identities if name.rpartition("/")[2].lower() in judged]
    if both:
        raise DataError(
            f"{len(both)} identities are trained on and judged on, such as {', '.join(both[:5])}: take them out of "
            "data.sets, or judge on other people"
        )


def judge(run: Path, faces: crops.Crops, pairs: Path, choose: Path) -> dict[str, Any]:
    """The accuracy on ``pairs`` at the threshold chosen on ``choose``; kept in the run, computed once."""
    kept = kept_answer(run)
    if kept is not None:
        return kept
    answer = evaluate.on_crops(evaluate.Embedder(run), faces, pairs, choose)
    checkpoint.write_file(run / "eval.json", lambda file: file.write(json.dumps(answer).encode()))
    return answer


def kept_answer(run: Path) -> dict[str, Any] | None:
    """What ``judge`` found earlier. A checkpoint is judged once: remove ``eval.json`` to do it anew."""
    path = run / "eval.json"
    if not path.is_file():
        return None
    try:
        answer = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    rows = answer.get("all_pairs", []) if isinstance(answer, dict) and "accuracy" in answer else [None]
    # An earlier trainer's answer names its rates otherwise: it counts as none, as does a file of something else.
    return answer if all(isinstance(row, dict) and "fmr" in row for row in rows) else None


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """Means and deviations over seeds in percent, best first, as Markdown."""
    lines = [
        "| loss | pairs right % | TMR at FMR 1e-3 % | seeds | paper: LFW / AgeDB-30 % |",
        "|---|---|---|---|---|",
    ]
    order = sorted(found.items(), key=lambda item: -statistics.mean(answer["accuracy"] for answer in item[1]))
    for loss, answers in order:
        right = _spread([answer["accuracy"] for answer in answers])
        rates = [row["tmr"] for answer in answers for row in answer.get("all_pairs", []) if row["fmr"] == 1e-3]
        accepted = _spread(rates) if len(rates) == len(answers) else "-"
        lines.append(f"| {loss} | {right} | {accepted} | {len(answers)} | {PAPER.get(loss, '-')} |")
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    deviation = f" ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.2f}{deviation}"


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train ablate``."""
    parser = subparsers.add_parser("ablate", help="losses against each other, seeds and all; goes on where it stopped")
    parser.add_argument(
        "--config", required=True, type=Path, help="such as configs/ablation.toml; what a loss needs is varied"
    )
    parser.add_argument("--losses", nargs="+", default=list(LOSSES), metavar="LOSS", help=", ".join(LOSSES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3], metavar="N")
    parser.add_argument("--faces", type=Path, help="crops of `arcdoor-lab crop` to judge on")
    parser.add_argument("--pairs", type=Path, help="pairs reported on, such as pairsDevTest.txt")
    parser.add_argument("--choose", type=Path, help="pairs to choose the threshold on, such as pairsDevTrain.txt")
    parser.add_argument("--table", action="store_true", help="train nothing; print the table of what is finished")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    for loss in options.losses:
        if loss not in LOSSES:
            raise UsageError(f"--losses {loss}: one of {', '.join(LOSSES)}")
    judging = (options.faces, options.pairs, options.choose)
    if any(judging) and not all(judging):
        raise UsageError("--faces, --pairs and --choose go together")
    base = config.load(options.config)
    order = jobs(options.losses, options.seeds)
    if options.table:
        print(table(_finished(base, order)))
        return 0
    faces = crops.Crops(options.faces) if all(judging) else None
    if faces is not None:
        refuse_overlap(base, faces)
    for number, (loss, seed) in enumerate(order, start=1):
        print(f"{loss}, seed {seed}: run {number} of {len(order)}", flush=True)
        run = one(base, loss, seed)
        if faces is None:
            continue
        answer = judge(run, faces, options.pairs, options.choose)
        print(f"{loss}, seed {seed}: {100 * answer['accuracy']:.2f} %", flush=True)
        text = table(_finished(base, order))
        path = config.expand(base.run.folder) / "table.md"
        checkpoint.write_file(path, lambda file, text=text: file.write((text + "\n").encode()))
    if faces is not None:
        print(table(_finished(base, order)))
    return 0


def _finished(base: config.Config, order: list[tuple[str, int]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for loss, seed in order:
        answer = kept_answer(folder_of(base, loss, seed))
        if answer is not None:
            found.setdefault(loss, []).append(answer)
    if not found:
        raise DataError(f"nothing under {base.run.folder} is judged yet: name --faces, --pairs and --choose")
    return found
