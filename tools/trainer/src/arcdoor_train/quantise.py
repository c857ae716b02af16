"""``quantise``: an exported network to int8. ``weights`` stores int8 weights and computes in float: a smaller file,
nothing faster. ``qdq`` also rounds the activations, by calibration on real crops: what an engine with int8 kernels
needs; the device's engine of today computes it in float, so there it is the smaller file, too."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from arcdoor_train import crops, onnx_file
from arcdoor_train.errors import DataError

#: Weights with fewer values stay float: nothing is gained there.
LEAST_VALUES = 256
#: Symmetric int8 without -128, as QDQ engines want it.
LEVELS = 127


def weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """int8 weights per output channel, each behind a ``DequantizeLinear``; scale = max |w| / 127."""
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
        graph.initializer.extend(
            [
                numpy_helper.from_array(rounded, f"{name}.int8"),
                numpy_helper.from_array(scale, f"{name}.scale"),
                numpy_helper.from_array(np.zeros(len(scale), np.int8), f"{name}.zero"),
            ]
        )
        entries = [f"{name}.int8", f"{name}.scale", f"{name}.zero"]
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
    others = tuple(n for n in range(values.ndim) if n != axis)
    scale = np.abs(values).max(axis=others).astype(np.float64) / LEVELS
    scale = np.where(scale > 0, scale, 1.0).astype(np.float32)
    shape = [1] * values.ndim
    shape[axis] = -1
    rounded = np.clip(np.rint(values / scale.reshape(shape)), -LEVELS, LEVELS).astype(np.int8)
    return rounded, scale


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
    parser.add_argument("--out", type=Path, help="[default: NAME-FORM.onnx beside the file]")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from arcdoor_train import export

    model = onnx_file.load(options.onnx)
    if options.form == "weights":
        small = weights(model)
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
    export.card_like(options.onnx, path, f"int8 {options.form}")
    return 0
