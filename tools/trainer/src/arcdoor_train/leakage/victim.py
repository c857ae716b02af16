"""The pack's embedder as a network of PyTorch, compared with onnxruntime when it is read."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from arcdoor_train import crops, teachers
from arcdoor_train.errors import DataError
from arcdoor_train.feature_file import unit
from arcdoor_train.inversion import graph
from arcdoor_train.leakage.pack import Pack

#: Images of one pass.
PASS = 64


class Victim:
    """The attacked network, whose weights the thief has."""

    def __init__(self, pack: Pack, device: torch.device) -> None:
        """Raises ``DataError``, ``NotPlainError``."""
        self.device = device
        whole = graph.read(pack.file, pack.preprocess)
        #: BatchNorms that the file still has: their statistics were published with it.
        self.norms = len(whole.norms)
        # A plain chain computes in a third of the time.
        plain = None if self.norms else teachers.network(pack.file, pack.preprocess)
        network = whole if plain is None else plain
        self.network: nn.Module = network.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
        found = self(np.zeros((1, crops.SIDE, crops.SIDE, 3), np.uint8)).shape[1]
        if found != pack.dimension:
            raise DataError(f"{pack.file} makes {found} numbers, its manifest says {pack.dimension}")

    def answers(self, inputs: torch.Tensor) -> torch.Tensor:
        """(n, d) embeddings of network inputs (n, 3, 112, 112), with their gradient."""
        return self.network(inputs.contiguous(memory_format=torch.channels_last))

    def inputs(self, images: np.ndarray) -> Iterator[torch.Tensor]:
        """Batches of network inputs of (n, 112, 112, 3) uint8."""
        for start in range(0, len(images), PASS):
            yield torch.from_numpy(crops.to_input(images[start : start + PASS])).to(self.device)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """(n, d) templates, of length 1, float32."""
        with torch.no_grad():
            found = [self.answers(part).float().cpu().numpy() for part in self.inputs(images)]
        return unit(np.concatenate(found)).astype(np.float32)
