"""Others' ONNX files as networks of PyTorch: what is true of every one that is read, whatever it becomes."""

from pathlib import Path
from typing import TypeVar

import onnx
import torch
from torch import nn

from arcdoor_train import crops, onnx_file
from arcdoor_train.errors import DataError, NotPlainError

N = TypeVar("N", bound=nn.Module)

#: Largest difference between the file in onnxruntime and what was made of it, on unit-length features.
TOLERANCE = 1e-4


def of_one_image(path: Path) -> onnx.ModelProto:
    """The file, its weights no inputs any more: old files list them there, too; some list weights that nothing reads.
    Raises ``DataError`` for no network, ``NotPlainError`` where it takes more than an image."""
    model = onnx_file.load(path)
    stored = {tensor.name for tensor in model.graph.initializer}
    read = {name for node in model.graph.node for name in node.input}
    kept = [entry for entry in model.graph.input if entry.name in read and entry.name not in stored]
    if len(kept) != 1:
        raise NotPlainError(f"{path} takes {len(kept)} inputs; one image is wanted")
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return model


def checked(network: N, model: onnx.ModelProto, path: Path, preprocess: crops.Preprocess) -> N:
    """``network``, made of ``model``, fixed. Raises ``DataError`` where onnxruntime's features are others."""
    network = network.eval().requires_grad_(False)
    inputs = crops.to_input(crops.random(2))
    with torch.no_grad():
        found = network(torch.from_numpy(inputs)).numpy()
    difference = onnx_file.differs(model, [preprocess.apply(inputs[n : n + 1]) for n in range(len(inputs))], found)
    if not difference <= TOLERANCE:
        raise DataError(f"{path}: as it was read, its features differ by {difference:.1e} from onnxruntime's")
    return network
