"""Features of every image of a configuration's sets, in a folder, mapped into memory: ten million images of 512
numbers take 20 GB there, of which a part at a time is held. Several processes compute them; what is there is not
computed again, so that whatever stops it, the same command goes on.

``about.json`` says whose features they are; ``table.f32`` has a row of little-endian float32 an image, NaN where it
cannot be read; ``images.u64`` has a hash of each encoded image, 0 where it cannot be read; ``done.u8`` a byte a part.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import sys
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from arcdoor_train import checkpoint, config, crops, data, evaluate, lock
from arcdoor_train.errors import DataError, DiskError, TrainError, UsageError

#: Images of a part: what a stop costs at most, each process.
PART = 4096
_BATCH = 64


@dataclass(frozen=True)
class Job:
    """What a process needs to compute features: plain values, since each of several opens files itself."""

    wanted: config.Data
    seed: int
    #: An ONNX file, a pack, a checkpoint or a run.
    model: Path
    threads: int = 1


@dataclass(frozen=True)
class FeatureMap:
    """Features that are all there."""

    #: (n, d) float32 of unit length, mapped.
    features: np.ndarray
    #: (n,) uint64.
    images: np.ndarray


@dataclass(frozen=True)
class _Files:
    folder: Path
    images: int
    dimension: int
    #: Images of a part.
    part: int

    @property
    def parts(self) -> int:
        return -(-self.images // self.part)

    def sizes(self) -> dict[str, int]:
        """Bytes by file."""
        return {"table.f32": 4 * self.images * self.dimension, "images.u64": 8 * self.images, "done.u8": self.parts}

    def done(self) -> np.ndarray:
        return np.fromfile(self.folder / "done.u8", np.uint8)

    def open(self) -> FeatureMap:
        return FeatureMap(
            np.memmap(self.folder / "table.f32", "<f4", "r", shape=(self.images, self.dimension)),
            np.memmap(self.folder / "images.u64", "<u8", "r", shape=(self.images,)),
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What a command takes that makes a list by features. ``places`` reads it."""
    parser.add_argument("--out", type=Path, required=True, help="where the list goes, NAME.tsv; reports: NAME.report/")
    parser.add_argument("--features", type=Path, metavar="DIR", help="where features are kept [NAME.features/]")
    parser.add_argument("--processes", type=int, default=1, help="that compute features; each takes a GPU of its own")
    parser.add_argument("--threads", type=int, default=1, help="of each process")


def places(options: argparse.Namespace) -> tuple[Path, Path]:
    """The folders of the report and of the features. Raises ``UsageError`` for what cannot be."""
    if options.processes < 1 or options.threads < 1:
        raise UsageError("--processes and --threads are 1 or more")
    if options.out.is_dir():
        raise UsageError(f"--out {options.out} is a folder: name a file in it")
    return options.out.with_suffix(".report"), options.features or options.out.with_suffix(".features")


def needs(images: int, dimension: int, classes: int, centres: int, folder: Path) -> str:
    """What features, and cosines to so many centres of each of ``classes`` identities, take, as a line for people: said
    before hours of work."""
    near = next(path for path in [folder, *folder.absolute().parents] if path.exists())
    disk, free = sum(_Files(folder, images, dimension, PART).sizes().values()), shutil.disk_usage(near).free
    # Cosines and labels of each image; centres as they were read, and of unit length; what a step holds.
    memory = images * (4 * centres + 40) + 2 * 4 * classes * centres * dimension + 200_000_000
    return (
        f"{images} images of {classes} identities: features take {disk / 1e9:.1f} GB in {folder} "
        f"({free / 1e9:.1f} GB are free); memory {memory / 1e9:.1f} GB, and the network's in each process"
    )


def compute(folder: Path, job: Job, faces: data.Dataset, dimension: int, processes: int = 1) -> FeatureMap:
    """The features of ``faces``, which are the sets of ``job``; only those that ``folder`` lacks are computed. Raises
    ``DataError`` where it holds other features, ``DiskError`` where there is no room, ``UsageError`` where another run
    works in it."""
    files = _Files(folder, len(faces), dimension, PART)
    with lock.alone(folder):
        _begin(files, {"set": faces.fingerprint, "model": model_hash(job.model)})
        missing = np.flatnonzero(files.done() == 0).tolist()
        if missing:
            _fill(files, job, faces, missing, processes)
    return files.open()


def model_hash(model: Path) -> str:
    """Of the network's file and of what it takes."""
    path, preprocess = evaluate.located(model)
    if path.suffix != ".onnx":
        path = checkpoint.model_file(path)
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    except OSError as error:
        raise DataError(f"there is no network {path}: {error}") from error
    digest.update(repr(preprocess).encode())
    return digest.hexdigest()


def _begin(files: _Files, about: dict[str, str]) -> None:
    """Finds that the folder holds the beginnings of these features, or sets all room aside and says whose they are."""
    wanted = {"format": "arcdoor-train features 1", "images": files.images, "dimension": files.dimension, **about}
    told = files.folder / "about.json"
    if told.is_file():
        with contextlib.suppress(OSError, ValueError):
            sizes = {name: (files.folder / name).stat().st_size for name in files.sizes()}
            if json.loads(told.read_text(encoding="utf-8")) == wanted and sizes == files.sizes():
                return
        raise DataError(
            f"{files.folder} holds features of other images, by another network, or damaged ones: delete it, or name "
            "another folder"
        )
    needed, free = sum(files.sizes().values()), shutil.disk_usage(files.folder).free
    if needed > free:
        raise DiskError(
            f"features take {needed / 1e9:.1f} GB in {files.folder}, where {free / 1e9:.1f} GB are free: name another "
            "folder"
        )
    try:
        for name, size in files.sizes().items():
            with open(files.folder / name, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        checkpoint.write_file(told, lambda file: file.write(json.dumps(wanted).encode()))
    except (OSError, DiskError) as error:
        for name in files.sizes():
            (files.folder / name).unlink(missing_ok=True)
        raise DiskError(f"cannot set features aside in {files.folder}: {error}; name another folder") from error


def _fill(files: _Files, job: Job, faces: data.Dataset, missing: list[int], processes: int) -> None:
    processes = min(processes, len(missing))
    with tqdm(total=len(missing) * files.part, unit="image", disable=not sys.stderr.isatty()) as bar:
        if processes == 1:
            torch.set_num_threads(job.threads)
            embedder = evaluate.Embedder(job.model, job.threads)
            for part in missing:
                _compute(files, embedder, faces, part)
                bar.update(files.part)
            return
        # Not forked: a process that has used a GPU, or threads, cannot be.
        context = get_context("spawn")
        ranks = context.SimpleQueue()
        for rank in range(processes):
            ranks.put(rank)
        with ProcessPoolExecutor(processes, context, _start, (files, job, ranks)) as pool:
            _await([pool.submit(_part, part) for part in missing], bar, files.part)


def _await(asked: list[Future], bar: tqdm, images: int) -> None:
    try:
        for one in as_completed(asked):
            one.result()
            bar.update(images)
    except BrokenProcessPool as error:
        raise DiskError(
            "a process that computes features died: out of memory? Fewer --processes need less; the command goes on"
        ) from error
    finally:
        for one in asked:
            one.cancel()


def _start(files: _Files, job: Job, ranks: SimpleQueue) -> None:
    """Opens what a process of a pool needs for its parts; of several GPUs each takes its own."""
    global _worker  # noqa: PLW0603 - what a pool's processes keep between parts has no other place
    torch.set_num_threads(job.threads)
    rank = ranks.get()
    if torch.cuda.is_available():
        torch.cuda.set_device(rank % torch.cuda.device_count())
    _worker = (files, evaluate.Embedder(job.model, job.threads), data.gather(job.wanted, job.seed)[0])


_worker: tuple[_Files, evaluate.Embedder, data.Dataset] | None = None


def _part(number: int) -> None:
    _compute(*_worker, number)


def _compute(files: _Files, embedder: evaluate.Embedder, faces: data.Dataset, number: int) -> None:
    chosen = range(number * files.part, min((number + 1) * files.part, files.images))
    rows, hashes = np.full((len(chosen), files.dimension), np.nan, "<f4"), np.zeros(len(chosen), "<u8")
    for start in range(0, len(chosen), _BATCH):
        inputs, whole = [], []
        for n, image in enumerate(chosen[start : start + _BATCH], start):
            with contextlib.suppress(DataError):
                content = faces.content(image)
                inputs.append(content if isinstance(content, np.ndarray) else crops.decode(content, faces.keys[image]))
                hashes[n] = image_hash(content)
                whole.append(n)
        if whole:
            rows[whole] = embedder([crops.to_input(np.stack(inputs))])
    _put(files, number, rows, hashes)


def image_hash(content: bytes | np.ndarray) -> int:
    """Of an image as it is encoded; not 0."""
    content = content if isinstance(content, bytes) else content.tobytes()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest()) or 1


def _put(files: _Files, number: int, rows: np.ndarray, hashes: np.ndarray) -> None:
    """Writes a part, and when it lies on the disk, that it does. By ``pwrite``: on a full disk a map would end the
    process without a word."""
    try:
        for name, content, at in (
            ("table.f32", rows.tobytes(), number * files.part * 4 * files.dimension),
            ("images.u64", hashes.tobytes(), number * files.part * 8),
            ("done.u8", b"\1", number),
        ):
            with open(files.folder / name, "r+b", buffering=0) as file:
                _write_all(file.fileno(), content, at)
                os.fdatasync(file.fileno())
    except OSError as error:
        raise DiskError(
            f"cannot write features into {files.folder}: {error}; with room there, the same command goes on"
        ) from error


def _write_all(file: int, content: bytes, at: int) -> None:
    left = memoryview(content)
    while left:
        count = os.pwrite(file, left, at)
        left, at = left[count:], at + count


def dimension_of(embedder: evaluate.Embedder) -> int:
    """How many numbers a feature of it has."""
    found = embedder([np.zeros((1, 3, crops.SIDE, crops.SIDE), np.float32)])
    if found.ndim != 2:
        raise TrainError(f"the network gives features of shape {found.shape}")
    return found.shape[1]
