"""int8 weights: as they come, and made by ``pack build``."""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper

from arcdoor_train.forms.form import Form, Model, to
from arcdoor_train.forms.net import normalised


def forms() -> Iterator[Form]:
    """Weights that come so stay so, and others are made so where it is asked."""
    yield Form("int8 weights, zero points", to(eight_bits()))
    yield Form("int8 weights, no zero points", to(eight_bits(zero=False)))
    made = ("--int8-weights",)
    yield Form("int8 weights, made here", to(normalised), as_built=True, arguments=made)
    yield Form("int8 weights as they come, made here too", to(eight_bits()), as_built=True, arguments=made)


def eight_bits(zero: bool = True) -> Model:
    """Weights as int8 with a scale for each output channel, behind DequantizeLinear."""

    def model() -> onnx.ModelProto:
        made = normalised()
        nodes = []
        for tensor in list(made.graph.initializer):
            values = numpy_helper.to_array(tensor)
            if values.ndim not in (2, 4):
                continue
            rows = values.reshape(len(values), -1)
            scales = (np.abs(rows).max(axis=1) / 127).astype(np.float32)
            name = tensor.name
            whole = np.clip(np.round(rows / scales[:, None]), -127, 127).astype(np.int8).reshape(values.shape)
            tensor.CopyFrom(numpy_helper.from_array(whole, name + ".int8"))
            inputs = [name + ".int8", name + ".scale"]
            made.graph.initializer.append(numpy_helper.from_array(scales, inputs[1]))
            if zero:
                inputs.append(name + ".zero")
                made.graph.initializer.append(numpy_helper.from_array(np.zeros(len(scales), np.int8), inputs[2]))
            nodes.append(helper.make_node("DequantizeLinear", inputs, [name], axis=0))
        for node in reversed(nodes):
            made.graph.node.insert(0, node)
        return made

    return model
