"""The recipe of a pack whose embedder is a form."""

import hashlib
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from arcdoor_train.forms.net import DIMENSION, SIDE


def write(path: Path, folder: Path) -> None:
    """The recipe for the ``model.onnx`` of ``folder``, and into that folder the detector that a pack needs."""
    _detector(folder / "detector.onnx")
    path.write_text(_recipe(folder))


def _detector(path: Path) -> None:
    """One convolution: a pack needs a detector, and nothing here runs it."""
    weight = numpy_helper.from_array(np.full((1, 3, 1, 1), 0.1, np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1])],
        "detector",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, "h", "w"])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())


def _recipe(folder: Path) -> str:
    def net(role: str, file: str, output: str, side: int, more: str, scale: float, mean: float) -> str:
        sha256 = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        return f"""
[{role}]
source_file = "{file}"
source_sha256 = "{sha256}"
file = "{file}"
outputs = ["{output}"]
{more}
licence = "MIT"
source = "drawn by arcdoor_train.forms"
training_data = "none"

[{role}.preprocess]
width = {side}
height = {side}
layout = "nchw"
channel_order = "rgb"
mean = [{mean}, {mean}, {mean}]
scale = [{scale}, {scale}, {scale}]
"""

    detector = net("detector", "detector.onnx", "y", 320, "", 1.0, 0.0)
    embedder = net("embedder", "model.onnx", "embedding", SIDE, f"dimension = {DIMENSION}", 0.0078125, 127.5)
    return f"""name = "forms"
description = "one form of an embedder"
{detector}{embedder}
[calibration]
data = "none"
genuine = 0
impostor = 0

[[calibration.rows]]
fmr = 1e-4
threshold = 1.0
fmr_low = 0.0
fmr_high = 1.0
tmr = 0.0
"""
