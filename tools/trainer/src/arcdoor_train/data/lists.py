"""Lists of images and whose they are, as ``clean`` and ``merge`` write them: never more than names and numbers, so that
sets stay as they are.

The first line says of which sets the list was made. Then a line an image, by tabs: its name, its label (0, 1, 2, ...
without gaps), its cosine to the identity's centre, the identity's name.
"""

import array
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arcdoor_train.errors import DataError

_HEAD = "# arcdoor-train list 1"


@dataclass(frozen=True)
class Rows:
    """A list that was read: 16 bytes an image."""

    #: ``Dataset.origin`` of the sets that it was made of.
    origin: str
    #: (n,) uint64 of the images' names.
    hashes: np.ndarray
    #: (n,) int64.
    labels: np.ndarray
    #: The identities' names, by label.
    names: list[str]


def hashes(keys: Iterable[str]) -> np.ndarray:
    """(n,) uint64: ten million names in 80 MB. Two of so many have one hash by chance once in 370,000 sets."""
    return np.fromiter(map(_hash, keys), np.uint64)


def _hash(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest())


def writable(names: Iterable[str]) -> None:
    """Raises ``DataError`` for a name that would break its line of a list."""
    for name in names:
        if "\t" in name or "\n" in name or "\r" in name:
            raise DataError(f"{name!r}: a list of images has no place for a tab or a line's end in a name; rename it")


def lines(
    origin: str, keys: Sequence[str], labels: np.ndarray, cosines: np.ndarray, names: Sequence[str]
) -> Iterator[bytes]:
    """The lines of a list; images with a label below 0 are left out. ``names`` are the identities' by label."""
    yield f"{_HEAD} {origin}\n".encode()
    for key, label, cosine in zip(keys, labels, cosines, strict=True):
        if label >= 0:
            yield f"{key}\t{label}\t{cosine:.4f}\t{names[label]}\n".encode()


def read(path: Path) -> Rows:
    """Raises ``DataError`` for what is no list, an image that is named twice, and labels with gaps."""
    found, labels, names = array.array("Q"), array.array("q"), {}
    try:
        with open(path, encoding="utf-8") as file:
            head = file.readline().rstrip("\n")
            if not head.startswith(_HEAD + " "):
                raise ValueError("its first line does not say of which sets it was made")
            for line in file:
                key, label, _, name = line.rstrip("\n").split("\t")
                found.append(_hash(key))
                labels.append(int(label))
                names.setdefault(labels[-1], name)
    except (OSError, ValueError, OverflowError) as error:
        raise DataError(f"cannot read {path} as a list of `arcdoor-train clean`: {error}") from error
    rows = Rows(head.split(" ")[-1], np.array(found), np.array(labels), _by_label(path, names))
    return _checked(path, rows)


def _by_label(path: Path, names: dict[int, str]) -> list[str]:
    if len(names) < 2 or sorted(names) != list(range(len(names))):
        raise DataError(f"{path}: labels are 0, 1, 2, ... without gaps, and at least two")
    return [names[label] for label in range(len(names))]


def _checked(path: Path, rows: Rows) -> Rows:
    order = np.argsort(rows.hashes, kind="stable")
    twice = np.flatnonzero(rows.hashes[order][1:] == rows.hashes[order][:-1])
    if len(twice):
        raise DataError(f"{path} names {key(path, int(order[twice[0] + 1]))} twice: an image is of one identity")
    return rows


def key(path: Path, row: int) -> str:
    """The name of the image in a row of a list that ``read`` has read."""
    with open(path, encoding="utf-8") as file:
        return next(itertools.islice(file, row + 1, None)).partition("\t")[0]
