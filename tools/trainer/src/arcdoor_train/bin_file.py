"""insightface's verification sets (``lfw.bin``, ...): a pickle of (encoded images, same-person flags), two images
a pair. The pickle is parsed, never executed: a handful of opcodes build bytes, booleans, lists and tuples, and any
other opcode refuses the file."""

import io
import pickletools
from pathlib import Path
from typing import Any

from arcdoor_train.errors import DataError

MAX_BYTES = 4 << 30
MAX_IMAGES = 1_000_000

_IGNORED = {"PROTO", "FRAME"}
_VALUES = {
    "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "SHORT_BINSTRING", "BINSTRING", "STRING",
    "BININT", "BININT1", "BININT2", "LONG1", "INT",
}  # fmt: skip
_MARK = object()


def read(path: str | Path) -> tuple[list[bytes], list[bool]]:
    """The encoded images and, for each two of them, whether they show one person. Raises ``DataError``."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path} is larger than {MAX_BYTES} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error}") from error
    return parse(content, str(path))


def parse(content: bytes, name: str = "the file") -> tuple[list[bytes], list[bool]]:
    """``read`` for bytes in hand."""
    try:
        value = _build(content)
    except (ValueError, IndexError, KeyError, TypeError, UnicodeError, OverflowError) as error:
        raise DataError(f"{name} is no insightface .bin: {error}") from error
    if not isinstance(value, tuple) or len(value) != 2 or not all(isinstance(part, list) for part in value):
        raise DataError(f"{name} is no insightface .bin: not a pair of lists")
    images, same = value
    if len(images) != 2 * len(same) or not same or len(images) > MAX_IMAGES:
        raise DataError(f"{name}: {len(images)} images for {len(same)} pairs")
    if not all(isinstance(image, bytes) for image in images):
        raise DataError(f"{name}: an image that is no string of bytes")
    if not all(isinstance(flag, bool) or (isinstance(flag, int) and flag in (0, 1)) for flag in same):
        raise DataError(f"{name}: a flag that is neither true nor false")
    return images, [bool(flag) for flag in same]


def _build(content: bytes) -> Any:  # noqa: PLR0912  one branch an opcode
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for opcode, argument, _ in pickletools.genops(io.BytesIO(content)):
        code = opcode.name
        if code in _IGNORED:
            continue
        if code in _VALUES:
            stack.append(argument.encode("latin-1") if isinstance(argument, str) else argument)
        elif code in ("NEWTRUE", "NEWFALSE"):
            stack.append(code == "NEWTRUE")
        elif code == "MARK":
            stack.append(_MARK)
        elif code == "EMPTY_LIST":
            stack.append([])
        elif code == "APPEND":
            item = stack.pop()
            _list(stack[-1]).append(item)
        elif code == "APPENDS":
            items = _to_mark(stack)
            _list(stack[-1]).extend(items)
        elif code == "LIST":
            stack.append(_to_mark(stack))
        elif code == "TUPLE":
            stack.append(tuple(_to_mark(stack)))
        elif code == "TUPLE2":
            stack[-2:] = [(stack[-2], stack[-1])]
        elif code == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif code in ("BINPUT", "LONG_BINPUT", "PUT"):
            memo[argument] = stack[-1]
        elif code in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(memo[argument])
        elif code == "STOP":
            return stack.pop()
        else:
            raise ValueError(f"it holds the instruction {code}, which none of these files needs; it is not run")
    raise ValueError("it has no end")


def _list(value: Any) -> list:
    if not isinstance(value, list):
        raise TypeError("an item for what is no list")
    return value


def _to_mark(stack: list[Any]) -> list[Any]:
    items: list[Any] = []
    while (item := stack.pop()) is not _MARK:
        items.append(item)
    items.reverse()
    return items
