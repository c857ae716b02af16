"""One run a folder: two that write into one at once would each spoil the other's."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from arcdoor_train.errors import DiskError, UsageError

_held: set[IO] = set()


def _let_go() -> None:
    """In a forked process: workers that outlive a killed run for some seconds must not hold its folder."""
    for file in _held:
        file.close()
    _held.clear()


os.register_at_fork(after_in_child=_let_go)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Holds ``FOLDER/lock``, and makes the folder. A process that ends, however it ends, lets go. Raises ``UsageError``
    where another holds it, ``DiskError`` where the folder cannot be written. On a file system without locks nobody
    holds."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / "lock", "ab")  # noqa: SIM115 - closed below
    except OSError as error:
        raise DiskError(f"cannot write into {folder}: {error}; name another folder") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"another run works in {folder}: wait for its end, or name another folder") from error
        except OSError:
            pass
        _held.add(file)
        try:
            yield
        finally:
            _held.discard(file)
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_UN)
