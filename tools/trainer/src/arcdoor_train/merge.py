"""``merge``: one list of several cleaned sets. Identities of one id string in two sets are one person, as IBUG-500K was
made; who else may be one person, and who may be one of the evaluation sets' people, is listed for a person to judge;
copies of images go. The sets stay as they are."""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from arcdoor_train import (
    bin_file,
    checkpoint,
    config,
    crops,
    data,
    evaluate,
    feature_map,
    figure,
    lock,
    overlap,
    review,
)
from arcdoor_train.data import lists
from arcdoor_train.data.sets import own_name, unambiguous
from arcdoor_train.errors import DataError, UsageError
from arcdoor_train.review import WHY, Row
from arcdoor_train.subcentres import to_centres

#: An evaluation set, its people's centres, their names, and how many images each has.
Judges = tuple[Path, np.ndarray, list[str], list[int]]


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train merge``."""
    parser = subparsers.add_parser("merge", help="one list of several cleaned sets, without people and images twice")
    parser.add_argument(
        "--config", required=True, type=Path, help="[[data.sets]], each with its list, name, identities"
    )
    parser.add_argument("--model", required=True, type=Path, help="an .onnx file, a pack, a checkpoint, or a run")
    parser.add_argument(
        "--by-name",
        choices=["drop", "join"],
        default="drop",
        help="of one id string in two sets, the later goes or joins",
    )
    parser.add_argument("--same-name", type=float, default=0.3, help="less alike ones of one name are reviewed")
    parser.add_argument("--alike", type=float, default=0.6, help="identities at least as alike are reviewed")
    parser.add_argument("--copy", type=float, default=0.95, help="images of an identity at least as alike are copies")
    parser.add_argument(
        "--evaluation", type=Path, nargs="*", default=[], metavar="SET", help="crops by person, or .bin"
    )
    parser.add_argument("--evaluation-alike", type=float, default=0.6, help="identities at least as alike are reviewed")
    parser.add_argument("--drop-evaluation", action="store_true", help="they go without a review")
    parser.add_argument("--review", type=Path, metavar="FILE", help="an earlier NAME.report/review.tsv with verdicts")
    feature_map.add_arguments(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    limits = (options.same_name, options.alike, options.copy, options.evaluation_alike)
    if not all(-1 < limit <= 1 for limit in limits):
        raise UsageError("the limits are cosines, which lie between -1 and 1")
    report, features = feature_map.places(options)
    whole = config.load(options.config)
    faces, _ = data.gather(whole.data, whole.run.seed)
    unambiguous(faces)
    judged = review.read(options.review, faces.identities) if options.review else []
    embedder = evaluate.Embedder(options.model, options.threads)
    dimension = feature_map.dimension_of(embedder)
    judges = [(path, *_people(path, embedder)) for path in options.evaluation]
    print(feature_map.needs(len(faces), dimension, len(faces.identities), 1, features), flush=True)
    with lock.alone(report):
        job = feature_map.Job(whole.data, whole.run.seed, options.model, options.threads)
        found = feature_map.compute(features, job, faces, dimension, options.processes)
        middle = overlap.centres(found.features, faces.labels, len(faces.identities))
        rows = _rows(faces, middle, judges, options)
        decided = [*_decided(rows, judged, options), *judged]
        labels = merge(faces, decided)
        labels, gone = _without_copies(found, labels, options.copy)
        cosines = to_centres(found.features, faces.labels, middle[:, None])[:, 0]
        answer = _write(options.out, faces, labels, cosines, gone)
        answer |= {"review": {why: sum(row.why == why for row in rows) for why in WHY}, "verdicts": len(judged)}
        review.write(report / "review.tsv", rows, decided)
        checkpoint.write_file(report / "report.json", lambda file: file.write(json.dumps(answer, indent=2).encode()))
    print(json.dumps(answer))
    return 0


def _rows(faces: data.Dataset, middle: np.ndarray, judges: list[Judges], options: argparse.Namespace) -> list[Row]:
    """All that may be one person, by names and by the identities' centres ``middle``."""
    counts = np.bincount(faces.labels, minlength=len(faces.identities))
    named = same_names(faces.identities)
    rows = [_row(faces, counts, "names", pair, float(middle[pair[0]] @ middle[pair[1]])) for pair in named]
    pairs, cosines = overlap.alike(middle, None, options.alike)
    of_a_name = set(named)
    rows += [
        _row(faces, counts, "alike", tuple(pair), float(cosine))
        for pair, cosine in zip(pairs.tolist(), cosines, strict=True)
        if tuple(pair) not in of_a_name
    ]
    for path, people, names, sizes in judges:
        pairs, cosines = overlap.alike(middle, people, options.evaluation_alike)
        rows += [
            Row("", "evaluation", float(cosine), faces.identities[a], int(counts[a]), f"{path}:{names[b]}", sizes[b])
            for (a, b), cosine in zip(pairs.tolist(), cosines, strict=True)
        ]
    return rows


def _row(faces: data.Dataset, counts: np.ndarray, why: str, pair: tuple[int, int], cosine: float) -> Row:
    first, second = pair
    names = faces.identities
    return Row("", why, cosine, names[first], int(counts[first]), names[second], int(counts[second]))


def same_names(identities: list[str]) -> list[tuple[int, int]]:
    """Pairs of identities of two sets with one id string, each with the first of its name. Numbers are no id strings:
    every set counts from its own first."""
    first: dict[str, int] = {}
    pairs = []
    for label, identity in enumerate(identities):
        own = own_name(identity)
        if own.isdecimal():
            continue
        earlier = first.setdefault(own, label)
        if earlier != label:
            pairs.append((earlier, label))
    return pairs


def _people(path: Path, embedder: evaluate.Embedder) -> tuple[np.ndarray, list[str], list[int]]:
    """The centres of an evaluation set's people, their names, how many images each has; a .bin does not say whose its
    images are."""
    if path.suffix == ".bin":
        images, _ = bin_file.read(path)
        names = [f"image {n}" for n in range(len(images))]
        inputs = (crops.to_input(crops.decode(image, name)[None]) for image, name in zip(images, names, strict=True))
        return embedder(inputs).astype(np.float32), names, [1] * len(names)
    features, names, _ = evaluate.features(embedder, crops.Crops(path))
    return overlap.people(features, names)


def _decided(rows: list[Row], judged: list[Row], options: argparse.Namespace) -> list[Row]:
    """What needs no review: alike ones of one name, and with ``--drop-evaluation`` who is like an evaluation person."""
    known, found = {row.pair for row in judged}, []
    for row in rows:
        if row.why == "names" and row.cosine >= options.same_name and row.pair not in known:
            found.append(dataclasses.replace(row, verdict=options.by_name))
        if row.why == "evaluation" and options.drop_evaluation and row.pair not in known:
            found.append(dataclasses.replace(row, verdict="drop"))
    return found


def merge(faces: data.Dataset, decided: list[Row]) -> np.ndarray:
    """(n,) labels after the verdicts of ``decided``: an identity's own, that of the first it was joined with, or -1.
    Who is joined with an evaluation person goes with them."""
    number = {name: label for label, name in enumerate(faces.identities)}
    into = np.arange(len(faces.identities))
    for row in decided:
        if row.verdict == "join":
            low, high = sorted((into[number[row.first]], into[number[row.second]]))
            into[into == high] = low
    goes = np.zeros(len(into), bool)
    for row in decided:
        if row.verdict == "drop" and row.why == "evaluation":
            goes |= into == into[number[row.first]]
        elif row.verdict == "drop":
            goes[number[row.second]] = True
    return np.where(goes, -1, into)[faces.labels]


def _without_copies(
    found: feature_map.FeatureMap, labels: np.ndarray, least: float
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Labels without gaps, -1 for images that go, and which ones went for what."""
    unreadable = (labels >= 0) & (found.images == 0)
    labels = np.where(unreadable, -1, labels)
    same = overlap.copies(found.images, labels)
    labels = np.where(same, -1, labels)
    near = overlap.near_copies(found.features, labels, least)
    return np.where(near, -1, labels), {"unreadable": unreadable, "same_bytes": same, "near_copy": near}


def _write(
    out: Path, faces: data.Dataset, labels: np.ndarray, cosines: np.ndarray, gone: dict[str, np.ndarray]
) -> dict[str, Any]:
    """The list, and which images went for themselves; counts of both."""
    left, fresh = np.unique(labels, return_inverse=True)
    fresh = fresh - int(left[0] < 0)
    names = [faces.identities[label] for label in left if label >= 0]
    if len(names) < 2:
        raise DataError(f"{len(names)} identities are left; a loss between classes needs at least 2")
    text = lists.lines(faces.origin, faces.keys, fresh, np.nan_to_num(cosines, nan=-1.0), names)
    checkpoint.write_file(out, lambda file: file.writelines(text))
    lost = [(faces.keys[n], why) for why, some in gone.items() for n in np.flatnonzero(some)]
    columns = {"image": [key for key, _ in lost], "why": [why for _, why in lost]}
    figure.table(out.with_suffix(".report") / "gone.csv", columns)
    return {
        "images_before": len(faces), "images": int((labels >= 0).sum()), "identities_before": len(faces.identities),
        "identities": len(names), **{why: int(some.sum()) for why, some in gone.items()},
    }  # fmt: skip
