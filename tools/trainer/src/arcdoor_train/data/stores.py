"""Where the bytes lie: folders, zip and tar shards, insightface's .rec. All are read in place, by any process."""

import os
import struct
import tarfile
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from arcdoor_train.errors import DataError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
_REC_MAGIC = 0xCED7230A
_REC_LENGTH = (1 << 29) - 1


@dataclass
class Store:
    """Images in a fixed order: their names, their identities, and how to fetch the n-th."""

    keys: list[str]
    groups: list[str]
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
    return Store([row[0] for row in rows], [row[1] for row in rows], lambda n: fetch(places[n]), declaration)


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
            inner = PurePosixPath(info.filename)
            if inner.name == "dataset.toml":
                declaration = archive.read(info).decode("utf-8")
            if info.is_dir() or inner.suffix.lower() not in SUFFIXES or len(inner.parts) < 2:
                continue
            rows.append((info.filename, inner.parent.name, info))

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
            inner = PurePosixPath(member.name)
            if inner.name == "dataset.toml" and member.isfile():
                declaration = handle.read(member.offset_data, member.size).decode("utf-8")
            if not member.isfile() or inner.suffix.lower() not in SUFFIXES or len(inner.parts) < 2:
                continue
            rows.append((member.name, inner.parent.name, (member.offset_data, member.size)))
    return _sorted(rows, lambda place: handle.read(*place), declaration)


def _rec(path: Path) -> Store:
    """insightface's RecordIO: an IRHeader (flag, label, id, id2) before each image. Record 0 tells which records are
    images; those after them describe the identities."""
    handle = _Handle(path)
    index = path.with_suffix(".idx")
    if not index.is_file():
        raise DataError(f"{path} needs {index.name} beside it")
    offsets = {}
    for line in index.read_text().splitlines():
        key, _, offset = line.partition("\t")
        offsets[int(key)] = int(offset)
    size = path.stat().st_size

    def record(offset: int) -> tuple[list[float], bytes]:
        magic, packed = struct.unpack("<II", handle.read(offset, 8))
        length = packed & _REC_LENGTH
        if magic != _REC_MAGIC or packed >> 29 or length < 24 or offset + 8 + length > size:
            raise OSError(f"no whole record at byte {offset}")
        content = handle.read(offset + 8, length)
        flag, label = struct.unpack("<If", content[:8])
        if flag == 0:
            return [label], content[24:]
        return list(struct.unpack(f"<{flag}f", content[24 : 24 + 4 * flag])), content[24 + 4 * flag :]

    if 0 not in offsets:
        raise DataError(f"{index} lists no record 0")
    first, image = record(offsets[0])
    last = int(first[0]) if not image and len(first) == 2 else max(offsets) + 1
    numbers = [key for key in sorted(offsets) if 0 < key < last or (key == 0 and image)]
    keys, groups = [], []
    for key in numbers:
        label = record(offsets[key])[0][0]
        if label < 0 or label != int(label):
            raise DataError(f"{path}: record {key} has the label {label}; labels are 0, 1, 2, ...")
        keys.append(f"{path.name}:{key}")
        groups.append(f"{int(label):09}")
    return Store(keys, groups, lambda n: record(offsets[numbers[n]])[1])
