"""Where the bytes lie: folders, zip and tar shards, insightface's .rec. All are read in place, by any process."""

import os
import struct
import tarfile
import threading
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from arcdoor_train.data import rec_index, recordio
from arcdoor_train.errors import DataError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


@dataclass
class Store:
    """Images in a fixed order: their names, their identities, and how to fetch the n-th."""

    keys: Sequence[str]
    #: (n,) int64, the places of the images' identities in ``identities``.
    labels: np.ndarray
    identities: list[str]
    fetch: Callable[[int], bytes]
    #: The text of the dataset.toml inside, if there is one.
    declaration: str | None = None


def open_store(path: Path) -> Store:
    """Raises ``DataError`` for what is none of the known forms, or damaged."""
    if path.is_dir():
        return _folder(path)
    opener = {".zip": _zip, ".tar": _tar, ".rec": _rec}.get(path.suffix.lower())
    if opener is None:
        raise DataError(f"{path}: a data set is a folder, a .zip, an uncompressed .tar, or a .rec with its .idx")
    try:
        return opener(path)
    except (OSError, zipfile.BadZipFile, tarfile.TarError, struct.error, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}") from error


def identity(name: str) -> str | None:
    """Whose image the file ``name`` of a zip or tar is: that of its folder. None where it is no image, or in none."""
    inner = PurePosixPath(name)
    return inner.parent.name if inner.suffix.lower() in SUFFIXES and len(inner.parts) > 1 else None


class _Handle:
    """An open file for each process and thread: offsets are not shared."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()

    def read(self, offset: int, size: int) -> bytes:
        if getattr(self._local, "pid", None) != os.getpid():
            self._local.file = open(self.path, "rb")  # noqa: SIM115 - lives as long as its process
            self._local.pid = os.getpid()
        self._local.file.seek(offset)
        content = self._local.file.read(size)
        if len(content) != size:
            raise OSError(f"{self.path} ends early")
        return content

    def __getstate__(self) -> dict:
        return {"path": self.path}

    def __setstate__(self, state: dict) -> None:
        self.__init__(state["path"])


def _sorted(rows: list[tuple[str, str, object]], fetch: Callable[[object], bytes], declaration: str | None) -> Store:
    rows.sort(key=lambda row: row[0])
    places = [place for _, _, place in rows]
    identities = sorted({row[1] for row in rows})
    number = {name: n for n, name in enumerate(identities)}
    labels = np.array([number[row[1]] for row in rows], dtype=np.int64)
    return Store([row[0] for row in rows], labels, identities, lambda n: fetch(places[n]), declaration)


def _folder(path: Path) -> Store:
    rows = []
    for name in sorted(os.listdir(path)):
        inner = path / name
        if not inner.is_dir():
            continue
        for image in sorted(os.listdir(inner)):
            if Path(image).suffix.lower() in SUFFIXES:
                rows.append((f"{name}/{image}", name, inner / image))
    return _sorted(rows, lambda place: place.read_bytes(), None)


def _zip(path: Path) -> Store:
    handle = _Handle(path)
    rows, declaration = [], None
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if PurePosixPath(info.filename).name == "dataset.toml":
                declaration = archive.read(info).decode("utf-8")
            whose = identity(info.filename)
            if whose is not None and not info.is_dir():
                rows.append((info.filename, whose, info))

    def fetch(info: zipfile.ZipInfo) -> bytes:
        if info.compress_type == zipfile.ZIP_STORED:
            name, extra = struct.unpack("<HH", handle.read(info.header_offset + 26, 4))
            return handle.read(info.header_offset + 30 + name + extra, info.file_size)
        with zipfile.ZipFile(path) as archive:
            return archive.read(info)

    return _sorted(rows, fetch, declaration)


def _tar(path: Path) -> Store:
    handle = _Handle(path)
    rows, declaration = [], None
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            if PurePosixPath(member.name).name == "dataset.toml" and member.isfile():
                declaration = handle.read(member.offset_data, member.size).decode("utf-8")
            whose = identity(member.name)
            if whose is not None and member.isfile():
                rows.append((member.name, whose, (member.offset_data, member.size)))
    return _sorted(rows, lambda place: handle.read(*place), declaration)


@dataclass(frozen=True)
class Numbered(Sequence):
    """The keys of a ``.rec``, ``NAME:NUMBER``, made as they are asked for: millions of them are not kept."""

    name: str
    numbers: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> str:
        return f"{self.name}:{self.numbers[index]}"


def _rec(path: Path) -> Store:
    """insightface's RecordIO. Record 0 tells which records are images; those after them describe the identities."""
    handle = _Handle(path)
    if not path.with_suffix(".idx").is_file():
        raise DataError(f"{path} needs {path.with_suffix('.idx').name} beside it")
    numbers, offsets, labels = rec_index.load(path)
    identities = [f"{label:09}" for label in range(int(labels.max()) + 1)] if len(labels) else []

    def fetch(n: int) -> bytes:
        return recordio.unpack(recordio.joined(handle.read, int(offsets[n])))[1]

    return Store(Numbered(path.name, numbers), labels, identities, fetch)
