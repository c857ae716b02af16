"""An ONNX file to a chain: normalisation folded, every form of PReLU recognised. What is no chain is refused by the
name of the node."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from arcdoor_train import crops, foreign, onnx_file
from arcdoor_train.backbones.chain import Chain, Layer, Shape
from arcdoor_train.compression.bent import Bent
from arcdoor_train.errors import NotPlainError


def read(path: Path, preprocess: crops.Preprocess) -> Chain:
    """The network of ``path`` as a chain of our own networks' input, in ``eval`` mode. Raises ``NotPlainError`` for
    another kind of network, ``DataError`` for no network."""
    model = foreign.of_one_image(path)
    if preprocess.channel_order == "grey":
        raise NotPlainError(f"{path} takes one grey plane; a chain of ours takes colours")
    return foreign.checked(_Reader(model, path, preprocess).chain(), model, path, preprocess)


@dataclass
class _Conv:
    """A layer on its way: its weights are folded into while nothing else reads it."""

    layer: Layer
    weight: np.ndarray
    bias: np.ndarray
    slope: np.ndarray | None = None


class _Reader:
    """One walk over the graph."""

    def __init__(self, model: onnx.ModelProto, path: Path, preprocess: crops.Preprocess) -> None:
        graph = model.graph
        self.path, self.graph, self.bgr = path, graph, preprocess.channel_order == "bgr"
        self.model = model
        self.values: dict[str, Bent | np.ndarray] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer
        }
        self.readers = Counter(name for node in graph.node for name in node.input)
        self.convs: list[_Conv] = []
        self.offset: np.ndarray | None = None
        self.head: tuple[np.ndarray, np.ndarray] | None = None
        mean, scale = np.array(preprocess.mean), np.array(preprocess.scale)
        start = Bent.line(-1, 3).affine(128 * scale, (127.5 - mean) * scale)
        self.values[graph.input[0].name] = start

    def chain(self) -> Chain:
        """Walks the graph."""
        for node in self.graph.node:
            self._node(node)
        out = self.values.get(self.graph.output[0].name)
        if self.head is None or not isinstance(out, Bent) or out.base != len(self.convs):
            raise NotPlainError(
                f"{self.path}: the output is not that of a fully connected layer (Flatten, then Gemm or MatMul) "
                "on the last convolution's map"
            )
        weight, bias = self.head
        weight, bias = out.above[:, None] * weight, out.above * bias + out.shift
        shape = Shape(tuple(conv.layer for conv in self.convs), len(bias))
        chain = Chain(shape, None if self.offset is None else torch.from_numpy(self.offset).float())
        for conv, built in zip(self.convs, chain.layers, strict=True):
            _set(built[0], conv.weight, conv.bias)
            if conv.slope is not None:
                built[1].weight.data = torch.from_numpy(conv.slope).float()
        _set(chain.fc, weight, bias)
        return chain

    def _node(self, node: onnx.NodeProto) -> None:
        inputs = [self.values.get(name) for name in node.input if name]
        if all(isinstance(value, np.ndarray) for value in inputs):
            self.values.update(zip(node.output, onnx_file.constant(node, inputs, self.model), strict=True))
            return
        rule = _RULES.get(node.op_type)
        if rule is None or any(value is None for value in inputs):
            raise self._refused(node, f"{node.op_type} has no place in a chain")
        found = rule(self, node, inputs)
        if found is None:
            raise self._refused(
                node,
                f"this {node.op_type} folds into no layer: it joins two branches, or bends a value that was shifted",
            )
        self.values[node.output[0]] = found

    def _refused(self, node: onnx.NodeProto, why: str) -> NotPlainError:
        name = node.name or node.output[0]
        return NotPlainError(
            f"{self.path}, node {name!r}: {why}. compress takes a plain chain: convolutions (dense or depthwise) with "
            "BatchNorm and PReLU or ReLU, then Flatten and one fully connected layer"
        )

    # The rules: each gives the node's value, None where it has none.

    def _conv(self, node: onnx.NodeProto, inputs: list[Any]) -> Bent | None:
        value, weight = inputs[0], inputs[1].astype(np.float64)
        bias = inputs[2].astype(np.float64) if len(inputs) > 2 else np.zeros(len(weight))
        if not isinstance(value, Bent) or value.flat:
            return None
        given = {"group": 1, "strides": [1, 1], "pads": [0] * 4, "dilations": [1, 1], **_attributes(node)}
        outputs, each, kernel, width = weight.shape
        depthwise = given["group"] > 1 and each == 1 and given["group"] == outputs == len(value.above)
        square = kernel == width and len(set(given["pads"])) == len(set(given["strides"])) == 1
        if not square or given["dilations"] != [1, 1] or given.get("auto_pad", b"NOTSET") != b"NOTSET":
            raise self._refused(node, "only square kernels, with equal strides and pads and no dilation, are known")
        if given["group"] > 1 and not depthwise:
            raise self._refused(node, "a convolution in groups, that is not depthwise")
        layer = Layer(len(value.above), outputs, kernel, given["strides"][0], given["pads"][0], depthwise, bent=False)
        return self._added(node, value, _Conv(layer, weight, bias))

    def _added(self, node: onnx.NodeProto, value: Bent, conv: _Conv) -> Bent | None:
        """The layer at the chain's end; scale and shift of what it takes are folded into it."""
        if value.base != len(self.convs) - 1 or self.head is not None:
            return None
        self._bend(node, value)
        conv.weight = conv.weight * (value.above[:, None] if conv.layer.depthwise else value.above)[..., None, None]
        shift = value.shift / value.above
        if value.base == -1:
            conv.weight = conv.weight[:, ::-1] if self.bgr else conv.weight
            if shift.any():
                self.offset = shift[::-1].copy() if self.bgr else shift
        elif shift.any() and conv.layer.padding:
            raise self._refused(node, "a shift before a convolution with a border cannot be folded")
        elif shift.any():
            each = conv.weight.sum((2, 3))
            conv.bias = conv.bias + (each[:, 0] * shift if conv.layer.depthwise else each @ shift)
        self.convs.append(conv)
        return Bent.line(len(self.convs) - 1, conv.layer.outputs)

    def _bend(self, node: onnx.NodeProto, value: Bent) -> None:
        """Gives the layer that ``value`` comes of its PReLU: ``value`` is then ``above`` times that, and the shift."""
        if (value.above == 0).any():
            raise self._refused(node, "what it takes is 0 wherever the layer before is above 0")
        if value.base >= 0 and not np.array_equal(value.above, value.below):
            conv = self.convs[value.base]
            conv.slope = value.below / value.above
            conv.layer = replace(conv.layer, bent=True)

    def _linear(self, node: onnx.NodeProto, inputs: list[Any]) -> Bent | None:
        value, weight = inputs[0], inputs[1].astype(np.float64)
        given = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0, **_attributes(node)}
        weight = given["alpha"] * (weight if given["transB"] else weight.T)
        bias = given["beta"] * inputs[2].astype(np.float64) if len(inputs) > 2 else np.zeros(len(weight))
        plain = isinstance(value, Bent) and value.flat and not given["transA"]
        if not plain or self.head is not None or value.base != len(self.convs) - 1 or value.base < 0:
            return None
        self._bend(node, value)
        each = weight.reshape(len(weight), len(value.above), -1)
        bias = bias + each.sum(2) @ value.shift
        self.head = (each * value.above[:, None]).reshape(weight.shape), np.broadcast_to(bias, len(weight))
        return Bent.line(len(self.convs), len(weight))

    def _norm(self, node: onnx.NodeProto, inputs: list[Any]) -> Bent | None:
        gamma, beta, mean, variance = (value.astype(np.float64) for value in inputs[1:5])
        scale = gamma / np.sqrt(variance + _attributes(node).get("epsilon", 1e-5))
        return self._affine(node.input[0], scale, beta - mean * scale)

    def _affine(self, name: str, scale: np.ndarray, shift: np.ndarray) -> Bent | None:
        """``scale`` times the value ``name``, and ``shift``: into the layer at once where nothing else reads the value,
        so that a bend after it is at 0."""
        value = self.values[name]
        channels = len(value.above)
        if scale.size not in (1, channels) or shift.size not in (1, channels):
            return None
        scale, shift = (np.broadcast_to(part.reshape(-1), channels).astype(np.float64) for part in (scale, shift))
        alone = value.whole and self.readers[name] == 1 and 0 <= value.base < len(self.convs)
        if not alone:
            return value.affine(scale, shift)
        conv = self.convs[value.base]
        conv.weight, conv.bias = conv.weight * scale[:, None, None, None], conv.bias * scale + shift
        return value

    def _binary(self, node: onnx.NodeProto, inputs: list[Any]) -> Bent | None:
        first, second = inputs
        sign = -1 if node.op_type == "Sub" else 1
        if isinstance(first, Bent) and isinstance(second, Bent):
            return first.plus(second, sign)
        if isinstance(first, Bent):
            return self._affine(node.input[0], np.ones(1), sign * second)
        return self._affine(node.input[1], np.full(1, sign), first)

    def _times(self, node: onnx.NodeProto, inputs: list[Any]) -> Bent | None:
        first, second = inputs
        if isinstance(first, Bent) and isinstance(second, np.ndarray):
            return self._affine(node.input[0], 1 / second if node.op_type == "Div" else second, np.zeros(1))
        if isinstance(first, np.ndarray) and node.op_type == "Mul":
            return self._affine(node.input[1], first, np.zeros(1))
        return None

    def _prelu(self, _node: onnx.NodeProto, inputs: list[Any]) -> Bent | None:
        slope = np.asarray(inputs[1], np.float64).reshape(-1)
        return inputs[0].prelu(slope) if slope.size in (1, len(inputs[0].above)) else None

    def _leaky(self, node: onnx.NodeProto, inputs: list[Any]) -> Bent | None:
        usual = 0.01 if node.op_type == "LeakyRelu" else 0.0
        return inputs[0].prelu(np.float64(_attributes(node).get("alpha", usual)))

    def _max(self, _node: onnx.NodeProto, inputs: list[Any]) -> Bent | None:
        bent = len(inputs) == 2 and all(isinstance(value, Bent) for value in inputs)
        return inputs[0].most(inputs[1]) if bent else None

    def _flatten(self, node: onnx.NodeProto, inputs: list[Any]) -> Bent | None:
        rows = _attributes(node).get("axis", 1) == 1 if node.op_type == "Flatten" else len(inputs[1]) == 2
        return replace(inputs[0], flat=True) if rows else None

    def _same(self, _node: onnx.NodeProto, inputs: list[Any]) -> Bent | None:
        return inputs[0]

    def _negative(self, _node: onnx.NodeProto, inputs: list[Any]) -> Bent | None:
        return inputs[0].affine(-np.ones(1), np.zeros(1))


_RULES = {
    "Conv": _Reader._conv, "Gemm": _Reader._linear, "MatMul": _Reader._linear, "BatchNormalization": _Reader._norm,
    "Add": _Reader._binary, "Sub": _Reader._binary, "Mul": _Reader._times, "Div": _Reader._times,
    "PRelu": _Reader._prelu, "Relu": _Reader._leaky, "LeakyRelu": _Reader._leaky, "Max": _Reader._max,
    "Neg": _Reader._negative, "Flatten": _Reader._flatten, "Reshape": _Reader._flatten, "Identity": _Reader._same,
    "Dropout": _Reader._same,
}  # fmt: skip


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _set(module: torch.nn.Module, weight: np.ndarray, bias: np.ndarray) -> None:
    module.weight.data = torch.from_numpy(np.ascontiguousarray(weight)).float()
    module.bias.data = torch.from_numpy(np.ascontiguousarray(bias)).float()
