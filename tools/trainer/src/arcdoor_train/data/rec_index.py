"""Which records of a ``.rec`` are images, where they lie, and whose they are: read once, then kept in a file.

The file, ``train.rec.images-HASH.npy``, is an int64 array (3, images) of record numbers, byte offsets and labels; all
processes of a machine map the same pages of it. It lies beside the set, or in the user's cache where the set's folder
cannot be written. HASH is of the sizes and times of ``.rec`` and ``.idx``: another set has another file.
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from arcdoor_train.data import recordio
from arcdoor_train.errors import DataError

#: float32, the labels' type, has every whole number up to here; record 0 of a larger set is rounded.
_EXACT = 1 << 24


def load(path: Path) -> np.ndarray:
    """(3, images) int64, read-only: record numbers in order, offsets, labels 0, 1, 2, ... without gaps. Raises
    ``DataError`` for a set that is cut, an index that does not belong to it, labels with gaps."""
    places = _places(path)
    # Processes of one machine that begin together: the first one reads, the others wait for its file.
    with _alone(path.with_suffix(".idx")):
        for place in places:
            found = _kept(place)
            if found is not None:
                return found
        table = _read(path)
        for place in places:
            if _keep(place, table):
                _drop_earlier(places[0])
                kept = _kept(place)
                return table if kept is None else kept
    print(f"note: the labels of {path} can be kept neither beside it nor in {cache_dir()}", file=sys.stderr)
    return table


def cache_dir() -> Path:
    """The user's cache: ``ARCDOOR_CACHE``, ``XDG_CACHE_HOME/arcdoor`` or ``~/.cache/arcdoor``."""
    named, shared = os.environ.get("ARCDOOR_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if named:
        return Path(named)
    return (Path(shared) if shared else Path.home() / ".cache") / "arcdoor"


def _places(path: Path) -> list[Path]:
    files = [path, path.with_suffix(".idx")]
    state = "".join(f" {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files)
    beside = hashlib.sha256(state.encode()).hexdigest()[:16]
    cached = hashlib.sha256((str(path.resolve()) + state).encode()).hexdigest()[:16]
    return [
        path.with_name(f"{path.name}.images-{beside}.npy"),
        cache_dir() / "labels" / f"{path.name}.images-{cached}.npy",
    ]


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    with open(file, "rb") as held:
        with contextlib.suppress(OSError):  # A file system without locks: each process reads for itself.
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _kept(place: Path) -> np.ndarray | None:
    try:
        table = np.load(place, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return np.asarray(table) if table.ndim == 2 and len(table) == 3 and table.dtype == np.int64 else None


def _keep(place: Path, table: np.ndarray) -> bool:
    """Writes the file whole or not at all."""
    part = place.with_name(f"{place.name}.{os.getpid()}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            np.save(file, table)
        os.replace(part, place)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        return False
    return True


def _drop_earlier(place: Path) -> None:
    """Removes the files beside the set that are of earlier states of it."""
    name = place.name.rpartition(".images-")[0]
    for old in place.parent.glob(f"{glob.escape(name)}.images-*.npy"):
        if old != place:
            with contextlib.suppress(OSError):
                old.unlink()


def _read(path: Path) -> np.ndarray:
    listed = path.with_suffix(".idx")
    try:
        numbers, offsets = recordio.index(listed)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    order = np.argsort(numbers, kind="stable")
    numbers, offsets = numbers[order], offsets[order]
    if (numbers[1:] == numbers[:-1]).any():
        raise DataError(f"{listed} lists a record twice: it does not belong to {path.name}, or was joined of two")
    size = path.stat().st_size
    file = os.open(path, os.O_RDONLY)
    try:
        labels = recordio.labels(file, offsets, size)
        _refuse_damage(path, file, size, numbers, offsets, labels)
        first, last = _images(path, file, numbers, offsets)
    finally:
        os.close(file)
    chosen = slice(*np.searchsorted(numbers, [first, last]))
    numbers, offsets, labels = numbers[chosen], offsets[chosen], labels[chosen]
    if len(numbers) != last - first:
        raise DataError(
            f"{listed} lists {len(numbers)} of the {last - first} images that record 0 of {path.name} names: it was "
            "cut, or belongs to another set"
        )
    _refuse_gaps(path, numbers, labels)
    return np.stack([numbers, offsets, labels.astype(np.int64)])


def _refuse_damage(
    path: Path, file: int, size: int, numbers: np.ndarray, offsets: np.ndarray, labels: np.ndarray
) -> None:
    bad = np.flatnonzero(np.isnan(labels))
    if not len(bad):
        return
    n = bad[np.argmin(offsets[bad])]
    what = f"record {numbers[n]} at byte {offsets[n]}, where {path.with_suffix('.idx').name} has it"
    if recordio.is_cut(file, int(offsets[n]), size):
        raise DataError(
            f"{path} is cut: it ends at byte {size}, not after {what}; {len(bad)} of {len(numbers)} records are "
            "missing or not whole: copy it again"
        )
    raise DataError(f"{path} has no {what}: the index belongs to another set, or the set is damaged")


def _images(path: Path, file: int, numbers: np.ndarray, offsets: np.ndarray) -> tuple[int, int]:
    """The first image's record number, and one past the last's."""

    def record(number: int) -> tuple[list[float], bytes] | None:
        place = int(np.searchsorted(numbers, number))
        if place == len(numbers) or numbers[place] != number:
            return None
        return recordio.unpack(recordio.joined(lambda *what: recordio.exactly(file, *what), int(offsets[place])))

    def is_image(number: int) -> bool:
        found = record(number)
        return found is not None and bool(found[1])

    head = record(0)
    if head is None:
        raise DataError(f"{path.with_suffix('.idx')} lists no record 0, which says which records are images")
    about, image = head
    if image or len(about) != 2:
        return (0 if image else 1), int(numbers[-1]) + 1
    last = int(about[0])
    if last > _EXACT:
        while is_image(last):
            last += 1
        while last > 1 and not is_image(last - 1):
            last -= 1
    return 1, last


def _refuse_gaps(path: Path, numbers: np.ndarray, labels: np.ndarray) -> None:
    wrong = np.flatnonzero((labels < 0) | (labels != np.floor(labels)) | (labels > np.iinfo(np.int32).max))
    if len(wrong):
        n = wrong[0]
        raise DataError(f"{path}: record {numbers[n]} has the label {labels[n]}; labels are 0, 1, 2, ...")
    used = np.unique(labels.astype(np.int64))
    if len(used) and used[-1] + 1 != len(used):
        absent = int(np.argmax(used != np.arange(len(used))))
        raise DataError(
            f"{path}: labels reach {used[-1]}, but {used[-1] + 1 - len(used)} of them have no image, the first is "
            f"{absent}: images were left out of the set without numbering the labels anew, or it was cut"
        )
