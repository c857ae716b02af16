"""``quantise``: an exported network to int8. ``weights`` stores int8 weights and computes in float: a quarter of the
file, nothing faster. ``qdq`` also rounds the activations, by calibration on real crops: what an engine with int8
kernels needs; the device's engine of today computes it in float, so there it is the smaller file, too."""

import argparse
import copy
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import nn

from arcdoor_train import crops, export, onnx_file
from arcdoor_train.errors import DataError, TrainError

#: Weights with fewer values stay float: nothing is gained there.
LEAST_VALUES = 256
#: Symmetric int8 without -128, as QDQ engines want it.
LEVELS = 127
#: Scales tried for a channel, as shares of max |w| / 127: a few weights cut off may serve the many.
SHARES = np.linspace(0.6, 1.0, 41)


def weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """int8 weights behind a ``DequantizeLinear``, one scale an output channel: that of the least square error. Its zero
    point is left out, which makes it 0. Biases and slopes stay float."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    if next((entry.version for entry in model.opset_import if not entry.domain), 0) < 13:
        raise DataError("int8 per channel needs opset 13: export again with export.opset = 13 or 17")
    graph = model.graph
    axes: dict[str, int] = {}
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm", "MatMul") and len(node.input) > 1:
            axes[node.input[1]] = _axis(node)
    front = []
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.name not in axes or values.dtype != np.float32 or values.size < LEAST_VALUES:
            continue
        axis = axes[tensor.name]
        rounded, scale = _int8(values, axis)
        name = tensor.name
        graph.initializer.remove(tensor)
        entries = [f"{name}.int8", f"{name}.scale"]
        stored = zip((rounded, scale), entries, strict=True)
        graph.initializer.extend(numpy_helper.from_array(part, entry) for part, entry in stored)
        front.append(helper.make_node("DequantizeLinear", entries, [name], name=f"{name}.dequantise", axis=axis))
    if not front:
        raise DataError("no float weights to quantise: is the network quantised already?")
    nodes = [*front, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return onnx_file.strip(model)


def _axis(node: onnx.NodeProto) -> int:
    """The axis of a weight's output channels."""
    if node.op_type == "Conv":
        return 0
    turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    return 0 if node.op_type == "Gemm" and turned else 1


def _int8(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The rounded weights and the channels' scales."""
    channels = np.moveaxis(values, axis, 0)
    rows = channels.reshape(len(channels), -1).astype(np.float64)
    most = np.abs(rows).max(axis=1, keepdims=True) / LEVELS
    tried = (SHARES * np.where(most > 0, most, 1.0)).astype(np.float32).astype(np.float64)
    errors = [np.square(_levels(rows, scale) * scale - rows).sum(axis=1) for scale in tried.T[:, :, None]]
    scale = tried[np.arange(len(rows)), np.argmin(errors, axis=0)]
    rounded = _levels(rows, scale[:, None]).reshape(channels.shape)
    return np.moveaxis(rounded, 0, axis).astype(np.int8), scale.astype(np.float32)


def _levels(rows: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(rows / scale), -LEVELS, LEVELS)


def dequantised(small: onnx.ModelProto) -> dict[str, np.ndarray]:
    """What the int8 weights of ``weights`` stand for, by the names that they had."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in small.graph.initializer}
    found = {}
    for node in small.graph.node:
        if node.op_type == "DequantizeLinear":
            rounded, scale = (stored[name] for name in node.input[:2])
            shape = [1] * rounded.ndim
            shape[next(entry.i for entry in node.attribute if entry.name == "axis")] = -1
            found[node.output[0]] = rounded.astype(np.float32) * scale.reshape(shape)
    return found


def parity(small: onnx.ModelProto, plain: onnx.ModelProto, inputs: np.ndarray, model: nn.Module | None = None) -> float:
    """The largest difference on ``inputs`` between the int8 file, as onnxruntime runs it, and the same weights in
    float: in PyTorch, of the re-parameterised ``model`` that ``plain`` was exported from, or else in ``plain``."""
    weights = dequantised(small)
    if model is None:
        wanted = onnx_file.run(onnx_file.session(_refilled(plain, weights)), [inputs])
    else:
        wanted = export.embed(_filled(model, weights), inputs)
    return onnx_file.differs(small, [inputs], wanted)


def _refilled(plain: onnx.ModelProto, weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    """The file with these weights in place of its own."""
    twin = onnx.ModelProto.FromString(plain.SerializeToString())
    for tensor in twin.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
    return twin


def _filled(model: nn.Module, weights: dict[str, np.ndarray]) -> nn.Module:
    """The network with these weights in place of its own. Raises ``DataError`` where it has none of a name."""
    model = copy.deepcopy(model).eval()
    known = dict(model.named_parameters())
    if missing := weights.keys() - known.keys():
        raise DataError(f"the checkpoint has no weight {min(missing)}: the file was exported from another network")
    for name, values in weights.items():
        # A linear layer's weight may lie turned in the file.
        turned = values.T if known[name].shape != values.shape else values
        known[name].data = torch.from_numpy(np.ascontiguousarray(turned))
    return model


class _Reader:
    """Calibration inputs, one at a time, as onnxruntime asks for them."""

    def __init__(self, inputs: np.ndarray) -> None:
        self.rest = iter(inputs)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next input, or None after the last."""
        crop = next(self.rest, None)
        return None if crop is None else {onnx_file.INPUT: crop[None]}


def qdq(model: onnx.ModelProto, inputs: np.ndarray, per_channel: bool = True) -> onnx.ModelProto:
    """Static QDQ int8: weights symmetric, activations by the least and largest value that each shows on ``inputs``
    (n, 3, 112, 112)."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    if len(inputs) < 1:
        raise DataError("calibration needs crops: --crops")
    with tempfile.TemporaryDirectory(prefix="arcdoor-quantise-") as folder:
        source, target = Path(folder) / "f32.onnx", Path(folder) / "int8.onnx"
        onnx_file.save(model, source)
        quantize_static(
            source,
            target,
            _Reader(inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=per_channel,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            # Left in, quantised residual sums and flattenings cost accuracy and no engine of ours gains by them.
            op_types_to_quantize=["Conv", "Gemm", "MatMul"],
        )
        return onnx_file.strip(onnx.load(target))


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train quantise``."""
    parser = subparsers.add_parser("quantise", help="an exported ONNX file to int8")
    parser.add_argument("onnx", type=Path, help="the exported file")
    parser.add_argument("--form", choices=["weights", "qdq", "qdq-tensor"], default="weights",
                        help="int8 weights only; QDQ per channel; QDQ per tensor")  # fmt: skip
    parser.add_argument("--crops", type=Path, help="aligned crops to calibrate QDQ on: a folder or .zip")
    parser.add_argument("--count", type=int, default=200, help="crops to calibrate on")
    parser.add_argument("--checkpoint", type=Path, help="with --form weights: what was exported, to compare with")
    parser.add_argument("--out", type=Path, help="[default: NAME-FORM.onnx beside the file]")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    model, note = onnx_file.load(options.onnx), f"int8 {options.form}"
    if options.form == "weights":
        small, note = weights(model), "weights stored as int8, a scale for each output channel, computed in f32"
        _check(small, model, options)
    elif options.crops is None:
        raise DataError("--form qdq rounds activations by real crops: give --crops")
    else:
        faces = crops.Crops(options.crops)
        inputs = np.concatenate(list(faces.batches(faces.spread(options.count))))
        small = qdq(model, inputs, per_channel=options.form == "qdq")
    path = options.out or options.onnx.with_name(f"{options.onnx.stem}-{options.form}.onnx")
    size = onnx_file.save(small, path)
    before = options.onnx.stat().st_size
    print(f"{path}: {size / 1e6:.2f} MB, {size / before:.2f} of {options.onnx.name}; now run `arcdoor-train verify`")
    export.card_like(options.onnx, path, note)
    return 0


def _check(small: onnx.ModelProto, model: onnx.ModelProto, options: argparse.Namespace) -> None:
    """Raises ``TrainError`` where the int8 file does not compute what its weights say."""
    from arcdoor_train import backbones, checkpoint, evaluate

    trained = None
    if options.checkpoint:
        trained = backbones.reparameterise(checkpoint.load_model(options.checkpoint)[0].eval().cpu())
    inputs = evaluate.located(options.onnx)[1].apply(crops.to_input(crops.random(4)))
    difference = parity(small, model, inputs, trained)
    print(f"differs from {'PyTorch' if trained else 'the float file'} with the same weights by {difference:.1e}")
    most = onnx_file.TOLERANCE
    if not difference <= most:
        raise TrainError(f"onnxruntime differs by {difference:.1e} with int8 weights; at most {most} passes")
