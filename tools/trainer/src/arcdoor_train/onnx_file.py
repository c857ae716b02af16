"""ONNX files: written whole or not at all, in the form that every engine we meet loads, and run unfused."""

import contextlib
import io
import os
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper
from torch import nn

from arcdoor_train.errors import DataError, DiskError
from arcdoor_train.feature_file import unit

#: Most between the features of two engines that compute one network in float, unit-length.
TOLERANCE = 1e-5
INPUT, OUTPUT, BATCH = "crop", "embedding", "batch"
OPSETS = (13, 17)


def trace(model: nn.Module, opset: int, side: int = 112) -> onnx.ModelProto:
    """The graph of ``model`` in ``eval`` mode: (batch, 3, side, side) ``crop`` to (batch, d) ``embedding``. The
    legacy exporter's graph with a symbolic batch and without ``value_info``, whose stale shapes engines trip over."""
    if opset not in OPSETS:
        raise DataError(f"opset {opset}: 13 and 17 are known to load on the device")
    buffer = io.BytesIO()
    model = model.eval().cpu()
    with warnings.catch_warnings(), torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (torch.zeros(1, 3, side, side),),
            buffer,
            dynamo=False,
            opset_version=opset,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: BATCH}, OUTPUT: {0: BATCH}},
        )
    return strip(onnx.load_from_string(buffer.getvalue()))


def strip(model: onnx.ModelProto) -> onnx.ModelProto:
    """Removes ``value_info``, ``Identity`` nodes and the exporter's notes, and checks the graph."""
    del model.graph.value_info[:]
    _skip_identities(model.graph)
    for node in model.graph.node:
        node.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    return model


def _skip_identities(graph: onnx.GraphProto) -> None:
    """The exporter keeps one of several equal weights (say, biases that are still zero) and names it anew by
    ``Identity``, which the device's plan does not run."""
    outputs = {entry.name for entry in graph.output}
    renamed = {
        node.output[0]: node.input[0]
        for node in graph.node
        if node.op_type == "Identity" and node.output[0] not in outputs
    }
    kept = [node for node in graph.node if node.op_type != "Identity" or node.output[0] in outputs]
    for node in kept:
        for number in range(len(node.input)):
            while node.input[number] in renamed:
                node.input[number] = renamed[node.input[number]]
    del graph.node[:]
    graph.node.extend(kept)


def save(model: onnx.ModelProto, path: Path) -> int:
    """Writes the file and gives its bytes. Raises ``DiskError`` where it cannot be written."""
    content = model.SerializeToString()
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DiskError(f"cannot write {path}: {error}") from error
    return len(content)


def load(path: Path) -> onnx.ModelProto:
    """Reads and checks a file. Raises ``DataError`` where it is no ONNX file."""
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf and the checker raise kinds of their own
        raise DataError(f"{path} is no usable ONNX file: {error}") from error
    return model


def session(source: Path | onnx.ModelProto, threads: int = 1) -> onnxruntime.InferenceSession:
    """onnxruntime without graph fusions: fused int8 saturates on CPUs without VNNI, and what is compared is the
    graph as it is written."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # By its path: constants may lie beside the file.
    content = source.SerializeToString() if isinstance(source, onnx.ModelProto) else str(source)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise DataError(f"onnxruntime cannot load the network: {error}") from error


def differs(graph: onnx.ModelProto, batches: list[np.ndarray], wanted: np.ndarray) -> float:
    """The largest difference between onnxruntime's features and ``wanted``, each divided by its length."""
    return float(np.abs(unit(run(session(graph), batches)) - unit(wanted)).max())


def constant(node: onnx.NodeProto, inputs: list[np.ndarray], model: onnx.ModelProto) -> list[np.ndarray]:
    """What a node of ``model`` gives for inputs that are known before any image is: int8 weights that are dequantised,
    say."""
    names = [name for name in node.input if name]
    entries = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in zip(names, inputs, strict=True)
    ]
    graph = helper.make_graph([node], "constant", entries, [onnx.ValueInfoProto(name=name) for name in node.output])
    alone = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    return [np.asarray(value) for value in session(alone).run(None, dict(zip(names, inputs, strict=True)))]


def run(runner: onnxruntime.InferenceSession, batches: Iterable[np.ndarray]) -> np.ndarray:
    """The embeddings (n, d) of network inputs. A graph with a fixed batch is fed in its own steps."""
    entry = runner.get_inputs()[0]
    fixed = entry.shape[0] if isinstance(entry.shape[0], int) else None
    found = []
    for batch in batches:
        for part in np.split(batch, range(fixed, len(batch), fixed)) if fixed else [batch]:
            found.append(np.asarray(runner.run(None, {entry.name: part})[0]).reshape(len(part), -1))
    return np.concatenate(found)
