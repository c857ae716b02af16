"""An ONNX file as a network of PyTorch, node by node, its BatchNormalization left as it is: through it a picture has a
gradient, and what BatchNorm takes can be looked at. (``compression.reader`` folds BatchNorm into the convolutions.)"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import nn
from torch.nn import functional

from arcdoor_train import crops, foreign, onnx_file
from arcdoor_train.errors import NotPlainError


def read(path: Path, preprocess: crops.Preprocess) -> "Graph":
    """The network of ``path`` of our own networks' input, (n, 3, 112, 112), in ``eval`` mode. Raises ``NotPlainError``
    for a node that is not known, ``DataError`` for no network and where onnxruntime's features are others."""
    model = foreign.of_one_image(path)
    return foreign.checked(Graph(model, path, preprocess), model, path, preprocess)


class Graph(nn.Module):
    """The nodes of a file in their order. What is known before any image is computed once."""

    def __init__(self, model: onnx.ModelProto, path: Path, preprocess: crops.Preprocess) -> None:
        super().__init__()
        graph = model.graph
        self.order = preprocess.channel_order
        # (value - mean) * scale of what 0..255 was before it became our input.
        scale, mean = (torch.tensor(row).reshape(1, -1, 1, 1) for row in (preprocess.scale, preprocess.mean))
        self.register_buffer("scale", 128.0 * scale)
        self.register_buffer("shift", (127.5 - mean) * scale)
        self.register_buffer("grey", torch.tensor(crops.GREY).reshape(1, 3, 1, 1))
        self.entry, self.out = graph.input[0].name, graph.output[0].name
        known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.steps: list[tuple[onnx.NodeProto, nn.Module | None]] = []
        self.norms = nn.ModuleList()
        for node in graph.node:
            self._add(node, known, model, path)
        self._places: dict[str, str] = {}
        read = {name for node, _ in self.steps for name in node.input}
        for number, (name, value) in enumerate((name, known[name]) for name in known if name in read):
            self._places[name] = f"constant_{number}"
            self.register_buffer(self._places[name], torch.from_numpy(np.array(value)))

    def _add(self, node: onnx.NodeProto, known: dict[str, np.ndarray], model: onnx.ModelProto, path: Path) -> None:
        inputs = [known.get(name) for name in node.input if name]
        if all(value is not None for value in inputs):
            known.update(zip(node.output, onnx_file.constant(node, inputs, model), strict=True))
            return
        norm = None
        if node.op_type == "BatchNormalization" and all(value is not None for value in inputs[1:]):
            norm = _norm(node, inputs[1:])
            self.norms.append(norm)
        elif node.op_type not in _RULES:
            raise NotPlainError(
                f"{path}, node {node.name or node.output[0]!r}: {node.op_type} is not known here; known are "
                f"BatchNormalization, {', '.join(_RULES)}"
            )
        self.steps.append((node, norm))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.order == "bgr":
            x = x.flip(1)
        elif self.order == "grey":
            x = (x * self.grey).sum(1, keepdim=True)
        values = {self.entry: x * self.scale + self.shift}
        values |= {name: getattr(self, place) for name, place in self._places.items()}
        for node, norm in self.steps:
            inputs = [values[name] if name else None for name in node.input]
            values[node.output[0]] = norm(inputs[0]) if norm else _RULES[node.op_type](inputs, _attributes(node))
        return values[self.out].flatten(1)


def _norm(node: onnx.NodeProto, given: list[np.ndarray]) -> nn.Module:
    gamma, beta, mean, variance = (torch.from_numpy(np.array(value, np.float32)) for value in given)
    norm = _AnyNorm(len(mean), eps=_attributes(node).get("epsilon", 1e-5))
    norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var = gamma, beta, mean, variance
    return norm


class _AnyNorm(nn.BatchNorm2d):
    """BatchNorm of maps or of rows: the file does not say which a node takes."""

    def _check_input_dim(self, _input: torch.Tensor) -> None:
        """Any."""


def _conv(inputs: list[Any], given: dict[str, Any]) -> torch.Tensor:
    x, weight = inputs[:2]
    bias = inputs[2] if len(inputs) > 2 else None
    top, left, bottom, right = given.get("pads", [0] * 4)
    if given.get("auto_pad", b"NOTSET") != b"NOTSET" or x.dim() != 4:
        raise NotPlainError("a Conv pads by itself (auto_pad) or takes no map: export it with pads")
    x = functional.pad(x, (left, right, top, bottom)) if top or left or bottom or right else x
    stride, dilation = given.get("strides", [1, 1]), given.get("dilations", [1, 1])
    return functional.conv2d(x, weight, bias, stride, 0, dilation, given.get("group", 1))


def _linear(inputs: list[Any], given: dict[str, Any]) -> torch.Tensor:
    x, weight = inputs[:2]
    x = x.T if given.get("transA") else x
    found = given.get("alpha", 1.0) * (x @ (weight.T if given.get("transB") else weight))
    return found + given.get("beta", 1.0) * inputs[2] if len(inputs) > 2 else found


def _prelu(inputs: list[Any], _given: dict[str, Any]) -> torch.Tensor:
    x, slope = inputs
    slope = slope.reshape(1, -1, *[1] * (x.dim() - 2)) if slope.dim() == 1 and x.dim() > 2 else slope
    return torch.where(x > 0, x, slope * x)


def _clip(inputs: list[Any], given: dict[str, Any]) -> torch.Tensor:
    least, most = ([*inputs[1:], None, None])[:2]
    least = given.get("min") if least is None else least
    most = given.get("max") if most is None else most
    return torch.clamp(inputs[0], least, most)


def _reshape(inputs: list[Any], _given: dict[str, Any]) -> torch.Tensor:
    x, shape = inputs
    # The first axis is the batch's, whatever the file was traced with.
    return x.reshape(len(x), *[x.shape[n] if size == 0 else size for n, size in enumerate(shape.tolist()) if n])


def _mean(inputs: list[Any], _given: dict[str, Any]) -> torch.Tensor:
    return inputs[0].mean((2, 3), keepdim=True)


_RULES = {
    "Conv": _conv, "Gemm": _linear, "MatMul": _linear, "PRelu": _prelu, "Clip": _clip, "Reshape": _reshape,
    "Relu": lambda inputs, _: functional.relu(inputs[0]),
    "LeakyRelu": lambda inputs, given: functional.leaky_relu(inputs[0], given.get("alpha", 0.01)),
    "Add": lambda inputs, _: inputs[0] + inputs[1], "Sub": lambda inputs, _: inputs[0] - inputs[1],
    "Mul": lambda inputs, _: inputs[0] * inputs[1], "Div": lambda inputs, _: inputs[0] / inputs[1],
    "Max": lambda inputs, _: torch.maximum(inputs[0], inputs[1]), "Neg": lambda inputs, _: -inputs[0],
    "Flatten": lambda inputs, given: inputs[0].flatten(given.get("axis", 1)), "GlobalAveragePool": _mean,
    "Dropout": lambda inputs, _: inputs[0], "Identity": lambda inputs, _: inputs[0],
}  # fmt: skip


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
