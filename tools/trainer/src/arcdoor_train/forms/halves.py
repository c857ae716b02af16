"""16-bit floats: weights alone, and throughout."""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from arcdoor_train.forms.form import Form, to
from arcdoor_train.forms.net import normalised

#: onnxruntime rounds every result of a network of 16-bit floats to them, the device none.
TOLERANCE = 2e-3


def forms() -> Iterator[Form]:
    """f32 of the same values in the pack."""
    yield Form("16-bit weights behind Cast", to(half_weights))
    yield Form("16-bit floats throughout, Cast at both ends", to(lambda: halves(normalised(), True)), reference=widened)
    yield Form(
        "16-bit floats throughout, input and output too", to(lambda: halves(normalised(), False)), reference=widened
    )
    yield Form(
        "16-bit floats, against onnxruntime's own rounding", to(lambda: halves(normalised(), True)), (), TOLERANCE
    )


def halves(model: onnx.ModelProto, keep_io: bool) -> onnx.ModelProto:
    """Every constant as 16-bit floats; input and output too, or behind a Cast."""
    graph = model.graph
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32:
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))
    if keep_io:
        for node in graph.node:
            node.input[:] = ["crop16" if name == "crop" else name for name in node.input]
            node.output[:] = ["embedding16" if name == "embedding" else name for name in node.output]
        graph.node.insert(0, helper.make_node("Cast", ["crop"], ["crop16"], to=TensorProto.FLOAT16))
        graph.node.append(helper.make_node("Cast", ["embedding16"], ["embedding"], to=TensorProto.FLOAT))
    else:
        graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
        graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    return model


def widened() -> onnx.ModelProto:
    """``normalised`` with f32 constants of the same values."""
    model = normalised()
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return model


def half_weights() -> onnx.ModelProto:
    """Weights as 16-bit floats behind a Cast, computing in f32."""
    model = normalised()
    casts = []
    for tensor in model.graph.initializer:
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), name + "16"))
        casts.append(helper.make_node("Cast", [name + "16"], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
    return model
