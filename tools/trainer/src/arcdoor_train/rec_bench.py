"""``bench-rec``: what it costs to open a ``.rec`` of many images. It writes one of tiny images itself."""

import argparse
import io
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from arcdoor_train import data
from arcdoor_train.data import recordio
from arcdoor_train.errors import DiskError, UsageError


def write(path: Path, images: int, identities: int) -> None:
    """A set of ``images`` grey crops of about 800 bytes, spread over ``identities``."""
    faces = []
    for grey in range(64):
        buffer = io.BytesIO()
        Image.fromarray(np.full((112, 112, 3), 4 * grey, np.uint8)).save(buffer, "JPEG", quality=30)
        faces.append(buffer.getvalue())
    each, more = divmod(images, identities)
    writer = recordio.Writer(path, [each + (n < more) for n in range(identities)])
    for n in range(images):
        writer.add(faces[n % 64])
    writer.close()


def measure(path: Path, work: Callable[[Path], int]) -> tuple[float, float, int]:
    """Seconds of ``work`` in a process of its own, by how many megabytes its memory grew at most, and its answer."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(_measured, (path, work))


def _measured(path: Path, work: Callable[[Path], int]) -> tuple[float, float, int]:
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew: importing torch has a higher one
    before, began = _memory("VmRSS"), time.monotonic()
    answer = work(path)
    return time.monotonic() - began, _memory("VmHWM") - before, answer


def _memory(field: str) -> float:
    """Megabytes of this process."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def open_set(path: Path) -> int:
    """Opens the set; its images."""
    return len(data.open(path, data.ALIGNMENT))


def hash_set(path: Path) -> int:
    """Opens the set and hashes its keys and labels, as a run does once; its images."""
    found = data.open(path, data.ALIGNMENT)
    return len(found.fingerprint) and len(found)


def read_images(path: Path) -> int:
    """Opens the set and decodes 10,000 images at random; how many."""
    found = data.open(path, data.ALIGNMENT)
    some = np.random.default_rng(1).integers(0, len(found), 10_000)
    return sum(found.read(int(n)).shape == (112, 112, 3) for n in some)


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train bench-rec``."""
    parser = subparsers.add_parser("bench-rec", help="time and memory of opening a .rec of many tiny images")
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--identities", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, help="where the set is written, and removed [default: a temporary one]")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if not 2 <= options.identities <= options.images:
        raise UsageError("--identities is at least 2, --images at least as many")
    try:
        folder = Path(tempfile.mkdtemp(prefix="bench-rec-", dir=options.folder))
    except OSError as error:
        raise UsageError(f"--folder {options.folder}: {error}") from error
    try:
        _report(folder / "train.rec", options.images, options.identities)
    except OSError as error:
        raise DiskError(f"cannot write into {folder}: {error}; name another --folder") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _report(path: Path, images: int, identities: int) -> None:
    began = time.monotonic()
    write(path, images, identities)
    size, seconds = path.stat().st_size / 1e6, time.monotonic() - began
    print(f"{images} images of {identities} identities, {size:.0f} MB, written in {seconds:.1f} s")
    print("| step | seconds | memory grows by MB |\n|---|---|---|")
    steps = (
        ("open, labels read from headers", open_set),
        ("open again, labels kept", open_set),
        ("open and hash keys and labels", hash_set),
        ("open and decode 10000 at random", read_images),
    )
    for name, work in steps:
        seconds, grown, _ = measure(path, work)
        print(f"| {name} | {seconds:.2f} | {grown:.0f} |", flush=True)
