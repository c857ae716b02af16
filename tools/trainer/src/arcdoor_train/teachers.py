"""Teachers of a distillation: their features of a set, computed once, kept on disk and mapped into memory."""

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arcdoor_train import crops, feature_file
from arcdoor_train.config import expand
from arcdoor_train.data import Dataset
from arcdoor_train.errors import DataError
from arcdoor_train.evaluate import Embedder


@dataclass(frozen=True)
class Teacher:
    """One ``[[distil.teachers]]``."""

    #: An .onnx file, a pack, a checkpoint or a run folder; ``$NAME`` is taken from the environment.
    path: str
    #: What an ONNX file without a card takes: (value - mean) * scale for 0..255, per plane.
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    #: ``rgb``, ``bgr`` or ``grey``: one plane, 0.299 R + 0.587 G + 0.114 B.
    channel_order: str = "rgb"

    def preprocess(self) -> crops.Preprocess | None:
        """None leaves it to the teacher's card."""
        if not self.mean and not self.scale and self.channel_order == "rgb":
            return None
        return crops.Preprocess(self.mean, self.scale, self.channel_order)


def set_hash(faces: Dataset) -> str:
    """Of all keys and all encoded images: two sets with one hash have one table of features."""
    digest = hashlib.sha256()
    for number, name in enumerate(faces.keys):
        try:
            content = faces.content(number)
        except DataError:
            content = b""
        content = content if isinstance(content, bytes) else content.tobytes()
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()


def key(teacher: Teacher, of_set: str) -> str:
    """Names a cache: everything that the features depend on."""
    digest = hashlib.sha256(of_set.encode())
    path = expand(teacher.path)
    files = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
    manifest = path.with_suffix(".toml")
    if path.is_file() and manifest.is_file():
        files.append(manifest)
    if not files:
        raise DataError(f"there is no teacher at {path}")
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    digest.update(repr(teacher.preprocess()).encode())
    return digest.hexdigest()[:32]


def features(teacher: Teacher, faces: Dataset, cache: Path, of_set: str, threads: int = 1) -> np.ndarray:
    """(2, n, d) unit-length features, mapped: of every crop, and of its mirror image. Crops that do not decode have
    zeros. Computed where the cache has none; a cache is renamed when it is whole, so that none is half-written."""
    path = cache / f"{key(teacher, of_set)}.features"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        feature_file.write(path, _compute(teacher, faces, threads))
    table = feature_file.read(path, memory_map=True)
    if len(table) != 2 * len(faces):
        raise DataError(f"{path} has {len(table)} rows for {len(faces)} crops: delete it")
    return table.reshape(2, len(faces), -1)


def _compute(teacher: Teacher, faces: Dataset, threads: int) -> np.ndarray:
    from tqdm import tqdm

    embedder = Embedder(expand(teacher.path), threads, teacher.preprocess())
    parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    bar = tqdm(total=len(faces), unit="crop", desc=Path(teacher.path).name, disable=not sys.stderr.isatty())
    for start in range(0, len(faces), 64):
        numbers = range(start, min(start + 64, len(faces)))
        images, whole = [], np.ones(len(numbers), bool)
        for n, number in enumerate(numbers):
            try:
                images.append(faces.read(number))
            except DataError:
                whole[n] = False
                images.append(np.zeros((crops.SIDE, crops.SIDE, 3), np.uint8))
        inputs = crops.to_input(np.stack(images))
        for part, batch in zip(parts, (inputs, np.ascontiguousarray(inputs[..., ::-1])), strict=True):
            part.append((embedder([batch]) * whole[:, None]).astype(np.float32))
        bar.update(len(numbers))
    bar.close()
    return np.concatenate([np.concatenate(part) for part in parts])


def ensemble(parts: list[np.ndarray]) -> np.ndarray:
    """(n, d1 + d2 + ...) from unit-length (n, di): their cosine is the mean of the teachers' cosines."""
    return np.concatenate(parts, axis=-1) / np.sqrt(len(parts))
