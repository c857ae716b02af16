"""``noise-study``: what label noise does, and what sub-centres find of it. Noise of known shares is planted among real
faces; a small network over a pack's features is trained with one centre and with three, cleaned, and trained again."""

import argparse
import hashlib
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from arcdoor_train import (
    checkpoint,
    clean_report,
    config,
    crops,
    data,
    evaluate,
    feature_file,
    feature_map,
    figure,
    lock,
    overlap,
    scores,
    subcentres,
    teachers,
)
from arcdoor_train.errors import UsageError
from arcdoor_train.noise.learner import REMEDIES, Learned, learn
from arcdoor_train.noise.planted import Planted, planted

#: Angles at which precision and recall of the drop are told, and the paper's.
DEGREES = tuple(range(40, 91, 5))
PAPER_DEGREES = 75
#: Images without a face.
JUNK = 300
FMR = 1e-3

#: Gives the figures of an arm's (n, d) unit-length features.
Judge = Callable[[np.ndarray], dict[str, float]]


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train noise-study``."""
    parser = subparsers.add_parser(
        "noise-study", help="planted label noise: what it costs and what `clean` finds of it"
    )
    parser.add_argument("--config", required=True, type=Path, help="such as configs/noise.toml")
    parser.add_argument("--model", required=True, type=Path, help="the pack whose features are learnt over")
    parser.add_argument("--oracle", required=True, type=Path, help="a better pack: class means of its features")
    parser.add_argument("--faces", required=True, type=Path, help="crops of `arcdoor-lab crop` to judge on")
    parser.add_argument("--pairs", required=True, type=Path, help="pairs reported on, such as pairsDevTest.txt")
    parser.add_argument("--choose", required=True, type=Path, help="pairs to choose the threshold on")
    parser.add_argument("--levels", nargs="+", type=int, default=[0, 10, 30, 50], metavar="PERCENT")
    parser.add_argument(
        "--remedies-at", type=int, default=30, metavar="PERCENT", help="where co-mining, NT, NR are tried"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3], metavar="N")
    parser.add_argument("--table", action="store_true", help="train nothing; print the tables of what is finished")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if not all(0 <= level < 90 for level in options.levels):
        raise UsageError("--levels are percents, below 90")
    whole = config.load(options.config)
    out = config.expand(whole.run.folder)
    wanted = [(level, seed) for seed in options.seeds for level in options.levels]
    if not options.table:
        with lock.alone(out):
            _study(whole, out, wanted, options)
    print(tables(out, options.levels, options.seeds))
    return 0


def _study(whole: config.Config, out: Path, wanted: list[tuple[int, int]], options: argparse.Namespace) -> None:
    if whole.run.threads:
        import torch

        torch.set_num_threads(whole.run.threads)
    faces, notes = data.gather(whole.data, whole.run.seed)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    _same_study(whole, faces, out, options)
    rows = _features(whole, faces, options.model, out / "model.features")
    truth = _features(whole, faces, options.oracle, out / "oracle.features")
    junk = crops.random(JUNK, 7)
    rows, truth = (
        np.concatenate([table, evaluate.Embedder(model)(crops.to_input(part) for part in np.split(junk, 10))])
        for table, model in ((rows, options.model), (truth, options.oracle))
    )
    rows, truth = rows.astype(np.float32), truth.astype(np.float32)
    judge = _judge(options, out)
    for level, seed in wanted:
        path = _place(out, level, seed)
        if path.is_file():
            continue
        remedies = REMEDIES[1:] if level and level == options.remedies_at else ()
        noise = planted(faces.labels, JUNK, level / 100, seed)
        answer = arms(whole, noise, rows, truth, seed, judge, remedies)
        if remedies and seed == options.seeds[0]:
            answer["k10"] = _of_ten(whole, noise, rows, seed, out)
        checkpoint.write_file(path, lambda file, answer=answer: file.write(json.dumps(answer, indent=1).encode()))
        print(f"{level} %, seed {seed}: " + json.dumps(answer["arms"]), flush=True)


def _same_study(whole: config.Config, faces: data.Dataset, out: Path, options: argparse.Namespace) -> None:
    """That what lies in ``out`` is of these settings, files and crops. Raises ``UsageError``."""
    table = config.to_table(whole)
    described = {
        "settings": {section: table[section] for section in ("data", "model", "head", "optim")}
        | {"seed": whole.run.seed},
        "images": faces.fingerprint,
        "networks": [
            teachers.digest(teachers.Teacher(str(path)).located()[0]) for path in (options.model, options.oracle)
        ],
        "judged": [crops.Crops(options.faces).names, options.pairs.read_text(), options.choose.read_text()],
    }
    told = hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode()).hexdigest()
    path = out / "study.sha256"
    if not path.is_file():
        checkpoint.write_file(path, lambda file: file.write(told.encode()))
    elif path.read_text() != told:
        raise UsageError(f"{out} holds a study of other settings, networks or images: name another run.folder")


def _features(whole: config.Config, faces: data.Dataset, model: Path, folder: Path) -> np.ndarray:
    dimension = feature_map.dimension_of(evaluate.Embedder(model))
    job = feature_map.Job(whole.data, whole.run.seed, model)
    return np.asarray(feature_map.compute(folder, job, faces, dimension).features)


def _judge(options: argparse.Namespace, out: Path) -> tuple[np.ndarray, Judge]:
    """The pack's features of the crops that are judged on, kept in ``out``; and what gives an arm's figures."""
    faces, path = crops.Crops(options.faces), out / "judged.bin"
    if not path.is_file():
        found, names, bad = evaluate.features(evaluate.Embedder(options.model), faces)
        if bad:
            raise UsageError(f"{len(bad)} crops of {options.faces} do not decode, such as {bad[0]}: remove them")
        assert names == faces.names
        feature_file.write(path, found)
    pairs, chosen = (evaluate.read_pairs(one, faces.names) for one in (options.pairs, options.choose))
    people = crops.owners(faces.names)

    def figures(found: np.ndarray) -> dict[str, float]:
        threshold = scores.best_threshold(evaluate.pair_scores(found, chosen), chosen[2])
        right = scores.accuracy(evaluate.pair_scores(found, pairs), pairs[2], threshold)
        rates = scores.all_pairs(found, people, (FMR,))
        return {"accuracy": right, "tmr": rates[0].tmr if rates else 0.0}

    return feature_file.read(path), figures


def arms(
    whole: config.Config, noise: Planted, rows: np.ndarray, truth: np.ndarray, seed: int,
    judge: tuple[np.ndarray, Judge], remedies: tuple[str, ...] = (),
) -> dict[str, Any]:  # fmt: skip
    """Trains with one centre, with three, on what the three leave, and on the clean images alone; then the other
    ``remedies``. Each arm's figures, and precision and recall of the drop by angle."""
    judged, figures = judge
    share = float(noise.noisy.mean())

    def learnt(of: Planted, centres: int, remedy: str = "none") -> Learned:
        return learn(whole, rows[of.rows], of.labels, centres, seed, remedy, share)

    one, three = learnt(noise, 1), learnt(noise, 3)
    found = {"K=1": one, "K=3": three}
    cleaned = {name: _cleaned(net, rows[noise.rows], noise) for name, net in found.items()}
    keep = cleaned["K=3"].keep
    found["K=3 to 1"] = learnt(noise.only(keep), 1)
    if noise.noisy.any():
        found["K=1 clean"] = learnt(noise.only(~noise.noisy), 1)
    found |= {remedy: learnt(noise, 1, remedy) for remedy in remedies}
    means = overlap.centres(truth[noise.rows], noise.labels, len(noise.people))
    cleaned["class means"] = subcentres.clean(truth[noise.rows], noise.labels, means[:, None], PAPER_DEGREES)
    return {
        "images": len(noise.rows), "identities": len(noise.people), "noise": share,
        "arms": {name: figures(net.features(judged)) for name, net in found.items()} | {"pack": figures(judged)},
        "drop": {name: [drop(done, noise.noisy, limit) for limit in DEGREES] for name, done in cleaned.items()},
        "clean_report": clean_report.figures(noise.labels, cleaned["K=3"], PAPER_DEGREES, noise.noisy),
    }  # fmt: skip


def _cleaned(net: Learned, rows: np.ndarray, noise: Planted) -> subcentres.Cleaned:
    return subcentres.clean(net.features(rows), noise.labels, net.centres, PAPER_DEGREES)


def drop(done: subcentres.Cleaned, noisy: np.ndarray, degrees: float) -> dict[str, float | None]:
    """Of the images beyond an angle: the share that is noise, and the share of the noise that is among them; of those
    that are clean, the share that goes."""
    gone = ~done.seen | (done.cosines <= np.cos(np.radians(degrees)))
    hits = int((gone & noisy).sum())
    return {
        "degrees": degrees,
        "precision": hits / int(gone.sum()) if gone.any() else None,
        "recall": hits / int(noisy.sum()) if noisy.any() else None,
        "clean_dropped": float(gone[~noisy].mean()),
    }


def _of_ten(whole: config.Config, noise: Planted, rows: np.ndarray, seed: int, out: Path) -> dict[str, float | None]:
    """With ten sub-centres: the identity with the most clean images by sub-class, and the share of all clean images
    that lie in their identity's dominant one."""
    net = learn(whole, rows[noise.rows], noise.labels, 10, seed)
    done = _cleaned(net, rows[noise.rows], noise)
    label = int(np.bincount(noise.labels[~noise.noisy]).argmax())
    share = clean_report.sub_classes(out / "sub-classes", done, np.flatnonzero(noise.labels == label), noise.noisy)
    inside = float(done.in_dominant[~noise.noisy].mean())
    return {"clean_in_dominant": inside, "of_one_identity": share}


def _place(out: Path, level: int, seed: int) -> Path:
    return out / f"noise-{level}-seed{seed}.json"


def tables(out: Path, levels: list[int], seeds: list[int]) -> str:
    """Means and deviations over the seeds that are finished, as Markdown; and ``drop.*``, the curves."""
    found = {
        level: [
            json.loads(_place(out, level, seed).read_text()) for seed in seeds if _place(out, level, seed).is_file()
        ]
        for level in levels
    }
    found = {level: answers for level, answers in found.items() if answers}
    if not found:
        raise UsageError(f"nothing under {out} is finished yet")
    names = list(dict.fromkeys(name for answers in found.values() for name in answers[0]["arms"]))
    lines = ["| noise % | " + " | ".join(names) + " | seeds |", "|---" * (len(names) + 2) + "|"]
    for what in ("accuracy", "tmr"):
        for level, answers in found.items():
            cells = [
                _spread([answer["arms"][name][what] for answer in answers if name in answer["arms"]]) for name in names
            ]
            lines.append(f"| {level}, {what} | " + " | ".join(cells) + f" | {len(answers)} |")
    lines += ["", f"| noise %, dropped beyond {PAPER_DEGREES} degrees by | precision % | recall % | clean dropped % |"]
    lines.append("|---|---|---|---|")
    columns: dict[str, list] = {
        "noise": [],
        "by": [],
        "degrees": [],
        "precision": [],
        "recall": [],
        "clean_dropped": [],
    }
    for level, answers in found.items():
        for by in answers[0]["drop"]:
            for n, degrees in enumerate(DEGREES):
                some = [answer["drop"][by][n] for answer in answers]
                means = [_mean([one[what] for one in some]) for what in ("precision", "recall", "clean_dropped")]
                for name, value in zip(columns, (level, by, degrees, *means), strict=True):
                    columns[name].append(value)
                if degrees == PAPER_DEGREES:
                    told = " | ".join("-" if mean is None else f"{100 * mean:.1f}" for mean in means)
                    lines.append(f"| {level}, {by} | {told} |")
    _curves(out / "drop", columns)
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    if not values:
        return "-"
    deviation = f" ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.2f}{deviation}"


def _mean(values: list[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return statistics.mean(told) if told else None


def _curves(stem: Path, columns: dict[str, list]) -> None:
    """Precision over recall, a line for each way at each level; the angles are in the data."""
    try:
        drawn = figure.new()
    except UsageError as error:
        figure.table(stem.with_suffix(".csv"), columns)
        print(f"no {stem.with_suffix('.png')}: {error}", file=sys.stderr)
        return
    axes = drawn.subplots()
    points = list(zip(*columns.values(), strict=True))
    for level, by in dict.fromkeys((row[0], row[1]) for row in points):
        line = [(row[4], row[3]) for row in points if row[:2] == (level, by) and None not in (row[3], row[4])]
        if line:
            axes.plot(*zip(*line, strict=True), marker=".", label=f"{level} %, {by}")
    axes.set(
        xlabel="recall: share of the noise that is dropped", ylabel="precision: share of the dropped that is noise"
    )
    axes.legend()
    figure.save(drawn, stem, columns)
