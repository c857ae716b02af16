"""Operators as older operator sets spelled them."""

from collections.abc import Iterator

import numpy as np
import onnx

from arcdoor_train.forms.form import Form, Model, to
from arcdoor_train.forms.net import Net, plain


def forms() -> Iterator[Form]:
    """Respelled for operator set 13, or refused."""
    for opset in (7, 8, 9, 11, 13, 14, 15, 21):
        yield Form(f"BatchNormalization of opset {opset}", to(old_norm(opset)))
    yield Form("BatchNormalization-7 with momentum", to(old_norm(7, momentum=0.3, spatial=1)))
    yield Form("BatchNormalization-7 with spatial=0", to(norm_by_value), ("spatial = 0", "n2"))
    yield Form("BatchNormalization in training mode", to(training_norm), ("training mode", "n2", "eval()"))
    for opset in (7, 10):
        yield Form(f"Clip of opset {opset}, bounds as attributes", to(old_clip(opset)))
    yield Form("Clip of opset 13", to(clip_of_constants))
    for opset in (7, 10):
        yield Form(f"Dropout of opset {opset}", to(old_dropout(opset)))
    for opset in (7, 9, 10, 11):
        for mode, scale in (("nearest", 2.0), ("nearest", 1.5), ("linear", 2.0)):
            yield Form(f"Upsample of opset {opset}, {mode}, by {scale}", to(upsampled(opset, mode, scale)))
    yield Form("Softmax of opset 11 over several axes", to(old_softmax))
    yield Form("operator set 6", to(opset_6), ("6", "7"), reference=lambda: plain().model())
    yield Form("Squeeze and ReduceMean with axes as attributes", to(squeezed))


def old_norm(opset: int, **attributes: object) -> Model:
    def model() -> onnx.ModelProto:
        net = Net(opset=opset).conv(3, 8, stride=4).norm(8, epsilon=2e-3, **attributes).node("Relu")
        net = net.node("MaxPool", kernel_shape=[2, 2], strides=[2, 2]).norm(8, **attributes)
        return net.node("Flatten").dense().model()

    return model


def norm_by_value() -> onnx.ModelProto:
    net = Net(opset=7).conv(3, 8, stride=4).node("Relu").norm(8, 8, 8, spatial=0)
    return net.node("MaxPool", kernel_shape=[2, 2], strides=[2, 2]).node("Flatten").dense().model()


def training_norm() -> onnx.ModelProto:
    net = Net(opset=17).conv(3, 8, stride=8).node("Relu").norm(8, training_mode=1)
    net.nodes[-1].output.extend(["running_mean", "running_var"])
    return net.node("Flatten").dense().model()


def old_clip(opset: int) -> Model:
    def model() -> onnx.ModelProto:
        net = Net(opset=opset).conv(3, 8, stride=8).node("Clip", min=-0.05, max=0.1)
        return net.node("Flatten").dense().model()

    return model


def clip_of_constants() -> onnx.ModelProto:
    net = Net(opset=13).conv(3, 8, stride=8)
    net.constant("low", np.array(-0.05, np.float32))
    net.constant("high", np.array(0.1, np.float32))
    return net.node("Clip", "low", "high").node("Flatten").dense().model()


def old_dropout(opset: int) -> Model:
    def model() -> onnx.ModelProto:
        net = Net(opset=opset).body().node("Dropout", ratio=0.4).node("Flatten").dense().node("Dropout", ratio=0.4)
        return net.model()

    return model


def upsampled(opset: int, mode: str, scale: float) -> Model:
    def model() -> onnx.ModelProto:
        net = Net(opset=opset).conv(3, 8, stride=8).node("Relu")
        scales = [1.0, 1.0, scale, scale]
        if opset == 7:
            net = net.node("Upsample", scales=scales, mode=mode)
        elif opset in (9, 10):
            net.constant("scales", np.array(scales, np.float32))
            net = net.node("Upsample" if opset == 9 else "Resize", "scales", mode=mode)
        else:
            net.constant("scales", np.array(scales, np.float32))
            net.constant("roi", np.zeros(8, np.float32))
            asymmetric = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            net = net.node("Resize", "roi", "scales", mode=mode, **asymmetric)
        side = int(4 * scale)
        return (
            net.node("AveragePool", kernel_shape=[side // 2] * 2, strides=[side // 2] * 2)
            .node("Flatten")
            .dense(32)
            .model()
        )

    return model


def old_softmax() -> onnx.ModelProto:
    """Before operator set 13, over all axes from ``axis`` on together."""
    net = Net(opset=11).conv(3, 8, stride=8).node("Softmax", axis=1)
    return net.node("Flatten").dense().model()


def opset_6() -> onnx.ModelProto:
    net = Net(opset=6).body()
    net = net.node("Add", net.draw("added", 8), broadcast=1, axis=1)
    return net.node("Flatten").dense().model()


def squeezed() -> onnx.ModelProto:
    net = Net(opset=11).body().node("ReduceMean", axes=[2, 3], keepdims=1).node("Squeeze", axes=[2, 3])
    net = net.node("Unsqueeze", axes=[2]).node("Squeeze", axes=[2])
    return net.dense(8).model()
