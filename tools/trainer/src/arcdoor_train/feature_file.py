"""Features on disk, in the form of the LFR challenge: four little-endian int32 (rows, columns, columns * 4, 5),
then rows of float32. ``arcdoor-lab`` reads the same form."""

import os
from pathlib import Path

import numpy as np

from arcdoor_train.errors import DataError, DiskError

F32 = 5
HEADER_BYTES = 16


def write(path: str | Path, features: np.ndarray) -> None:
    """Writes (rows, columns) features whole or not at all. Raises ``DataError`` for other shapes and for values
    that are not finite, ``DiskError`` where the file cannot be written."""
    path = Path(path)
    features = np.ascontiguousarray(features, dtype="<f4")
    if features.ndim != 2 or not features.size or not np.isfinite(features).all():
        raise DataError(f"features of shape {features.shape}: a table of finite numbers is wanted")
    rows, columns = features.shape
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            file.write(np.array([rows, columns, columns * 4, F32], dtype="<i4").tobytes())
            file.write(features.tobytes())
        os.replace(part, path)
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error}") from error


def read(path: str | Path, memory_map: bool = False) -> np.ndarray:
    """Reads (rows, columns) float32; read-only and mapped with ``memory_map``. Raises ``DataError`` where it is no
    feature file, is cut, or too long."""
    path = Path(path)
    try:
        size = path.stat().st_size
        header = np.fromfile(path, dtype="<i4", count=4) if size >= HEADER_BYTES else np.zeros(0, "<i4")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error}") from error
    if len(header) < 4:
        raise DataError(f"{path} is no feature file: shorter than its header")
    rows, columns, stride, kind = (int(number) for number in header)
    if rows < 1 or columns < 1 or stride != columns * 4 or kind != F32:
        raise DataError(f"{path} is no feature file: header {header.tolist()}")
    if size != HEADER_BYTES + rows * stride:
        raise DataError(f"{path} has {size} bytes, its header asks for {HEADER_BYTES + rows * stride}")
    if memory_map:
        return np.memmap(path, dtype="<f4", mode="r", offset=HEADER_BYTES, shape=(rows, columns))
    return np.fromfile(path, dtype="<f4", offset=HEADER_BYTES).reshape(rows, columns)


def unit(features: np.ndarray) -> np.ndarray:
    """Rows divided by their lengths, float64 inside. A row of zeros stays."""
    wide = np.asarray(features, dtype=np.float64)
    return wide / np.maximum(np.linalg.norm(wide, axis=-1, keepdims=True), 1e-12)
