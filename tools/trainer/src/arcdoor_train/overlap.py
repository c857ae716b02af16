"""Who and what occurs twice: identities that are one person, evaluation people among those trained on, and images that
are copies of each other. By features; nothing here decides what goes."""

from collections.abc import Iterator

import numpy as np

from arcdoor_train.errors import UsageError

#: Pairs that a comparison gives at most: a limit below which strangers are alike would fill the disk with them.
MOST_PAIRS = 1_000_000
#: Cosines that a step holds: 64 MB.
_STEP_VALUES = 1 << 24


def centres(features: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """(classes, d) float32 unit-length means of the features (n, d), which may be mapped; zeros where an identity has
    no image with a feature. Labels below 0 are nobody's."""
    sums = np.zeros((classes, features.shape[1]), np.float32)
    for start in range(0, len(features), 65536):
        part, owners = np.asarray(features[start : start + 65536]), labels[start : start + 65536]
        good = np.isfinite(part).all(axis=1) & (owners >= 0)
        np.add.at(sums, owners[good], part[good])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.divide(sums, np.maximum(lengths, 1e-12), out=sums)


def alike(rows: np.ndarray, others: np.ndarray | None, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (m, 2) of unit-length ``rows`` and ``others`` with a cosine of ``least`` or more, the most alike first, and
    their cosines (m,). Without ``others`` rows are compared with each other, each pair once. Raises ``UsageError`` for
    more than ``MOST_PAIRS``."""
    pairs, cosines, count = [], [], 0
    step = max(_STEP_VALUES // max(len(rows if others is None else others), 1), 1)
    for start in range(0, len(rows), step):
        found = rows[start : start + step] @ (rows if others is None else others).T
        first, second = np.nonzero(found >= least)
        if others is None:
            later = second > first + start
            first, second = first[later], second[later]
        count += len(first)
        if count > MOST_PAIRS:
            raise UsageError(f"more than {MOST_PAIRS} pairs have a cosine of {least} or more: raise the limit")
        pairs.append(np.stack([first + start, second], axis=1))
        cosines.append(found[first, second])
    every, values = np.concatenate(pairs), np.concatenate(cosines)
    order = np.argsort(-values, kind="stable")
    return every[order], values[order]


def nearest(rows: np.ndarray) -> np.ndarray:
    """(n,) the cosine of each of two or more unit-length ``rows`` (n, d) to the most alike of the others."""
    found = np.empty(len(rows), np.float32)
    step = max(_STEP_VALUES // len(rows), 1)
    for start in range(0, len(rows), step):
        cosines = rows[start : start + step] @ rows.T
        cosines[np.arange(len(cosines)), start + np.arange(len(cosines))] = -2.0
        found[start : start + step] = cosines.max(axis=1)
    return found


def copies(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n,) whether an image is to go for its hash in ``images`` (n,), 0 for none. Of one identity's copies the first
    stays; of copies that two identities claim none does, since one of the two is wrong. Labels below 0 do not count."""
    numbers = np.flatnonzero((images != 0) & (labels >= 0))
    # By hash, then by place.
    order = numbers[np.argsort(images[numbers], kind="stable")]
    hashes, owners = images[order], labels[order]
    again = np.zeros(len(order), bool)
    again[1:] = hashes[1:] == hashes[:-1]
    group = np.cumsum(~again)
    claimed = np.zeros(len(order) + 1, bool)
    claimed[group[again & (owners != np.roll(owners, 1))]] = True
    found = np.zeros(len(images), bool)
    found[order[again | claimed[group]]] = True
    return found


def near_copies(features: np.ndarray, labels: np.ndarray, least: float) -> np.ndarray:
    """(n,) whether an image is to go, since an earlier one of its identity, which stays, has a cosine of ``least`` or
    more to it. ``features`` (n, d) of unit length, which may be mapped; labels below 0 do not count."""
    goes = np.zeros(len(labels), bool)
    for numbers in by_label(labels):
        mine = np.asarray(features[numbers], np.float32)
        step = max(_STEP_VALUES // len(mine), 1)
        for start in range(0, len(mine), step):
            close = np.tril(mine[start : start + step] @ mine.T >= least, start - 1)
            for row in np.flatnonzero(close.any(axis=1)):
                goes[numbers[start + row]] = (close[row] & ~goes[numbers]).any()
    return goes


def by_label(labels: np.ndarray) -> Iterator[np.ndarray]:
    """The places of each label's images that has two or more, in order; labels below 0 are left out."""
    order = np.argsort(labels, kind="stable")
    order = order[np.searchsorted(labels[order], 0) :]
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    yield from (numbers for numbers in np.split(order, cuts) if len(numbers) > 1)


def people(features: np.ndarray, names: list[str]) -> tuple[np.ndarray, list[str], list[int]]:
    """Unit-length means of the features of images by their folders' names, whose, and of how many images. Images in no
    folder are each somebody, and so are those of a single one."""
    folders = [name.rpartition("/")[0] or name for name in names]
    whose = folders if len(set(folders)) > 1 else names
    left, owners, sizes = np.unique(whose, return_inverse=True, return_counts=True)
    return centres(features, owners, len(left)), left.tolist(), sizes.tolist()
