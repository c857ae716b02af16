"""Compression: a teacher is read as it computes, the closed form beats a random start, tuning beats the closed form, a
run that was killed goes on bit for bit, and what cannot be is refused by its name."""

import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from arcdoor_train import checkpoint, cli, compress, config, crops, data, device, export, macs, onnx_file, train
from arcdoor_train.backbones.chain import Chain, Layer, Shape
from arcdoor_train.compression import (
    closed_form,
    least_squares,
    plan_table,
    reader,
    selection,
    start,
    statistics,
    tuning,
    widths,
)
from arcdoor_train.compression.widths import Targets
from arcdoor_train.errors import BudgetError, CheckpointError, ConfigError, DataError, NotPlainError, UsageError
from arcdoor_train.world import World

SHAPE = Shape(
    (
        Layer(3, 16, 3, 4, 1), Layer(16, 16, 3, 1, 1, depthwise=True), Layer(16, 24),
        Layer(24, 24, 3, 2, 1, depthwise=True), Layer(24, 32), Layer(32, 32, 3, 2, 1), Layer(32, 48),
    ),
    24,
)  # fmt: skip


def teacher_of(seed=1, shape=SHAPE):
    """Random weights whose maps keep their size, and slopes as training leaves them."""
    torch.manual_seed(seed)
    chain = Chain(shape).eval()
    for layer in chain.layers:
        torch.nn.init.kaiming_normal_(layer[0].weight, 0.25)
        layer[1].weight.data.uniform_(0.0, 0.5)
    return chain.requires_grad_(False)


def some_faces(count=96, seed=0):
    faces = data.open_drawn(count, 1, seed)
    return torch.from_numpy(crops.to_input(np.stack([faces.read(n) for n in range(count)])))


def likeness(first, second, inputs):
    with torch.no_grad():
        return torch.cosine_similarity(first(inputs), second(inputs)).mean().item()


# Reading.


class Graph:
    """A network written node by node, with random weights."""

    def __init__(self):
        self.nodes, self.stored, self.random, self.last = [], [], np.random.default_rng(5), "data"

    def put(self, kind, *inputs, **attributes):
        names = [name if isinstance(name, str) else self.keep(name) for name in inputs]
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [name], name=name, **attributes))
        self.last = name
        return name

    def keep(self, values):
        name = f"stored_{len(self.stored)}"
        self.stored.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def conv(self, outputs, inputs, kernel=3, stride=2, groups=1, pads=1):
        weight = self.random.normal(
            0, (inputs // groups * kernel**2) ** -0.5, (outputs, inputs // groups, kernel, kernel)
        )
        return self.put(
            "Conv", self.last, weight, strides=[stride] * 2, pads=[pads] * 4, group=groups, kernel_shape=[kernel] * 2
        )

    def norm(self, channels):
        draw = self.random.uniform
        # Some of the scales are below 0, as SFace's are.
        gamma = draw(0.5, 1.5, channels) * np.where(draw(0, 1, channels) < 0.3, -1, 1)
        parts = gamma, draw(-0.3, 0.3, channels), draw(-0.3, 0.3, channels), draw(0.5, 1.5, channels)
        return self.put("BatchNormalization", self.last, *parts, epsilon=1e-3)

    def slopes(self, channels):
        return self.random.uniform(0.0, 0.9, (channels, 1, 1))

    def save(self, path, opset=17):
        crop = helper.make_tensor_value_info("data", 1, [1, 3, 112, 112])
        out = helper.make_tensor_value_info(self.last, 1, ["n", "d"])
        graph = helper.make_graph(self.nodes, "t", [crop], [out], self.stored)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
        return path


def begun():
    graph = Graph()
    graph.put("Mul", [1 / 128], graph.put("Sub", "data", [127.5]))
    graph.conv(8, 3)
    graph.norm(8)
    return graph


RAW = crops.Preprocess((0.0,) * 3, (1.0,) * 3)


def test_every_form_of_prelu_and_normalisation_is_read(tmp_path):
    graph = begun()
    x = graph.last
    above, below = graph.put("Relu", x), graph.put("Relu", graph.put("Neg", x))
    graph.put("Sub", above, graph.put("Mul", graph.slopes(8), below))
    graph.conv(8, 8, groups=8)
    x = graph.norm(8)
    graph.put("Max", x, graph.put("Mul", x, graph.slopes(8)))
    graph.conv(16, 8, 1, 1, pads=0)
    graph.put("PRelu", graph.norm(16), graph.slopes(16))
    graph.conv(16, 16, groups=16)
    graph.put("LeakyRelu", graph.last, alpha=0.2)
    graph.conv(12, 16, 1, 1, pads=0)
    graph.put("Relu", graph.last)
    graph.norm(12)
    graph.put("Dropout", graph.last)
    graph.put("Flatten", graph.last)
    graph.put("Gemm", graph.last, graph.random.normal(0, 0.04, (8, 12 * 49 * 4)), transB=1)
    gamma = np.array([1, -1] * 4)
    graph.put("BatchNormalization", graph.last, gamma, gamma, gamma, np.ones(8))
    path = graph.save(tmp_path / "teacher.onnx")
    # ``read`` compares with onnxruntime.
    chain = reader.read(path, RAW)
    assert chain.shape.widths == (8, 16, 12)
    assert chain.offset is None
    assert [layer.depthwise for layer in chain.shape.layers] == [False, True, False, True, False]
    moved = reader.read(path, crops.Preprocess((10.0, 0.0, -10.0), (1.0, 0.9, 1.1), "bgr"))
    assert moved.offset is not None
    with pytest.raises(NotPlainError, match="grey"):
        reader.read(path, crops.Preprocess((0.0,), (1.0,), "grey"))


def test_int8_weights_are_dequantised(tmp_path):
    from arcdoor_train import quantise

    teacher = teacher_of()
    path = tmp_path / "f32.onnx"
    export.export(teacher, "chain", path)
    onnx_file.save(quantise.weights(onnx_file.load(path)), tmp_path / "int8.onnx")
    read = reader.read(tmp_path / "int8.onnx", crops.Preprocess())
    assert read.shape == SHAPE
    assert likeness(read, teacher, some_faces(4)) > 0.999


def no_branch(graph):
    x = graph.put("Relu", graph.last)
    graph.conv(8, 8, 3, 1)
    graph.put("Add", graph.last, x)
    graph.conv(8, 8, 3, 2)


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (no_branch, "add_6.*joins two branches"),
        (lambda graph: graph.put("Div", [1.0], graph.last), "div_4.*joins two branches"),
        (lambda graph: (graph.put("Sigmoid", graph.last), graph.conv(8, 8)), "sigmoid_4.*Sigmoid has no place"),
        (lambda graph: (graph.put("Relu", graph.last), graph.conv(8, 8, groups=2)), "in groups"),
        (
            lambda graph: (graph.put("Relu", graph.last), graph.norm(8), graph.conv(8, 8)),
            "a shift before a convolution",
        ),
    ],
)
def test_what_is_no_chain_is_refused_by_the_node_s_name(tmp_path, spoil, named):
    graph = begun()
    spoil(graph)
    graph.put("Flatten", graph.last)
    graph.put("Gemm", graph.last, graph.random.normal(0, 0.04, (8, 8 * 28 * 28)), transB=1)
    with pytest.raises(NotPlainError, match=named):
        reader.read(graph.save(tmp_path / "teacher.onnx"), RAW)


def test_a_network_without_a_linear_layer_is_refused(tmp_path):
    graph = begun()
    graph.put("Relu", graph.last)
    with pytest.raises(NotPlainError, match="fully connected"):
        reader.read(graph.save(tmp_path / "teacher.onnx"), RAW)


# The closed form.


@pytest.fixture(scope="module")
def seen():
    teacher, inputs = teacher_of(), some_faces()
    return teacher, inputs, statistics.observe(teacher, inputs, 32, 1)


def test_the_greedy_choice_leaves_what_least_squares_leaves():
    random = torch.Generator().manual_seed(2)
    x = torch.randn(500, 7, generator=random, dtype=torch.double) @ torch.randn(7, 7, generator=random).double()
    x = x - x.mean(0)
    covariance, weighed = x.T @ x / len(x), torch.diag(torch.arange(1.0, 8.0).double())
    chosen, errors = selection.order(covariance, weighed, 7)
    assert sorted(chosen) == list(range(7))
    for count in (1, 3, 5):
        some = x[:, chosen[:count]]
        rest = x - some @ torch.linalg.lstsq(some, x).solution
        assert errors[count - 1] == pytest.approx(float((rest @ weighed.sqrt()).square().sum() / len(x)), rel=1e-2)
    assert errors == sorted(errors, reverse=True)


def test_with_every_channel_the_closed_form_is_the_teacher(seen):
    teacher, inputs, junctions = seen
    same = closed_form.build(teacher, junctions, SHAPE.widths, 0, inputs, 1)
    assert likeness(same, teacher, some_faces(16, 3)) > 0.999


NARROW = (8, 12, 16, 16, 24)


def test_the_closed_form_beats_a_random_start_and_its_choice_a_random_one(seen, monkeypatch):
    teacher, inputs, junctions = seen
    others = some_faces(32, 3)
    made = closed_form.build(teacher, junctions, NARROW, 12, inputs, 1)
    assert made.shape.layers[-1] == Layer(24, 12, bent=False)
    found = likeness(made, teacher, others)
    torch.manual_seed(0)
    assert found > likeness(Chain(made.shape).eval(), teacher, others) + 0.3

    def at_random(*_):
        return [torch.randperm(most)[:width].sort().values for most, width in zip(SHAPE.widths, NARROW, strict=True)]

    monkeypatch.setattr(closed_form, "choose", at_random)
    by_chance = [closed_form.build(teacher, junctions, NARROW, 12, inputs, 1) for _ in range(5)]
    assert found > max(likeness(one, teacher, others) for one in by_chance)


def test_a_moved_input_goes_into_the_student_s_bias(seen):
    _, inputs, _ = seen
    plain = teacher_of()
    moved = Chain(SHAPE, torch.tensor([0.2, -0.1, 0.3])).eval().requires_grad_(False)
    moved.load_state_dict({**plain.state_dict(), "offset": moved.offset})
    junctions = statistics.observe(moved, inputs, 32, 1)
    made = closed_form.build(moved, junctions, SHAPE.widths, 0, inputs, 1)
    assert made.offset is None
    assert likeness(made, moved, some_faces(16, 3)) > 0.99


def test_crops_that_cannot_be_read_are_passed_over():
    whole = data.open_drawn(6, 1, 0)
    drawn = whole.fetch
    whole.fetch = lambda number: b"no image" if number == 2 else drawn(number)
    found = start.inputs_of(whole, np.array([1, 2, 3, 5]), 2)
    wanted = crops.to_input(np.stack([drawn(1), drawn(3)]))
    assert np.array_equal(found.numpy(), wanted)
    assert len(start.inputs_of(whole, np.array([4, 2]), 2)) == 1
    with pytest.raises(DataError, match="not one crop"):
        start.inputs_of(whole, np.array([2]), 2)


def test_maps_that_overflow_are_named():
    fit = least_squares.LeastSquares()
    fit.add(torch.tensor([[1.0], [float("inf")]]), torch.ones(2, 1))
    with pytest.raises(DataError, match="65504"):
        fit.solve()


def test_a_shape_counts_as_its_network_does():
    cost = macs.count(Chain(SHAPE))
    assert (cost.macs, cost.parameters) == (SHAPE.macs(), SHAPE.parameters())
    assert Shape.of(json.loads(json.dumps(SHAPE.table()))) == SHAPE


# Widths.


def test_widths_meet_every_target_and_follow_the_times(seen, tmp_path):
    teacher, _, junctions = seen
    curves = widths.losses(teacher, junctions)
    assert [len(curve) for curve in curves] == list(SHAPE.widths)
    half = Targets(macs=0.5 * SHAPE.macs(), bytes=2.2 * SHAPE.parameters())
    chosen = widths.choose(SHAPE, curves, half, None, 8, 4)
    shape = closed_form.shape_of(SHAPE, chosen, 8)
    assert shape.macs() <= half.macs
    assert 4 * shape.parameters() <= half.bytes
    # Where one layer alone takes the time, that one is narrowed.
    slow = np.full(len(SHAPE.layers) + 1, 1.0)
    slow[4] = 1000.0
    (tmp_path / "t.toml").write_text(f"us = {slow.tolist()}\n")
    table = plan_table.read(tmp_path / "t.toml", SHAPE)
    assert table.ms(SHAPE) == pytest.approx(slow.sum() / 1e3)
    timed = widths.choose(SHAPE, curves, Targets(ms=0.6 * table.ms(SHAPE)), table, 0, 8)
    assert timed[0] == 16
    assert timed[3:] == SHAPE.widths[3:]
    assert timed[1] < 24 or timed[2] < 32
    with pytest.raises(BudgetError, match=r"compress\.targets: macs"):
        widths.choose(SHAPE, curves, Targets(macs=10.0), None, 8, 4)


def test_the_plan_s_table_is_divided_among_its_layers(tmp_path):
    steps = [("Conv+PRelu > Conv+PRelu", 30.0), ("Conv+PRelu", 5.0), ("Conv", 1.0), ("Conv", 1.0), ("Conv", 1.0)]
    steps += [("Conv+PRelu", 2.0), ("Gemm", 4.0)]
    network = {"kind": "network", "steps": [{"operators": o, "predicted_us": us} for o, us in steps]}
    other = {"kind": "network", "steps": [{"operators": "Conv", "predicted_us": 1.0}]}
    path = tmp_path / "plan.json"
    path.write_text("\n".join(json.dumps(line) for line in ({"kind": "pack_whole"}, other, network)))
    table = plan_table.read(path, SHAPE)
    assert len(table.us) == len(SHAPE.layers) + 1
    assert table.us[0] + table.us[1] == pytest.approx(30.0)
    assert table.us[0] / table.us[1] == pytest.approx(27 / 9)
    path.write_text(json.dumps(other))
    with pytest.raises(DataError, match="pack check --explain --json"):
        plan_table.read(path, SHAPE)


# A whole run.


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compress")
    export.export(teacher_of(), "chain", folder / "teacher.onnx")
    return folder


def text(place, name="run", section="", optim="", run=""):
    return f"""
    [run]
    folder = "{place}/{name}"
    device = "cpu"
    threads = 1
    log_every = 4
    checkpoint_steps = 3
    {run}
    [data]
    workers = 0
    drawn = {{ identities = 96, images = 1 }}
    augment = {{ noise = 0.3, flip = 0.5 }}
    [optim]
    epochs = 6
    batch = 16
    lr = 0.003
    weight_decay = 1e-4
    warmup_epochs = 0.5
    schedule = "cosine"
    {optim}
    [compress]
    widths = [8, 12, 16, 16, 24]
    rank = 12
    crops = 64
    sensitive = 32
    maps = [28, 14]
    directions = [8, 8]
    ema = 0.9
    teacher.path = "{place}/teacher.onnx"
    {section}
    [export]
    name = "tiny"
    """


def lines(place, name):
    found = [json.loads(line) for line in (place / name / "metrics.jsonl").read_text().splitlines()]
    return [{**line, "images_per_s": 0, "wait": 0} for line in found]


@pytest.fixture(scope="module")
def unbroken(place):
    return compress.run(config.parse(text(place)), quiet=True)


def test_tuning_beats_the_closed_form_and_is_exported(place, unbroken):
    teacher, others = teacher_of(), some_faces(48, 7)
    start, _ = checkpoint.load_model(unbroken / "closed-form")
    tuned, whole = checkpoint.load_model(unbroken)
    assert likeness(tuned, teacher, others) > likeness(start, teacher, others) + 0.01
    told = lines(place, "run")
    assert told[-1]["loss"] < told[0]["loss"]
    assert told[-1]["maps"] < told[0]["maps"]
    assert told[-1]["cosine"] > told[0]["cosine"]
    assert whole.model.backbone == "chain"
    said = json.loads((unbroken / "export" / "export.json").read_text())
    assert said["macs"] == tuned.shape.macs()
    assert "teacher.onnx" in (unbroken / "export" / "tiny.toml").read_text()
    if device.find():
        assert said["device"]["engine"] == "plan"
    with pytest.raises(UsageError, match="--resume"):
        compress.run(config.parse(text(place)), quiet=True)


KILLED = """
import os, signal, sys
from arcdoor_train import compress, config
from arcdoor_train.compression.tuning import Tuner
save = Tuner.save
def saved(tuner):
    path = save(tuner)
    if tuner.step == 15:
        os.kill(os.getpid(), signal.SIGKILL)
    return path
Tuner.save = saved
compress.run(config.parse(sys.stdin.read()), quiet=True)
"""


def test_a_killed_run_goes_on_bit_for_bit(place, unbroken):
    # Six steps an epoch: the 15th is in the middle of the third.
    whole = text(place, "killed")
    killed = subprocess.run([sys.executable, "-c", KILLED], input=whole, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    compress.run(config.parse(whole), resume=True, quiet=True)
    assert lines(place, "run") == lines(place, "killed")
    for file, part in (("model.pt", "model"), ("state.pt", "student"), ("state.pt", "maps")):
        one, two = (
            checkpoint.load_tensors(checkpoint.resolve(place / name) / file)[part] for name in ("run", "killed")
        )
        assert one.keys() == two.keys()
        assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def test_a_run_goes_on_as_it_began_or_not_at_all(place, unbroken):
    for wanted, named in (
        (text(place, optim="clip = 3.0"), r"optim\.clip"),
        (text(place, section="map_weight = 0.4"), r"compress\.map_weight"),
    ):
        with pytest.raises(CheckpointError, match=named):
            compress.run(config.parse(wanted), resume=True, quiet=True)


def started(place, name, start):
    again = text(place, name, section=f'start = "{start}"').replace("epochs = 6", "epochs = 1")
    return config.parse(again.replace("widths = [8, 12, 16, 16, 24]", "").replace("rank = 12", ""))


def test_a_tuned_network_is_tuned_on(place, unbroken):
    compress.run(started(place, "again", unbroken), quiet=True)
    assert lines(place, "again")[0]["cosine"] > lines(place, "run")[0]["cosine"]


def test_a_file_of_a_burst_is_tuned_on(place, unbroken):
    (place / "doornet-m.pt").write_bytes((checkpoint.resolve(unbroken) / "model.pt").read_bytes())
    compress.run(started(place, "file", place / "doornet-m.pt"), quiet=True)
    assert lines(place, "file")[0]["cosine"] > lines(place, "run")[0]["cosine"]


def test_what_was_compressed_is_trained_on_by_labels(place, unbroken, tmp_path):
    begun = tmp_path / "begun.pt"
    begun.write_bytes((checkpoint.resolve(unbroken) / "model.pt").read_bytes())
    whole = config.parse(f"""
        [run]
        folder = "{tmp_path}/run"
        device = "cpu"
        keep = 9
        [data]
        workers = 0
        drawn = {{ identities = 6, images = 4 }}
        [model]
        backbone = "chain"
        dimension = 24
        init = "{begun}"
        [optim]
        epochs = 2
        batch = 8
        lr = 1e-4
    """)
    run = train.train(whole, quiet=True)
    tuned, trained = checkpoint.load_model(unbroken)[0], checkpoint.load_model(run)[0]
    assert trained.shape == tuned.shape
    assert 0.9 < likeness(trained, tuned, some_faces(8)) < 1 - 1e-6
    # The run knows its own layers.
    begun.unlink()
    shutil.rmtree(checkpoint.list_steps(run)[-1])
    train.train(whole, resume=True, quiet=True)
    again = checkpoint.load_model(run)[0].state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in trained.state_dict().items())
    assert cli.main(["export", str(run), "--out", str(tmp_path)]) == 0
    assert f"begun with the weights of {begun}" in (tmp_path / "export" / "chain.toml").read_text()


def test_a_start_of_another_teacher_is_named(place):
    other = teacher_of(shape=Shape(SHAPE.layers[:-2], 24))
    checkpoint.save_model(place / "other.pt", other, config.parse(text(place)))
    with pytest.raises(ConfigError, match=r"other\.pt is of another teacher"):
        compress.run(started(place, "never", place / "other.pt"), quiet=True)


def test_bf16_learns_too(place, unbroken):
    short = text(place, "bf16", optim="precision = 'bf16'").replace("epochs = 6", "epochs = 1")
    compress.run(config.parse(short), quiet=True)
    assert lines(place, "bf16")[0]["loss"] == pytest.approx(lines(place, "run")[0]["loss"], rel=0.1)
    short = text(place, "half", section="half_teacher = true").replace("epochs = 6", "epochs = 1")
    compress.run(config.parse(short), quiet=True)
    assert lines(place, "half")[0]["loss"] == pytest.approx(lines(place, "run")[0]["loss"], rel=0.1)
    assert lines(place, "half")[0]["loss"] != lines(place, "run")[0]["loss"]


def test_steps_whose_loss_is_no_number_change_nothing(place, monkeypatch):
    whole = config.parse(text(place, "nan"))
    source, _ = data.gather(whole.data, 1)
    tuner = tuning.Tuner(whole, World(0, 1, torch.device("cpu")), source)
    before = {name: tensor.clone() for name, tensor in tuner.pupil.student.state_dict().items()}
    monkeypatch.setattr(tuner.pupil.maps, "forward", lambda *_: torch.tensor(float("nan"), requires_grad=True))
    images, labels, _ = next(iter(tuner.batches()))
    assert np.isnan(tuner.train_step(images, labels, 0.01))
    assert all(torch.equal(before[name], tensor) for name, tensor in tuner.pupil.student.state_dict().items())


def test_the_closed_form_alone_is_exported(place):
    file = place / "closed.toml"
    file.write_text(text(place, "closed"))
    assert cli.main(["compress", "--config", str(file), "--closed-form", "--quiet"]) == 0
    assert (place / "closed" / "export" / "tiny.onnx").is_file()
    assert not checkpoint.list_steps(place / "closed")
    assert cli.main(["export", str(place / "closed" / "closed-form"), "--out", str(place / "by-hand")]) == 0


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("widths = [8, 12, 16, 16, 24]", "", "either widths, or targets"),
        ("widths = [8, 12, 16, 16, 24]", "widths = [8, 12, 16, 24]", "as many numbers"),
        ("widths = [8, 12, 16, 16, 24]", "widths = [8, 12, 16, 16, 99]", "none above its own"),
        ("rank = 12", "rank = 12\n    targets.macs = 1e6", "either widths, or targets"),
        ("rank = 12", "start = 'runs/x'", "either widths, or targets"),
        ("rank = 12", "rang = 12", "did you mean"),
        ("widths = [8, 12, 16, 16, 24]", "targets.ms = 1.0", r"wants compress\.table"),
        ("maps = [28, 14]", "maps = [28, 13]", "no map of side 13"),
        ("maps = [28, 14]", "maps = [28]", "one number of directions for each map"),
        ("lr = 0.003", "lr = 0.1", "AdamW"),
        ("batch = 16", "batch = 16\n    micro_batch = 4", r"optim\.micro_batch"),
        ("batch = 16", "batch = 16\n    precision = 'fp16'", "fp32 and bf16"),
        ("[optim]", "[model]\n    backbone = 'dense-xs'\n    [optim]", "from the teacher"),
        ("sensitive = 32", "sensitive = 65", r"not more than compress\.crops"),
    ],
)
def test_what_makes_no_sense_is_refused(place, old, new, named):
    assert old in text(place)
    with pytest.raises(ConfigError, match=named):
        compress.run(config.parse(text(place, "bad").replace(old, new)), quiet=True)


def test_a_missing_section_and_a_network_above_the_track_are_refused(place, monkeypatch):
    with pytest.raises(ConfigError, match=r"no section \[compress\]"):
        compress.run(config.parse("[run]\nfolder = 'x'"))
    monkeypatch.setattr(export, "LIGHT_FLOPS", 1e5)
    with pytest.raises(BudgetError, match="light track"):
        compress.run(config.parse(text(place, "heavy")), quiet=True)
