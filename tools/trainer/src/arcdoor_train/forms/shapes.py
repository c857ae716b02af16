"""Batches and shapes, as exporters have written them."""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper

from arcdoor_train.forms.form import Form, Model, to
from arcdoor_train.forms.net import Net, plain


def forms() -> Iterator[Form]:
    """Batches, reshapes, and shapes that the graph computes."""
    for side in ("None", "batch", "N", "", -1, 0, 1, None):
        yield Form(f"batch {side!r}", to(batch(side)), reference=batch("batch") if side in (-1, 0) else None)
    for shape in ((1, 128), (-1, 128), (0, -1), (1, -1)):
        yield Form(f"Reshape to {list(shape)}", to(reshaped(*shape)))
    yield Form("Reshape to [8, -1], batch 8", to(eight_at_once), ("batch",), reference=lambda: plain().model())
    yield Form("view(size(0), -1), torch", to(traced_view("rest")))
    yield Form("view, all by Unsqueeze", to(traced_view("unsqueeze")))
    yield Form("a shape put together of constants", to(of_constants))


def batch(side: object) -> Model:
    def model() -> onnx.ModelProto:
        net = plain()
        net.batch = 1
        made = net.model()
        for info in (made.graph.input[0], made.graph.output[0]):
            dim = info.type.tensor_type.shape.dim[0]
            dim.Clear()
            if isinstance(side, str):
                dim.dim_param = side
            elif side is not None:
                dim.dim_value = side
        return made

    return model


def reshaped(*shape: int) -> Model:
    def model() -> onnx.ModelProto:
        net = Net(batch=1 if shape[0] == 1 else "batch").body()
        net.constant("shape", np.array(shape, np.int64))
        return net.node("Reshape", "shape").dense().model()

    return model


def eight_at_once() -> onnx.ModelProto:
    net = Net(batch=8).body()
    net.constant("shape", np.array([8, -1], np.int64))
    return net.node("Reshape", "shape").dense().model()


def traced_view(fold: str) -> Model:
    """``x.view(x.size(0), -1)`` as torch's exporters have written it."""

    def model() -> onnx.ModelProto:
        net = Net(opset=11).body()
        net.nodes.append(helper.make_node("Shape", [net.last], ["sides"]))
        net.nodes.append(
            helper.make_node("Constant", [], ["zero"], value=numpy_helper.from_array(np.array(0, np.int64)))
        )
        net.nodes.append(helper.make_node("Gather", ["sides", "zero"], ["first"], axis=0))
        net.nodes.append(helper.make_node("Unsqueeze", ["first"], ["firsts"], axes=[0]))
        if fold == "rest":
            net.constant("rest", np.array([-1], np.int64))
        else:
            # Computed from constants alone.
            net.constant("one", np.array(-1, np.int64))
            net.nodes.append(helper.make_node("Unsqueeze", ["one"], ["rest"], axes=[0]))
        net.nodes.append(helper.make_node("Concat", ["firsts", "rest"], ["shape"], axis=0))
        return net.node("Reshape", "shape").dense().model()

    return model


def of_constants() -> onnx.ModelProto:
    """A shape that is put together of constants, with arithmetic on them."""
    net = Net().body()
    net.constant("eight", np.array([8], np.int64))
    net.constant("sixteen", np.array([16], np.int64))
    net.constant("one", np.array([-1], np.int64))
    net.nodes.append(helper.make_node("Mul", ["eight", "sixteen"], ["columns"]))
    net.nodes.append(helper.make_node("Concat", ["one", "columns"], ["shape"], axis=0))
    return net.node("Reshape", "shape").dense().model()
