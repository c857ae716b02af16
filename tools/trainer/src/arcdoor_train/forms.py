"""``python -m arcdoor_train.forms``: ONNX files as the field writes them, each built into a pack by ``arcdoor-lab`` and
compared with onnxruntime on both of the device's engines. ``docs/packs.md`` has a row for each form."""

import hashlib
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from arcdoor_train import crops, device, feature_file
from arcdoor_train.errors import TrainError

SIDE, DIMENSION, CROPS = 32, 16, 4
#: The largest difference of unit-length templates from onnxruntime's that passes.
TOLERANCE = 1e-5
#: onnxruntime rounds every result of a network of 16-bit floats to them, the device none.
HALF_TOLERANCE = 2e-3
BUILD_S = 300


@dataclass(frozen=True)
class Form:
    """One way to write a network."""

    name: str
    #: Writes ``model.onnx`` and whatever lies beside it into a folder.
    write: Callable[[Path], None]
    #: What the refusal says; empty where the form is taken.
    refused: tuple[str, ...] = ()
    tolerance: float = TOLERANCE
    #: What onnxruntime runs in the file's place, where it does not read the file itself.
    reference: Callable[[], onnx.ModelProto] | None = None
    #: onnxruntime runs the file of the pack in place of the source.
    as_built: bool = False
    #: Further arguments of `pack build`.
    arguments: tuple[str, ...] = ()


@dataclass
class Net:
    """A small embedder under construction: (batch, 3, SIDE, SIDE) ``crop`` to (batch, DIMENSION) ``embedding``."""

    opset: int = 17
    seed: int = 1
    nodes: list = field(default_factory=list)
    constants: list = field(default_factory=list)
    batch: object = "batch"
    kind: int = TensorProto.FLOAT
    last: str = "crop"

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def constant(self, name: str, values: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def draw(self, name: str, *shape: int, low: float = -1.0, high: float = 1.0) -> str:
        return self.constant(name, self.random.uniform(low, high, shape).astype(np.float32))

    def node(self, op: str, *inputs: str, output: str = "", **attributes: object) -> "Net":
        name = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, [self.last, *inputs], [name], name=name, **attributes))
        self.last = name
        return self

    def conv(self, source: int, to: int, kernel: int = 3, stride: int = 1, **attributes: object) -> "Net":
        reach = (3.0 / (source * kernel * kernel)) ** 0.5
        weight = self.draw(f"w{len(self.nodes)}", to, source, kernel, kernel, low=-reach, high=reach)
        bias = self.draw(f"b{len(self.nodes)}", to, low=-0.2, high=0.2)
        pads = [kernel // 2] * 4
        return self.node("Conv", weight, bias, kernel_shape=[kernel] * 2, pads=pads, strides=[stride] * 2, **attributes)

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

    def model(self, out: object = None) -> onnx.ModelProto:
        self.nodes[-1].output[0] = "embedding"
        batch = self.batch if out is None else out
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("crop", self.kind, [self.batch, 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("embedding", self.kind, [batch, DIMENSION])],
            self.constants,
        )
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8 if self.opset > 8 else 4)


def plain() -> Net:
    return Net().body().node("Flatten").dense()


def to(model: Callable[[], onnx.ModelProto]) -> Callable[[Path], None]:
    return lambda folder: (folder / "model.onnx").write_bytes(model().SerializeToString())


# External data


def external(**how: object) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        options = {"all_tensors_to_one_file": True, "location": "model.onnx.data", "size_threshold": 0, **how}
        onnx.save_model(plain().model(), folder / "model.onnx", save_as_external_data=True, **options)

    return write


def tampered(change: Callable[[Path, dict[str, str]], None]) -> Callable[[Path], None]:
    """External data of one constant changed by ``change``, which is given the folder and the constant's entries."""

    def write(folder: Path) -> None:
        external()(folder)
        model = onnx.load(folder / "model.onnx", load_external_data=False)
        tensor = model.graph.initializer[0]
        entries = {entry.key: entry.value for entry in tensor.external_data}
        change(folder, entries)
        del tensor.external_data[:]
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
        (folder / "model.onnx").write_bytes(model.SerializeToString())

    return write


def elsewhere(location: str) -> Callable[[Path], None]:
    return tampered(lambda _, entries: entries.update(location=location))


def entry(**changes: str) -> Callable[[Path], None]:
    return tampered(lambda _, entries: entries.update(changes))


def linked(folder: Path, entries: dict[str, str]) -> None:
    (folder / "model.onnx.data").rename(folder.parent / "outside.data")
    os.symlink(folder.parent / "outside.data", folder / "model.onnx.data")


def shorter(folder: Path, entries: dict[str, str]) -> None:
    with open(folder / "model.onnx.data", "r+b") as file:
        file.truncate(64)


def removed(folder: Path, entries: dict[str, str]) -> None:
    (folder / "model.onnx.data").unlink()


def pipe(folder: Path, entries: dict[str, str]) -> None:
    removed(folder, entries)
    os.mkfifo(folder / "model.onnx.data")


# Batch and shapes


def batch(side: object) -> Callable[[], onnx.ModelProto]:
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


def reshaped(*shape: int) -> Callable[[], onnx.ModelProto]:
    def model() -> onnx.ModelProto:
        net = Net(batch=1 if shape[0] == 1 else "batch").body()
        net.constant("shape", np.array(shape, np.int64))
        return net.node("Reshape", "shape").dense().model()

    return model


def eight_at_once() -> onnx.ModelProto:
    net = Net(batch=8).body()
    net.constant("shape", np.array([8, -1], np.int64))
    return net.node("Reshape", "shape").dense().model()


def traced_view(fold: str) -> Callable[[], onnx.ModelProto]:
    """``x.view(x.size(0), -1)`` as torch's exporters have written it."""

    def model() -> onnx.ModelProto:
        net = Net(opset=11).body()
        x = net.last
        net.nodes.append(helper.make_node("Shape", [x], ["sides"]))
        net.nodes.append(
            helper.make_node("Constant", [], ["zero"], value=numpy_helper.from_array(np.array(0, np.int64)))
        )
        net.nodes.append(helper.make_node("Gather", ["sides", "zero"], ["first"], axis=0))
        net.nodes.append(helper.make_node("Unsqueeze", ["first"], ["firsts"], axes=[0]))
        minus = np.array([-1], np.int64)
        if fold == "rest":
            net.constant("rest", minus)
        else:
            # Computed from constants alone.
            net.constant("one", np.array(-1, np.int64))
            net.nodes.append(helper.make_node("Unsqueeze", ["one"], ["rest"], axes=[0]))
        net.nodes.append(helper.make_node("Concat", ["firsts", "rest"], ["shape"], axis=0))
        net.last = x
        return net.node("Reshape", "shape").dense().model()

    return model


def of_constants() -> onnx.ModelProto:
    """A shape that is put together of constants, with arithmetic on them."""
    net = Net().body()
    net.constant("eight", np.array([8], np.int64))
    net.constant("sixteen", np.array([16], np.int64))
    net.constant("one", np.array([-1], np.int64))
    x = net.last
    net.nodes.append(helper.make_node("Mul", ["eight", "sixteen"], ["columns"]))
    net.nodes.append(helper.make_node("Concat", ["one", "columns"], ["shape"], axis=0))
    net.last = x
    return net.node("Reshape", "shape").dense().model()


def multiplied_sides() -> onnx.ModelProto:
    """The columns as the product of three sides that are read off the map."""
    net = Net().body()
    x = net.last
    made = helper.make_node
    net.nodes.append(made("Shape", [x], ["sides"]))
    net.constant("from", np.array([1], np.int64))
    net.constant("end", np.array([4], np.int64))
    net.constant("axis", np.array([0], np.int64))
    net.nodes.append(made("Slice", ["sides", "from", "end", "axis"], ["inner"]))
    net.nodes.append(made("Cast", ["inner"], ["reals"], to=TensorProto.FLOAT))
    net.constant("batch_side", np.array([-1], np.int64))
    net.nodes.append(made("ReduceProd", ["reals"], ["product"], axes=[0], keepdims=1))
    net.nodes.append(made("Cast", ["product"], ["columns"], to=TensorProto.INT64))
    net.nodes.append(made("Concat", ["batch_side", "columns"], ["shape"], axis=0))
    net.last = x
    return net.node("Reshape", "shape").dense().model()


# Older operator sets


def old_norm(opset: int, **attributes: object) -> Callable[[], onnx.ModelProto]:
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


def old_clip(opset: int) -> Callable[[], onnx.ModelProto]:
    def model() -> onnx.ModelProto:
        net = Net(opset=opset).conv(3, 8, stride=8).node("Clip", min=-0.05, max=0.1)
        return net.node("Flatten").dense().model()

    return model


def clip_of_constants() -> onnx.ModelProto:
    net = Net(opset=13).conv(3, 8, stride=8)
    net.constant("low", np.array(-0.05, np.float32))
    net.constant("high", np.array(0.1, np.float32))
    return net.node("Clip", "low", "high").node("Flatten").dense().model()


def old_dropout(opset: int) -> Callable[[], onnx.ModelProto]:
    def model() -> onnx.ModelProto:
        net = Net(opset=opset).body().node("Dropout", ratio=0.4).node("Flatten").dense().node("Dropout", ratio=0.4)
        return net.model()

    return model


def upsampled(opset: int, mode: str = "nearest", scale: float = 2.0) -> Callable[[], onnx.ModelProto]:
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
    net = Net(opset=6).body().node("Add", net_bias(), broadcast=1, axis=1)
    net.draw("added", 8)
    return net.node("Flatten").dense().model()


def net_bias() -> str:
    return "added"


def squeezed() -> onnx.ModelProto:
    net = Net(opset=11).body().node("ReduceMean", axes=[2, 3], keepdims=1).node("Squeeze", axes=[2, 3])
    net = net.node("Unsqueeze", axes=[2]).node("Squeeze", axes=[2])
    return net.dense(8).model()


# 16-bit floats


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


def half_net() -> onnx.ModelProto:
    return Net().conv(3, 8, stride=4).norm(8).node("Relu").conv(8, 8, stride=2).node("Flatten").dense().model()


def widened() -> onnx.ModelProto:
    """``half_net`` with f32 constants of the same values."""
    model = half_net()
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return model


def half_weights() -> onnx.ModelProto:
    """Weights as 16-bit floats behind a Cast, computing in f32."""
    model = half_net()
    casts = []
    for tensor in model.graph.initializer:
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), name + "16"))
        casts.append(helper.make_node("Cast", [name + "16"], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
    return model


# 8-bit weights


def eight_bits(zero: bool = True, gemm: bool = True) -> Callable[[], onnx.ModelProto]:
    """Weights as int8 with a scale for each output channel, behind DequantizeLinear."""

    def model() -> onnx.ModelProto:
        made = half_net() if gemm else Net().body().node("Flatten").dense().model()
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


def forms() -> Iterator[Form]:
    """Every form that is tried."""
    yield Form("as this project's trainer writes it", to(lambda: plain().model()))
    yield Form("external data, one file", external())
    yield Form("external data, a file for each constant", external(all_tensors_to_one_file=False))
    yield Form("external data, small constants inside", external(size_threshold=1024))
    yield Form("external data without offset and length", external_bare)
    data = "model.onnx.data"
    yield Form("external data that is missing", tampered(removed), (data, "beside"))
    yield Form("external data in ..", elsewhere("../model.onnx.data"), ("../model.onnx.data", "plain name"))
    yield Form("external data by an absolute path", elsewhere("/etc/passwd"), ("/etc/passwd", "plain name"))
    yield Form("external data behind a link", tampered(linked), (data, "link"))
    yield Form("external data as a pipe", tampered(pipe), (data,))
    yield Form("external data that is cut", tampered(shorter), (data, "ends"))
    yield Form("external data with an offset past the end", entry(offset="999999999"), (data, "ends"))
    yield Form("external data with a negative offset", entry(offset="-4"), ("offset",))
    yield Form("external data of a wrong length", entry(length="8"), ("length",))
    yield Form("external data of a huge length", entry(length="18446744073709551615"), ("length",))
    for side in ("None", "batch", "N", "", -1, 0, 1, None):
        yield Form(f"batch {side!r}", to(batch(side)), reference=batch("batch") if side in (-1, 0) else None)
    for shape in ((1, 128), (-1, 128), (0, -1), (1, -1)):
        yield Form(f"Reshape to {list(shape)}", to(reshaped(*shape)))
    yield Form("Reshape to [8, -1], batch 8", to(eight_at_once), ("batch",), reference=lambda: plain().model())
    yield Form("view(size(0), -1), torch", to(traced_view("rest")))
    yield Form("view, all by Unsqueeze", to(traced_view("unsqueeze")))
    yield Form("a shape put together of constants", to(of_constants))
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
    yield Form("16-bit weights behind Cast", to(half_weights))
    yield Form("16-bit floats throughout, Cast at both ends", to(lambda: halves(half_net(), True)), reference=widened)
    yield Form(
        "16-bit floats throughout, input and output too", to(lambda: halves(half_net(), False)), reference=widened
    )
    yield Form(
        "16-bit floats, against onnxruntime's own rounding", to(lambda: halves(half_net(), True)), (), HALF_TOLERANCE
    )
    yield Form("int8 weights, zero points", to(eight_bits()))
    yield Form("int8 weights, no zero points", to(eight_bits(zero=False)))
    made = ("--int8-weights",)
    yield Form("int8 weights, made here", to(half_net), as_built=True, arguments=made)
    yield Form("int8 weights as they come, made here too", to(eight_bits()), as_built=True, arguments=made)


def external_bare(folder: Path) -> None:
    external(all_tensors_to_one_file=False)(folder)
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        kept = [e for e in tensor.external_data if e.key == "location"]
        del tensor.external_data[:]
        tensor.external_data.extend(kept)
    (folder / "model.onnx").write_bytes(model.SerializeToString())


# The comparison


@dataclass(frozen=True)
class Outcome:
    """What became of a form."""

    form: Form
    #: Empty where the form was taken.
    refusal: str
    #: Largest difference of unit-length templates from onnxruntime's, by plan and by tract.
    differences: tuple[float, ...]

    @property
    def passed(self) -> bool:
        if self.form.refused:
            return bool(self.refusal) and all(word in self.refusal for word in self.form.refused)
        return not self.refusal and all(found <= self.form.tolerance for found in self.differences)

    def __str__(self) -> str:
        said = self.refusal or ", ".join(f"{found:.1e}" for found in self.differences)
        return f"{'ok  ' if self.passed else 'FAIL'} {self.form.name}: {said}"


def try_form(form: Form, lab: Path) -> Outcome:
    """Builds a pack of the form and compares its templates with onnxruntime's."""
    with tempfile.TemporaryDirectory(prefix="arcdoor-form-") as name:
        place = Path(name)
        folder = place / "source"
        folder.mkdir()
        form.write(folder)
        _detector(folder / "detector.onnx")
        (place / "recipe.toml").write_text(_recipe(folder))
        built = _run(
            lab,
            "pack",
            "build",
            "--recipe",
            place / "recipe.toml",
            "--source",
            folder,
            "--out",
            place / "pack",
            *form.arguments,
        )
        if built.returncode != 0:
            return Outcome(form, " ".join(built.stderr.split()), ())
        pictures = _pictures()
        names = crops.save(place / "crops", pictures)
        (place / "list.txt").write_text("\n".join(names) + "\n")
        feature_file.write(place / "reference.bin", _reference(form, folder, pictures))
        return Outcome(form, "", tuple(_difference(lab, place, engine) for engine in ("auto", "tract")))


def _pictures() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (CROPS, SIDE, SIDE, 3), dtype=np.uint8)


def _run(lab: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(lab), *map(str, arguments)]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=BUILD_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TrainError(f"arcdoor-lab {arguments[0]}: {error}") from error


def _difference(lab: Path, place: Path, engine: str) -> float:
    import json

    done = _run(
        lab, "parity", "--json", "--engine", engine, "--pack", place / "pack", "--crops", place / "crops",
        "--list", place / "list.txt", "--reference", place / "reference.bin",
    )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    if not lines:
        raise TrainError(f"arcdoor-lab parity: {done.stderr.strip()}")
    return float(json.loads(lines[-1])["max_difference"])


def _reference(form: Form, folder: Path, pictures: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    file = (folder.parent / "pack" if form.as_built else folder) / "model.onnx"
    source = form.reference().SerializeToString() if form.reference else str(file)
    runner = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    entry = runner.get_inputs()[0]
    planes = ((pictures.astype(np.float32) - 127.5) / 128).transpose(0, 3, 1, 2)
    planes = planes.astype(np.float16 if "16" in entry.type else np.float32)
    rows = [np.asarray(runner.run(None, {entry.name: planes[i : i + 1]})[0]) for i in range(len(planes))]
    return np.concatenate([row.reshape(1, -1) for row in rows]).astype(np.float32)


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


def main() -> int:
    lab = device.find()
    if lab is None:
        raise SystemExit(device.ABSENT)
    warnings.simplefilter("ignore")
    wanted = sys.argv[1:]
    for word in wanted:
        if not any(word in form.name for form in forms()):
            raise SystemExit(f"no form's name has {word!r} in it; without words all are tried")
    failed = 0
    for form in forms():
        if wanted and not any(word in form.name for word in wanted):
            continue
        try:
            outcome = try_form(form, lab)
        except Exception as error:
            print(f"FAIL {form.name}: {error}")
            failed += 1
            continue
        print(outcome)
        failed += not outcome.passed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
