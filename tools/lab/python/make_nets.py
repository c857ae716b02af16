"""Writes the networks of the benches that no package holds, with random weights: time does not depend on them.

    python3 make_nets.py DIR

makes nets/*.onnx (whole embedders) and operators/*.onnx (chains and sums of one operator), each with a line in its
folder's index.json: name, file, input shape, multiply-accumulates. Weights keep activations near 1, so that no value becomes
denormal; batch normalisation is folded into the convolutions, as every exporter does, save where IResNet normalises
before a padded convolution.
"""

import json
import math
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 13
IR_VERSION = 8
TWICE = "-x16"  # What bench_kernels.rs looks for.
LEAST = 1e-4  # No weight is nearer to 0: products of small weights could become denormal.


class Graph:
    """A straight way of writing ONNX: each method appends one node and returns its output's name."""

    def __init__(self, shape, seed=1):
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants, self.shapes = [], [], {"input": tuple(shape)}
        self.macs = 0

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
        return name

    def weights(self, *shape, fan_in, gain=2.0):
        drawn = self.random.normal(0, math.sqrt(gain / fan_in), shape)
        return self.constant(np.where(np.abs(drawn) < LEAST, LEAST, drawn))

    def node(self, kind, inputs, shape, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=f"n{len(self.nodes)}", **attributes))
        self.shapes[name] = tuple(shape)
        return name

    def conv(self, x, channels, kernel, stride=1, pad=None, groups=1, act=None, gain=2.0):
        _, into, h, w = self.shapes[x]
        pad = kernel // 2 if pad is None else pad
        h, w = ((side + 2 * pad - kernel) // stride + 1 for side in (h, w))
        fan_in = into // groups * kernel * kernel
        self.macs += channels * h * w * fan_in
        inputs = [x, self.weights(channels, into // groups, kernel, kernel, fan_in=fan_in, gain=gain)]
        inputs.append(self.constant(self.random.normal(0, 0.1, channels)))
        y = self.node(
            "Conv", inputs, (1, channels, h, w), kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=groups
        )
        return self.activate(y, act)

    def activate(self, x, act):
        if act == "relu":
            return self.node("Relu", [x], self.shapes[x])
        if act == "prelu":
            slopes = self.random.uniform(0.1, 0.4, (self.shapes[x][1], 1, 1))
            return self.node("PRelu", [x, self.constant(slopes)], self.shapes[x])
        return x

    def add(self, a, b):
        return self.node("Add", [a, b], self.shapes[a])

    def norm(self, x):
        channels = self.shapes[x][1]
        near_one = lambda: self.constant(self.random.uniform(0.8, 1.2, channels))
        zero = lambda: self.constant(self.random.normal(0, 0.1, channels))
        return self.node("BatchNormalization", [x, near_one(), zero(), zero(), near_one()], self.shapes[x])

    def dense(self, x, width):
        size = math.prod(self.shapes[x])
        self.macs += size * width
        flat = self.node("Flatten", [x], (1, size), axis=1)
        inputs = [flat, self.weights(width, size, fan_in=size), self.constant(self.random.normal(0, 0.1, width))]
        return self.node("Gemm", inputs, (1, width), transB=1)

    def save(self, path, output):
        value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        self.nodes.append(helper.make_node("Identity", [output], ["output"], name="last"))
        graph = helper.make_graph(
            self.nodes,
            path.stem,
            [value("input", self.shapes["input"])],
            [value("output", self.shapes[output])],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="make_nets.py")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        path.write_bytes(model.SerializeToString())
        shape = list(self.shapes["input"])
        return {"name": path.stem, "file": path.name, "input": shape, "outputs": ["output"], "macs": self.macs}


def mobilefacenet(act):
    """Chen and others, "MobileFaceNets" (2018), table 1."""
    g = Graph((1, 3, 112, 112))
    x = g.conv("input", 64, 3, stride=2, act=act)
    x = g.conv(x, 64, 3, groups=64, act=act)
    for expansion, channels, repeats, stride in ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1)):
        for index in range(repeats):
            inside = g.shapes[x][1] * expansion
            y = g.conv(x, inside, 1, act=act)
            y = g.conv(y, inside, 3, stride=stride if index == 0 else 1, groups=inside, act=act)
            same = g.shapes[x][1] == channels and (index > 0 or stride == 1)
            y = g.conv(y, channels, 1, gain=0.25 if same else 1.0)
            x = g.add(y, x) if same else y
    x = g.conv(x, 512, 1, act=act)
    x = g.conv(x, 512, 7, pad=0, groups=512, gain=1.0)
    return g, g.conv(x, 128, 1, gain=1.0)


def t_c():
    """Patch stem, dense 3x3 bottlenecks at 64@28, 128@14 and 256@7, global depthwise head."""
    g = Graph((1, 3, 112, 112))
    x = g.conv("input", 64, 4, stride=4, pad=0, act="relu")
    for channels, blocks in ((64, 2), (128, 6), (256, 2)):
        if g.shapes[x][1] != channels:
            x = g.conv(x, channels, 2, stride=2, pad=0, act="relu")
        for _ in range(blocks):
            y = g.conv(x, channels // 2, 1, act="relu")
            y = g.conv(y, channels // 2, 3, act="relu")
            x = g.activate(g.add(g.conv(y, channels, 1, gain=0.25), x), "relu")
    x = g.conv(x, 256, 7, pad=0, groups=256, gain=1.0)
    return g, g.conv(x, 128, 1, gain=1.0)


def iresnet50():
    """InsightFace's r50 (recognition/arcface_torch/backbones/iresnet.py)."""
    g = Graph((1, 3, 112, 112))
    x = g.conv("input", 64, 3, act="prelu")
    for channels, blocks in ((64, 3), (128, 4), (256, 14), (512, 3)):
        for index in range(blocks):
            stride = 2 if index == 0 else 1
            y = g.conv(g.norm(x), channels, 3, act="prelu")
            y = g.conv(y, channels, 3, stride=stride, gain=0.25)
            same = x if index else g.conv(x, channels, 1, stride=2, gain=1.0)
            x = g.add(y, same)
    return g, g.dense(g.norm(x), 512)


def chain(channels, side, kernel, depthwise=False, length=8):
    """One operator with ReLU, `length` times: a layout that an engine prefers inside costs it little."""
    g = Graph((1, channels, side, side))
    x = "input"
    for _ in range(length):
        x = g.conv(x, channels, kernel, groups=channels if depthwise else 1, act="relu")
    return g, x


def branches(channels, side, kernel, stride, pad, count):
    """A depthwise operator `count` times on one map, the results added up: what cannot follow itself."""
    g = Graph((1, channels, side, side))
    x = g.conv("input", channels, 3, groups=channels, act="relu")
    total = None
    for _ in range(count):
        y = g.conv(x, channels, kernel, stride=stride, pad=pad, groups=channels, gain=0.25)
        total = y if total is None else g.add(total, y)
    return g, total


def single(into, out, side, kernel, stride, pad, depthwise=False):
    g = Graph((1, into, side, side))
    groups = into if depthwise else 1
    return g, g.conv("input", out, kernel, stride=stride, pad=pad, groups=groups, act="relu")


NETS = {
    "mobilefacenet-prelu": lambda: mobilefacenet("prelu"),
    "mobilefacenet-relu": lambda: mobilefacenet("relu"),
    "t_c": t_c,
    "iresnet50": iresnet50,
}
OPERATORS = {
    **{f"conv3x3-{c}@{s}": lambda c=c, s=s: chain(c, s, 3) for c, s in ((32, 56), (64, 28), (128, 14), (256, 14), (256, 7))},
    **{f"conv1x1-{c}@{s}": lambda c=c, s=s: chain(c, s, 1) for c, s in ((64, 56), (128, 28), (256, 14), (512, 7))},
    # Twice as long, too: the difference is eight operators without the ways into and out of an engine's layout.
    **{
        f"dw3x3-{c}@{s}{twice}": lambda c=c, s=s, n=n: chain(c, s, 3, True, n)
        for c, s in ((64, 56), (128, 28), (256, 14), (512, 7))
        for twice, n in (("", 8), (TWICE, 16))
    },
    **{
        f"{name}-added{twice}": lambda shape=shape, n=n: branches(*shape, n)
        for name, shape in (("dw3x3s2-128@56", (128, 56, 3, 2, 1)), ("dw7x7-global-512@7", (512, 7, 7, 1, 0)))
        for twice, n in (("", 8), (TWICE, 16))
    },
    "dw3x3s2-128@56": lambda: single(128, 128, 56, 3, 2, 1, True),
    "dw7x7-global-512@7": lambda: single(512, 512, 7, 7, 1, 0, True),
    "patch4-3to64@112": lambda: single(3, 64, 112, 4, 4, 0),
    "stem3x3s2-3to64@112": lambda: single(3, 64, 112, 3, 2, 1),
    "conv2x2s2-64to128@28": lambda: single(64, 128, 28, 2, 2, 0),
}


def main():
    for folder, makers in (("nets", NETS), ("operators", OPERATORS)):
        target = pathlib.Path(sys.argv[1]) / folder
        target.mkdir(parents=True, exist_ok=True)
        rows = []
        for name, make in makers.items():
            graph, output = make()
            rows.append(graph.save(target / f"{name}.onnx", output))
        (target / "index.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
