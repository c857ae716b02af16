"""A network's features of a run's own images."""

import numpy as np
import torch
from torch import nn

from arcdoor_train import crops, data
from arcdoor_train.errors import DataError
from arcdoor_train.feature_file import unit


def embed(model: nn.Module, faces: data.Dataset, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit-length features of the images ``numbers`` that can be read, and their labels."""
    rows, labels = [], []
    for start in range(0, len(numbers), 64):
        images = []
        for number in numbers[start : start + 64]:
            image = list(faces.readable([number]))
            images += image
            labels += [int(faces.labels[number])] * len(image)
        if images:
            with torch.no_grad():
                rows.append(model(torch.from_numpy(crops.to_input(np.stack(images)))).numpy())
    if not rows:
        raise DataError("not one image of the run's sets can be read")
    return unit(np.concatenate(rows)).astype(np.float32), np.array(labels)
