"""The small embedder that every form writes in its own way."""

from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE, DIMENSION = 32, 16


@dataclass
class Net:
    """A small embedder under construction: (batch, 3, SIDE, SIDE) ``crop`` to (batch, DIMENSION) ``embedding``."""

    opset: int = 17
    nodes: list = field(default_factory=list)
    constants: list = field(default_factory=list)
    batch: object = "batch"
    last: str = "crop"

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(1)

    def constant(self, name: str, values: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def draw(self, name: str, *shape: int, low: float = -1.0, high: float = 1.0) -> str:
        return self.constant(name, self.random.uniform(low, high, shape).astype(np.float32))

    def node(self, op: str, *inputs: str, **attributes: object) -> "Net":
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, [self.last, *inputs], [name], name=name, **attributes))
        self.last = name
        return self

    def conv(self, source: int, to: int, stride: int = 1) -> "Net":
        reach = (3.0 / (source * 9)) ** 0.5
        weight = self.draw(f"w{len(self.nodes)}", to, source, 3, 3, low=-reach, high=reach)
        bias = self.draw(f"b{len(self.nodes)}", to, low=-0.2, high=0.2)
        return self.node("Conv", weight, bias, kernel_shape=[3] * 2, pads=[1] * 4, strides=[stride] * 2)

    def norm(self, channels: int, *more: int, **attributes: object) -> "Net":
        at = len(self.nodes)
        parts = [
            self.draw(f"{part}{at}", channels, *more, low=low, high=high)
            for part, low, high in [("g", 0.5, 2.0), ("s", -1, 1), ("m", -1, 1), ("v", 0.1, 2.0)]
        ]
        return self.node("BatchNormalization", *parts, **attributes)

    def body(self) -> "Net":
        """(batch, 8, 4, 4)."""
        return self.conv(3, 8, stride=4).node("Relu").conv(8, 8, stride=2).node("Relu")

    def dense(self, columns: int = 128) -> "Net":
        weight, bias = self.draw("fc", DIMENSION, columns, low=-0.2, high=0.2), self.draw("fc_bias", DIMENSION)
        return self.node("Gemm", weight, bias, transB=1)

    def model(self) -> onnx.ModelProto:
        self.nodes[-1].output[0] = "embedding"
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("crop", TensorProto.FLOAT, [self.batch, 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [self.batch, DIMENSION])],
            self.constants,
        )
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8 if self.opset > 8 else 4)


def plain() -> Net:
    """The network as this project's trainer writes it."""
    return Net().body().node("Flatten").dense()


def normalised() -> onnx.ModelProto:
    """A network with a normalisation behind its first layer."""
    return Net().conv(3, 8, stride=4).norm(8).node("Relu").conv(8, 8, stride=2).node("Flatten").dense().model()
