"""The network that is attacked, with its weights in hand."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from arcdoor_train import checkpoint, omz
from arcdoor_train.data.sets import SIDE
from arcdoor_train.inversion import graph
from arcdoor_train.teachers import Teacher, digest


@dataclass(frozen=True)
class Attacked:
    """A run of ours, an ONNX file, or one of OpenVINO's."""

    network: nn.Module
    #: The ``model.pt`` or the published file, and its hash.
    path: Path
    digest: str
    dimension: int
    device: torch.device

    @property
    def ours(self) -> bool:
        """Whether it is a network of this trainer's, which may have class centres."""
        return self.path.suffix not in (".onnx", omz.ENDING)


def load(wanted: Teacher, device: torch.device) -> Attacked:
    """Raises ``DataError``, ``CheckpointError``, ``NotPlainError``."""
    path, preprocess = wanted.located()
    if path.suffix == omz.ENDING:
        network = omz.Embedder(path)
    else:
        network = graph.read(path, preprocess) if path.suffix == ".onnx" else checkpoint.load_model(path)[0]
    network = network.requires_grad_(False).to(device).eval()
    with torch.no_grad():
        dimension = network(torch.zeros(1, 3, SIDE, SIDE, device=device)).shape[1]
    return Attacked(network, path, digest(path), dimension, device)
