"""What a run left, and what it was trained on."""

from pathlib import Path

import numpy as np

from arcdoor_train import checkpoint, config, data
from arcdoor_train.errors import DataError


def read(folder: Path) -> tuple[config.Config, data.Dataset, np.ndarray]:
    """A checkpoint's configuration, its sets, its centres (classes, K, d). Raises ``DataError`` where the sets are not
    those that it was trained on."""
    content = checkpoint.load_tensors(folder / "model.pt")
    whole = config.from_table(content["config"])
    if whole.head.kind in config.METRIC:
        raise DataError(f"{folder} was trained with head.kind = {whole.head.kind!r}, which has no class centres")
    faces, _ = data.gather(whole.data, whole.run.seed)
    classes = len(faces.identities)
    if content.get("identities") != classes:
        raise DataError(
            f"the run's sets have {classes} identities now, {content.get('identities')} when it was trained"
        )
    if content.get("data", faces.fingerprint) != faces.fingerprint:
        raise DataError(f"the run's sets have other images now than when {folder} was trained: restore them")
    return whole, faces, centres(folder, whole, classes)


def centres(folder: Path, whole: config.Config, classes: int) -> np.ndarray:
    """A checkpoint's centres (classes, K, d)."""
    weight = checkpoint.read_head(folder, 0, classes)["weight"].numpy()
    return weight.reshape(classes, whole.head.centres, -1)
