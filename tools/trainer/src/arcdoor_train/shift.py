"""``shift``: crops of the same photos by two alignments, such as RetinaFace's five points and the device's: how far one
lies from the other, and what that costs a network. The move is found by the pixels themselves, since a crop of another
detector brings no points."""

import argparse
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from arcdoor_train import bin_file, checkpoint, crops, evaluate, scores
from arcdoor_train.data.sets import decode
from arcdoor_train.errors import DataError, UsageError
from arcdoor_train.feature_file import unit

#: Sides at which a move is sought, coarse to fine, and the steps at each.
SIDES = (28, 56, 112)
STEPS = 12
#: Crops whose grey values correlate less than this after the move show no one photo, or one that is covered.
SAME = 0.8


@dataclass(frozen=True)
class Move:
    """A similarity about the crop's centre that takes ours to theirs."""

    right_px: float
    down_px: float
    degrees: float
    scale: float
    #: Of the grey values, where both crops have some.
    correlation: float


def move(ours: np.ndarray, theirs: np.ndarray) -> Move:
    """Of two crops (112, 112, 3) uint8 of one photo: least squares by Gauss and Newton's steps, coarse to fine, with
    brightness and contrast free (Lucas and Kanade, 1981)."""
    # x' = a x - b y + right, y' = b x + a y + down, in crop pixels from the centre.
    found = np.array([1.0, 0.0, 0.0, 0.0])
    pair = [Image.fromarray(image).convert("L") for image in (ours, theirs)]
    correlation = 0.0
    for side in SIDES:
        small = [
            np.asarray(image.resize((side, side), Image.Resampling.BOX), np.float64) if side < crops.SIDE
            else np.asarray(image, np.float64)
            for image in pair
        ]  # fmt: skip
        unit_px = crops.SIDE / side
        found, correlation = _refined(*small, found, unit_px)
    a, b, right, down = found
    return Move(right, down, float(np.degrees(np.arctan2(b, a))), float(np.hypot(a, b)), correlation)


def _refined(ours: np.ndarray, theirs: np.ndarray, found: np.ndarray, unit_px: float) -> tuple[np.ndarray, float]:
    side = len(ours)
    y, x = np.mgrid[:side, :side]
    x, y = (x - (side - 1) / 2) * unit_px, (y - (side - 1) / 2) * unit_px
    down, right = np.gradient(theirs)
    correlation = 0.0
    for _ in range(STEPS):
        a, b, tx, ty = found
        column = (a * x - b * y + tx) / unit_px + (side - 1) / 2
        row = (b * x + a * y + ty) / unit_px + (side - 1) / 2
        # A black border is where a photo ended: it moves with neither.
        inside = (column >= 0) & (column <= side - 1) & (row >= 0) & (row <= side - 1) & (ours > 0)
        if inside.sum() < side:
            return found, -1.0
        value, gx, gy = (_at(image, row[inside], column[inside]) for image in (theirs, right, down))
        gx, gy = gx / unit_px, gy / unit_px
        mine, px, py = ours[inside], x[inside], y[inside]
        # theirs(moved) + step ~ gain * ours + offset
        slopes = np.stack([gx * px + gy * py, gy * px - gx * py, gx, gy, -mine, -np.ones_like(mine)], axis=1)
        step = np.linalg.lstsq(slopes, -value, rcond=None)[0]
        found = found + step[:4]
        correlation = float(np.corrcoef(value, mine)[0, 1])
        if np.abs(step[2:4]).max() < 1e-3:
            break
    return found, correlation


def _at(image: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Bilinear."""
    top, left = np.minimum(row.astype(int), len(image) - 2), np.minimum(column.astype(int), len(image) - 2)
    r, c = row - top, column - left
    upper = image[top, left] * (1 - c) + image[top, left + 1] * c
    lower = image[top + 1, left] * (1 - c) + image[top + 1, left + 1] * c
    return upper * (1 - r) + lower * r


class Theirs:
    """The other alignment's crops, by the names of ours: a folder or .zip with the same names, or a ``.bin`` in the
    order of a list of pairs."""

    def __init__(self, path: Path, ours: crops.Crops, pairs: Path | None) -> None:
        self._where = {_key(name): name for name in ours.names}
        if len(self._where) < len(ours.names):
            raise DataError("--ours has two crops of one name in folders of one name: whose is meant cannot be told")
        self._read: dict[str, Any] = {}
        if path.suffix != ".bin":
            faces = crops.Crops(path)
            there = {_key(name): name for name in faces.names}
            self._read = {
                name: (lambda theirs=there[key]: faces.read(theirs))
                for key, name in self._where.items() if key in there
            }  # fmt: skip
            return
        if pairs is None:
            raise UsageError("a .bin has no names: give the list of pairs that it was made of, such as LFW's pairs.txt")
        images, _ = bin_file.read(path)
        first, second, _, _ = evaluate.read_pairs(pairs, ours.names)
        if 2 * len(first) != len(images):
            raise DataError(f"{path} has {len(images)} images, {pairs} {len(first)} pairs: it was made of another list")
        for number, place in enumerate(np.stack([first, second], axis=1).ravel()):
            if place >= 0:
                self._read[ours.names[place]] = lambda n=number: decode(images[n], f"{path}, image {n}")

    @property
    def names(self) -> list[str]:
        """Ours of which there is one of theirs, in our order."""
        return [name for name in self._where.values() if name in self._read]

    def read(self, name: str) -> np.ndarray:
        """(112, 112, 3) uint8."""
        return self._read[name]()


def _key(name: str) -> tuple[str, str]:
    """A crop's folder and name without its ending: two people may have a photo of one name."""
    path = Path(name)
    return path.parent.name, path.stem


def spread(moves: list[Move]) -> dict[str, dict[str, float]]:
    """Median, and the 5th and 95th percentile, of each number of those that match."""
    good = [one for one in moves if one.correlation >= SAME]
    if len(good) * 2 < len(moves):
        raise DataError(
            f"{len(moves) - len(good)} of {len(moves)} crops are not of the same photo: other names, another list of "
            "pairs, or no faces"
        )
    found = {}
    for name in ("right_px", "down_px", "degrees", "scale"):
        values = np.array([getattr(one, name) for one in good])
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
        found[name] = {"median": float(middle), "p5": float(low), "p95": float(high)}
    return found | {"crops": {"compared": len(moves), "matching": len(good)}}


def cost(embedder: evaluate.Embedder, ours: crops.Crops, theirs: Theirs, names: list[str]) -> dict[str, list]:
    """TMR over all pairs by whose crops are compared: ours, theirs, and one of each."""
    tables = {"ours": _features(embedder, ours.read, names), "theirs": _features(embedder, theirs.read, names)}
    people = crops.owners(names)
    rows = {kind: scores.all_pairs(table, people) for kind, table in tables.items()}
    # Each photo is drawn once: the even ones as we align them, the odd ones as they do.
    mixed = np.where(np.arange(len(names))[:, None] % 2 == 0, tables["ours"], tables["theirs"])
    rows["every other one"] = scores.all_pairs(mixed, people)
    return {kind: [vars(row) for row in found] for kind, found in rows.items()}


def _features(embedder: evaluate.Embedder, read: Any, names: list[str]) -> np.ndarray:
    starts = range(0, len(names), 64)
    batches = (crops.to_input(np.stack([read(name) for name in names[start : start + 64]])) for start in starts)
    return unit(embedder(batches))


def describe(answer: dict[str, Any]) -> str:
    """The answer as lines for people."""
    out = io.StringIO()
    counts = answer["shift"]["crops"]
    print(f"{counts['compared']} crops, {counts['matching']} of one photo; theirs lie, seen from ours:", file=out)
    for name, row in answer["shift"].items():
        if name != "crops":
            print(f"{name}: {row['median']:.3f} (5 % {row['p5']:.3f}, 95 % {row['p95']:.3f})", file=out)
    for kind, rows in answer.get("cost", {}).items():
        told = ", ".join(f"{scores.Operating(**row)} at FMR {row['fmr']:.0e}" for row in rows)
        print(f"{kind}: TMR {told or 'not told: too few pairs'}", file=out)
    return out.getvalue().rstrip()


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train shift``."""
    parser = subparsers.add_parser("shift", help="how far another alignment's crops lie from ours, and what it costs")
    parser.add_argument("--ours", type=Path, required=True, help="crops by `arcdoor-lab crop`: a folder or .zip")
    parser.add_argument("--theirs", type=Path, required=True, help="crops of the same names, or an insightface .bin")
    parser.add_argument("--pairs", type=Path, help="of a .bin: the list of pairs that it was made of")
    parser.add_argument("--model", type=Path, help="an .onnx file, a pack, a checkpoint or a run: what it costs it")
    parser.add_argument("--count", type=int, default=500, help="crops whose move is sought")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if options.count < 1:
        raise UsageError("--count is 1 or more")
    ours = crops.Crops(options.ours)
    theirs = Theirs(options.theirs, ours, options.pairs)
    names = theirs.names
    if not names:
        raise DataError(f"{options.theirs} has no crop with a name of {options.ours}")
    some = [names[n] for n in np.unique(np.linspace(0, len(names) - 1, min(options.count, len(names))).astype(int))]
    answer: dict[str, Any] = {"shift": spread([move(ours.read(name), theirs.read(name)) for name in some])}
    if options.model:
        answer["cost"] = cost(evaluate.Embedder(options.model, options.threads), ours, theirs, names)
    print(describe(answer))
    if options.json:
        text = json.dumps(answer, indent=2) + "\n"
        checkpoint.write_file(options.json, lambda file: file.write(text.encode()))
    return 0
