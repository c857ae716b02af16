"""``ablate``: losses against each other, several seeds each, as one command that goes on where it stopped."""

import argparse
import dataclasses
import json
import statistics
from pathlib import Path
from typing import Any

from arcdoor_train import checkpoint, config, crops, evaluate, train
from arcdoor_train.errors import UsageError

#: Name -> what changes in ``[head]``. Norm-Softmax has its own scale (the paper's 20).
LOSSES: dict[str, dict[str, Any]] = {
    "softmax": {"kind": "softmax"},
    "norm-softmax": {"kind": "norm-softmax", "scale": 20.0},
    "sphereface": {"m1": 1.35, "m2": 0.0},
    "cosface": {"m2": 0.0, "m3": 0.35},
    "arcface-0.4": {"m2": 0.4},
    "arcface-0.5": {"m2": 0.5},
    "cm1": {"m1": 1.0, "m2": 0.3, "m3": 0.2},
    "arcface+intra+inter": {"m2": 0.5, "intra": 1.0, "inter": 1.0},
    "sub-centre-3": {"m2": 0.5, "centres": 3},
}


def one(base: config.Config, loss: str, seed: int) -> Path:
    """Trains one loss with one seed, or goes on with it; a finished run trains no more. The run's folder."""
    folder = config.expand(base.run.folder) / f"{loss}-seed{seed}"
    whole = dataclasses.replace(
        base,
        run=dataclasses.replace(base.run, folder=str(folder), seed=seed),
        head=dataclasses.replace(base.head, **LOSSES[loss]),
    )
    if not (folder / "done").is_file():
        train.train(whole, resume=True)
        checkpoint.write_file(folder / "done", lambda file: file.write(b"\n"))
    return folder


def judge(run: Path, faces: Path, pairs: Path, choose: Path) -> dict[str, Any]:
    """The accuracy on ``pairs`` at the threshold chosen on ``choose``; kept in the run, computed once."""
    kept = run / "eval.json"
    if kept.is_file():
        return json.loads(kept.read_text(encoding="utf-8"))
    answer = evaluate.on_crops(evaluate.Embedder(run), crops.Crops(faces), pairs, choose)
    checkpoint.write_file(kept, lambda file: file.write(json.dumps(answer, default=str).encode()))
    return answer


def table(found: dict[str, list[float]]) -> str:
    """Means and deviations in percent, best first, as Markdown."""
    lines = ["| loss | accuracy % | deviation | seeds |", "|---|---|---|---|"]
    for loss, values in sorted(found.items(), key=lambda item: -statistics.mean(item[1])):
        deviation = f"{100 * statistics.stdev(values):.2f}" if len(values) > 1 else "-"
        lines.append(f"| {loss} | {100 * statistics.mean(values):.2f} | {deviation} | {len(values)} |")
    return "\n".join(lines)


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train ablate``."""
    parser = subparsers.add_parser("ablate", help="losses against each other, seeds and all; goes on where it stopped")
    parser.add_argument("--config", required=True, type=Path, help="such as configs/ablation.toml; [head] is varied")
    parser.add_argument("--losses", nargs="+", default=list(LOSSES), metavar="LOSS", help=", ".join(LOSSES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3], metavar="N")
    parser.add_argument("--faces", type=Path, help="crops of `arcdoor-lab crop` to judge on")
    parser.add_argument("--pairs", type=Path, help="pairs reported on, such as pairsDevTest.txt")
    parser.add_argument("--choose", type=Path, help="pairs to choose the threshold on, such as pairsDevTrain.txt")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    for loss in options.losses:
        if loss not in LOSSES:
            raise UsageError(f"--losses {loss}: one of {', '.join(LOSSES)}")
    judging = (options.faces, options.pairs, options.choose)
    if any(judging) and not all(judging):
        raise UsageError("--faces, --pairs and --choose go together")
    base = config.load(options.config)
    found: dict[str, list[float]] = {}
    # Seeds outside: whoever stops early has every loss with fewer seeds.
    for seed in options.seeds:
        for loss in options.losses:
            run = one(base, loss, seed)
            if all(judging):
                found.setdefault(loss, []).append(judge(run, *judging)["accuracy"])
    if found:
        text = table(found)
        print(text)
        path = config.expand(base.run.folder) / "table.md"
        checkpoint.write_file(path, lambda file: file.write((text + "\n").encode()))
    return 0
