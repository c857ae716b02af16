"""``clean``: noisy identities to clean ones by sub-centres. Every image votes for the nearest of its identity's K
centres; the most voted is the dominant one; images farther than 75 degrees from it go, emptied identities go, and
the rest is numbered anew. Train again from scratch with K = 1 on what is left."""

import argparse
import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arcdoor_train import checkpoint, config, crops, data, evaluate
from arcdoor_train.errors import DataError
from arcdoor_train.feature_file import unit


@dataclass(frozen=True)
class Cleaned:
    """Which images stay, and as whom."""

    #: (n,) whether an image stays.
    keep: np.ndarray
    #: (n,) new labels, 0..identities without gaps; -1 for images that go.
    labels: np.ndarray
    #: (classes,) the number of the dominant centre; -1 where an identity has no image.
    dominant: np.ndarray
    #: (n,) cosine to the dominant centre of the image's identity.
    cosines: np.ndarray


def clean(features: np.ndarray, labels: np.ndarray, centres: np.ndarray, degrees: float = 75.0) -> Cleaned:
    """``features`` (n, d), ``labels`` (n,) in 0..classes, ``centres`` (classes, K, d); lengths do not matter. An image
    whose feature holds no number goes."""
    classes, count, dimension = centres.shape
    if not 0 < degrees < 180 or len(labels) != len(features) or features.shape[1] != dimension:
        raise DataError(f"features {features.shape}, centres {centres.shape}, {degrees} degrees do not fit together")
    if len(labels) and (labels.min() < 0 or labels.max() >= classes):
        raise DataError(f"labels {labels.min()}..{labels.max()}; the head knows 0..{classes - 1}")
    finite = np.isfinite(features).all(axis=1)
    mine = unit(np.where(finite[:, None], features, 0))
    rows = unit(centres.reshape(-1, dimension)).reshape(classes, count, dimension)
    cosines = np.empty((len(mine), count))
    for start in range(0, len(mine), 65536):
        part = slice(start, start + 65536)
        cosines[part] = np.einsum("nd,nkd->nk", mine[part], rows[labels[part]])
    votes = np.zeros((classes, count), np.int64)
    np.add.at(votes, (labels[finite], cosines[finite].argmax(axis=1)), 1)
    dominant = np.where(votes.any(axis=1), votes.argmax(axis=1), -1)
    own = cosines[np.arange(len(mine)), np.maximum(dominant[labels], 0)]
    keep = finite & (own > np.cos(np.radians(degrees)))
    left, numbers = np.unique(labels[keep], return_inverse=True)
    fresh = np.full(len(labels), -1)
    fresh[keep] = numbers
    assert len(left) <= classes
    return Cleaned(keep, fresh, dominant, own)


def embed(embedder: evaluate.Embedder, faces: data.Dataset) -> np.ndarray:
    """(n, d) features of a set; rows that hold no number where a crop does not decode."""
    rows: list[np.ndarray | None] = []
    for start in range(0, len(faces), 64):
        images, whole = [], []
        for number in range(start, min(start + 64, len(faces))):
            with contextlib.suppress(DataError):
                images.append(faces.read(number))
                whole.append(number)
        found = iter(embedder([crops.to_input(np.stack(images))]) if images else [])
        rows += [next(found) if number in whole else None for number in range(start, min(start + 64, len(faces)))]
    dimension = next((len(row) for row in rows if row is not None), 0)
    if not dimension:
        raise DataError("not one crop of the run's sets decodes")
    return np.stack([np.full(dimension, np.nan) if row is None else row for row in rows])


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train clean``."""
    parser = subparsers.add_parser("clean", help="drop the images of noisy identities, by a run with K sub-centres")
    parser.add_argument("run_folder", type=Path, help="a run or a checkpoint, trained with head.centres = 3")
    parser.add_argument("--degrees", type=float, default=75.0)
    parser.add_argument(
        "--out", type=Path, required=True, help="where the list goes: image, new label, cosine; by tabs"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    folder = checkpoint.resolve(options.run_folder)
    content = checkpoint.load_tensors(folder / "model.pt")
    whole = config.from_table(content["config"])
    if whole.head.kind in config.METRIC:
        raise DataError(f"{folder} was trained with head.kind = {whole.head.kind!r}, which has no class centres")
    faces, _ = data.gather(whole.data, whole.run.seed)
    classes = len(faces.identities)
    if content.get("identities") != classes:
        raise DataError(
            f"the run's sets have {classes} identities now, {content.get('identities')} when it was trained"
        )
    found = embed(evaluate.Embedder(folder / "model.pt"), faces)
    weight = checkpoint.read_head(folder, 0, classes)["weight"].numpy()
    done = clean(found, faces.labels, weight.reshape(classes, whole.head.centres, -1), options.degrees)
    lines = [
        f"{key}\t{label}\t{cosine:.4f}\n"
        for key, label, cosine, keep in zip(faces.keys, done.labels, done.cosines, done.keep, strict=True)
        if keep
    ]
    options.out.write_text("".join(lines), encoding="utf-8")
    answer = {
        "images": len(faces), "unreadable": int(np.isnan(found).any(axis=1).sum()), "kept": int(done.keep.sum()),
        "identities_before": classes, "identities": int(done.labels.max()) + 1,
        "centres": whole.head.centres, "degrees": options.degrees,
    }  # fmt: skip
    print(json.dumps(answer))
    return 0
