"""``bench-merge``: what ``merge`` finds of people and images that are known to occur twice. It plants them: identities
that are split in two, evaluation people whose other images are trained on, and copies of images."""

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from arcdoor_train import config, crops, data, evaluate, feature_map, overlap
from arcdoor_train.errors import DataError, UsageError

LIMITS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
COPY_LIMITS = (0.9, 0.93, 0.95, 0.97, 0.98, 0.99)
#: Whoever is planted has at least so many images, half of them on each side.
LEAST_IMAGES = 4
QUALITY = 60


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train bench-merge``."""
    parser = subparsers.add_parser("bench-merge", help="precision and recall of `merge` on people who are planted")
    parser.add_argument("--config", required=True, type=Path, help="a TOML file with [data]")
    parser.add_argument("--model", required=True, type=Path, help="an .onnx file, a pack, a checkpoint, or a run")
    parser.add_argument("--features", required=True, type=Path, metavar="DIR", help="where features are kept")
    parser.add_argument("--split", type=int, default=50, help="identities that become two")
    parser.add_argument("--people", type=int, default=20, help="identities of whom half becomes an evaluation person")
    parser.add_argument("--copies", type=int, default=100, help=f"images that occur again as JPEG of quality {QUALITY}")
    parser.add_argument("--seed", type=int, default=1)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if min(options.split, options.people, options.copies) < 1:
        raise UsageError("--split, --people and --copies are 1 or more")
    whole = config.load(options.config)
    faces, _ = data.gather(whole.data, whole.run.seed)
    embedder = evaluate.Embedder(options.model)
    job = feature_map.Job(whole.data, whole.run.seed, options.model)
    found = feature_map.compute(options.features, job, faces, feature_map.dimension_of(embedder)).features
    random = np.random.default_rng(options.seed)
    trained, outside, able = _plant(faces, options.split, options.people, random)
    classes = len(faces.identities)
    print(
        f"{len(faces)} images of {classes} identities; {options.split} split in two, {options.people} evaluation people"
    )
    middle = overlap.centres(found, trained, classes + options.split)
    pairs, cosines = overlap.alike(middle, None, LIMITS[0])
    halves = {(int(label), classes + n) for n, label in enumerate(able[: options.split])}
    _print("identities that are one person", cosines, [tuple(pair) in halves for pair in pairs.tolist()], options.split)
    pairs, cosines = overlap.alike(middle, overlap.centres(found, outside, options.people), LIMITS[0])
    theirs = {(int(label), n) for n, label in enumerate(able[options.split :])}
    _print("evaluation people", cosines, [tuple(pair) in theirs for pair in pairs.tolist()], options.people)
    _copies(faces, found, embedder, random.permutation(len(faces))[: options.copies])
    return 0


def _plant(
    faces: data.Dataset, split: int, people: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of all images after the planting: those trained on (second halves have new ones, past the last; -1 for
    what became an evaluation person's), those of the evaluation people; and which identities were
    split, then which gave a person."""
    counts = np.bincount(faces.labels, minlength=len(faces.identities))
    able = random.permutation(np.flatnonzero(counts >= LEAST_IMAGES))
    if len(able) < split + people:
        raise DataError(
            f"{len(able)} identities have {LEAST_IMAGES} images or more; {split + people} are to be planted"
        )
    trained, outside = faces.labels.copy(), np.full(len(faces), -1)
    for n, label in enumerate(able[: split + people]):
        mine = random.permutation(np.flatnonzero(faces.labels == label))
        half = mine[: len(mine) // 2]
        trained[half] = len(counts) + n if n < split else -1
        if n >= split:
            outside[half] = n - split
    return trained, outside, able[: split + people]


def _copies(faces: data.Dataset, found: np.ndarray, embedder: evaluate.Embedder, chosen: np.ndarray) -> None:
    """Images encoded again, and encoded again two pixels to the right, behind the others of their identities."""
    again = [_again(faces, int(number), moved) for moved in (0, 2) for number in chosen]
    more = embedder(crops.to_input(image[None]) for image in again).astype(np.float32)
    features = np.concatenate([found, more])
    labels = np.concatenate([faces.labels, faces.labels[chosen], faces.labels[chosen]])
    print("\n| copies, at least as alike | of the set's own images | encoded again, recall % | moved, too, recall % |")
    print("|---|---|---|---|")
    for limit in COPY_LIMITS:
        goes = overlap.near_copies(features, labels, limit)
        own, encoded, moved = np.split(goes, [len(found), len(found) + len(chosen)])
        print(f"| {limit} | {own.sum()} | {100 * encoded.mean():.1f} | {100 * moved.mean():.1f} |")


def _again(faces: data.Dataset, number: int, moved: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(np.roll(faces.read(number), moved, axis=1)).save(buffer, "JPEG", quality=QUALITY)
    return crops.decode(buffer.getvalue(), faces.keys[number])


def _print(what: str, cosines: np.ndarray, right: list[bool], planted: int) -> None:
    print(f"\n| {what}, at least as alike | pairs found | precision % | recall % |\n|---|---|---|---|")
    for limit in LIMITS:
        found = cosines >= limit
        hits = int(np.sum(found & right))
        precision = f"{100 * hits / found.sum():.1f}" if found.any() else "-"
        print(f"| {limit} | {found.sum()} | {precision} | {100 * hits / planted:.1f} |")
