"""RecordIO, the form of insightface's ``.rec`` and ``.idx`` (dmlc-core, src/recordio.cc).

A record lies in one part or several. A part is the magic word, a word whose upper 3 bits say which part it is and
whose lower 29 give its length, and the content, padded to 4 bytes. The writer cuts a record wherever the magic word
stands in it at a multiple of 4 bytes; the reader puts the word back. About 1 in 3 million JPEG files holds it.

A record of an image is an IRHeader (flag, label, id, id2; 24 bytes), ``flag`` further labels, and the encoded image.
"""

import contextlib
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

_MAGIC_WORD = 0xCED7230A
MAGIC = struct.pack("<I", _MAGIC_WORD)
#: Which part of a record: all of it, the first, one between, the last.
WHOLE, FIRST, MIDDLE, LAST = range(4)
#: No record of a crop is larger.
MAX_BYTES = 16 << 20
#: Both words of a part.
HEAD = 8
#: What of a record tells its label: the words of its part, the IRHeader, and the first of further labels.
PROBE = HEAD + 24 + 4
_LENGTH = (1 << 29) - 1
#: As much of the file is read at once. In sets of crops a header comes every few thousand bytes, so that reading on
#: costs a disk less than jumping from header to header.
_BLOCK = 4 << 20


class NoRecord(ValueError):
    """Where a record was to begin or to go on, none does."""


def joined(read: Callable[[int, int], bytes], offset: int) -> bytes:
    """The content of the record at ``offset``, all its parts. ``read(offset, size)`` gives that many bytes or raises
    ``OSError``. Raises ``NoRecord``."""
    parts: list[bytes] = []
    total = 0
    while True:
        magic, word = struct.unpack("<II", read(offset, HEAD))
        part, length = word >> 29, word & _LENGTH
        total += length + 4
        expected = (WHOLE, FIRST) if not parts else (MIDDLE, LAST)
        if magic != _MAGIC_WORD or part not in expected or total > MAX_BYTES:
            raise NoRecord(f"no record {'goes on' if parts else 'begins'} at byte {offset}")
        parts.append(read(offset + HEAD, length))
        offset += HEAD + length + -length % 4
        if part in (WHOLE, LAST):
            return MAGIC.join(parts)


def unpack(content: bytes) -> tuple[list[float], bytes]:
    """Labels and encoded image of a record. Raises ``NoRecord`` where it is too short for what its header says."""
    flag, label = struct.unpack_from("<If", content.ljust(24, b"\0"))
    image = 24 + 4 * flag
    if len(content) < image:
        raise NoRecord(f"{len(content)} bytes are too few for a header with {flag} labels")
    return list(struct.unpack_from(f"<{flag}f", content, 24)) if flag else [label], content[image:]


def labels(file: int, offsets: np.ndarray, size: int) -> np.ndarray:
    """The first label (n,) float64 of the records at ``offsets`` (n,), from their headers alone: ``file``, a
    descriptor of ``size`` bytes, is read once in order, in blocks. NaN where no record begins, or where the next of
    ``offsets``, or the file's end, comes before the record's."""
    found = np.full(len(offsets), np.nan)
    inside = np.flatnonzero((offsets >= 0) & (offsets <= size - HEAD) & (offsets % 4 == 0))
    order = inside[np.argsort(offsets[inside], kind="stable")]
    ordered = offsets[order]
    limits = np.append(ordered[1:], size)
    start = 0
    while start < len(ordered):
        stop = max(int(np.searchsorted(ordered, ordered[start] + _BLOCK)), start + 1)
        found[order[start:stop]] = _block(file, ordered[start:stop], limits[start:stop])
        start = stop
    return found


def _block(file: int, offsets: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """``labels`` of neighbours. The first part of each record must end by its one of ``limits``."""
    first = int(offsets[0])
    raw = os.pread(file, int(offsets[-1]) - first + PROBE, first)
    words = np.frombuffer(raw + bytes(PROBE + -len(raw) % 4), "<u4")
    rows = words[np.minimum((offsets - first) // 4, len(raw) // 4)[:, None] + np.arange(PROBE // 4)]
    part, length, flag = rows[:, 1] >> 29, (rows[:, 1] & _LENGTH).astype(np.int64), rows[:, 2]
    ends = offsets + HEAD + length + -length % 4
    begins = (rows[:, 0] == _MAGIC_WORD) & ((part == WHOLE) | (part == FIRST)) & (ends <= limits)
    plain = begins & (length >= np.where(flag == 0, 24, 28))
    floats = rows.view("<f4")
    found = np.where(plain, np.where(flag == 0, floats[:, 3], floats[:, 8]), np.nan)
    # The magic word stands in the header itself, so that the header is in several parts.
    for n in np.flatnonzero(begins & ~plain & (part == FIRST)):
        with contextlib.suppress(NoRecord, OSError):
            found[n] = unpack(joined(lambda at, count: exactly(file, at, count), int(offsets[n])))[0][0]
    return found


def exactly(file: int, offset: int, size: int) -> bytes:
    """``size`` bytes from ``offset`` on. Raises ``OSError`` where there are fewer."""
    content = os.pread(file, size, offset)
    if len(content) != size:
        raise OSError("the file ends early")
    return content


def is_cut(file: int, offset: int, size: int) -> bool:
    """Whether a record begins at ``offset``, or may have begun there, and ``file`` of ``size`` bytes ends in it."""
    if offset > size - HEAD:
        return True
    magic, word = struct.unpack("<II", exactly(file, offset, HEAD))
    return magic == _MAGIC_WORD and offset + HEAD + (word & _LENGTH) > size


def index(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The record numbers (n,) and byte offsets (n,), int64, of an ``.idx``. Raises ``ValueError``."""
    if not path.stat().st_size:
        raise ValueError(f"{path.name} is empty")
    try:
        table = np.loadtxt(path, np.int64, delimiter="\t", ndmin=2, comments=None)
    except ValueError as error:
        raise ValueError(f"{path.name} is no index, NUMBER and OFFSET by tabs: {error}") from error
    if table.shape[1] != 2:
        raise ValueError(f"{path.name} has {table.shape[1]} columns; an index has NUMBER and OFFSET")
    return np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1])


def parts(content: bytes) -> bytes:
    """A record as dmlc's writer puts it into a file."""
    out: list[bytes] = []
    begin, at = 0, content.find(MAGIC)
    while 0 <= at < len(content) - len(content) % 4:
        if at % 4 == 0:
            out += [MAGIC, struct.pack("<I", (MIDDLE if begin else FIRST) << 29 | at - begin), content[begin:at]]
            begin = at + 4
        at = content.find(MAGIC, at + (4 if at % 4 == 0 else 1))
    kind = LAST if begin else WHOLE
    out += [MAGIC, struct.pack("<I", kind << 29 | len(content) - begin), content[begin:], bytes(-len(content) % 4)]
    return b"".join(out)


class Writer:
    """Writes ``NAME.rec`` and ``NAME.idx`` as insightface does: record 0 tells the image records' end and the
    identities' end, image records follow, then one record an identity with the numbers of its images."""

    def __init__(self, path: Path, counts: list[int]) -> None:
        """``counts``: how many images each identity will have; ``add`` takes them in that order."""
        self._rec, self._idx = open(path, "wb"), open(path.with_suffix(".idx"), "w")  # noqa: SIM115 - see close
        self._number, self._labels = 0, np.repeat(np.arange(len(counts)), counts)
        self._ends = np.cumsum(counts) + 1
        images = len(self._labels)
        self._put([float(images + 1), float(images + 1 + len(counts))], b"")

    def add(self, image: bytes) -> None:
        """The next encoded image."""
        self._put(float(self._labels[self._number - 1]), image)

    def close(self) -> None:
        """Writes the identities' records and closes both files."""
        for start, stop in zip([1, *self._ends[:-1]], self._ends, strict=True):
            self._put([float(start), float(stop)], b"")
        self._rec.close()
        self._idx.close()

    def _put(self, label: float | list[float], image: bytes) -> None:
        more = label if isinstance(label, list) else []
        header = struct.pack("<IfQQ", len(more), 0.0 if more else label, self._number, 0)
        self._idx.write(f"{self._number}\t{self._rec.tell()}\n")
        self._rec.write(parts(header + struct.pack(f"<{len(more)}f", *more) + image))
        self._number += 1
