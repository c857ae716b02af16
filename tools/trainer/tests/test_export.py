"""Export: what is written computes what was trained, here and on the device; what breaks a budget is refused."""

import hashlib
import tomllib

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from arcdoor_train import (
    backbones,
    checkpoint,
    cli,
    config,
    crops,
    device,
    export,
    feature_file,
    macs,
    onnx_file,
    quantise,
)
from arcdoor_train.errors import BudgetError, DataError, DiskError, TrainError

CONFIG = config.parse('[model]\nbackbone = "dense-xs"\ndimension = 64\n[export]\nname = "tiny"\n')


def trained(name="dense-xs", dimension=64, seed=1):
    """A network whose normalisation has seen something."""
    torch.manual_seed(seed)
    model = backbones.build(name, dimension).train()
    with torch.no_grad():
        for n in range(2):
            model(torch.from_numpy(crops.to_input(crops.random(8, n))))
    return model.eval()


@pytest.fixture(scope="module")
def model():
    return trained()


@pytest.fixture(scope="module")
def lab():
    found = device.find()
    if found is None:
        pytest.skip(device.ABSENT)
    return found


def test_finish_writes_a_file_that_passes_and_its_card(model, tmp_path, lab):
    answer = export.finish(tmp_path, model, CONFIG)
    assert answer["device"]["passed"]
    assert answer["device"]["max_difference"] < 1e-5
    path = tmp_path / "export" / "tiny.onnx"
    card = tomllib.loads(path.with_suffix(".toml").read_text())
    assert card["embedder"]["source_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card["embedder"]["dimension"] == 64
    assert card["embedder"]["preprocess"]["alignment"] == "arcface-112"
    graph = onnx.load(path).graph
    assert not graph.value_info
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_without_the_device_it_says_so(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(device, "find", lambda: None)
    answer = export.finish(tmp_path, model, CONFIG)
    assert answer["device"] is None
    assert "NOT checked" in capsys.readouterr().out


def test_another_network_does_not_pass_for_this_one(model, tmp_path, lab):
    export.export(model, "dense-xs", tmp_path / "a.onnx")
    images = crops.random(4)
    other = export.embed(trained(seed=2), crops.to_input(images))
    found = device.parity(lab, tmp_path / "a.onnx", images, other)
    assert not found.passed


def test_equal_weights_do_not_keep_a_network_from_the_plan(tmp_path, lab):
    fresh = backbones.build("dense-xs", 16).eval()  # its biases are all zero once folded
    export.export(fresh, "dense-xs", tmp_path / "a.onnx")
    graph = onnx_file.load(tmp_path / "a.onnx").graph
    assert "Identity" not in {node.op_type for node in graph.node}
    images = crops.random(2)
    found = device.parity(lab, tmp_path / "a.onnx", images, export.embed(fresh, crops.to_input(images)))
    assert found.passed
    assert found.engine == "plan"


def test_a_file_that_the_device_cannot_run_is_an_error(tmp_path, lab):
    (tmp_path / "a.onnx").write_bytes(b"no network")
    with pytest.raises(TrainError, match="cannot run"):
        device.parity(lab, tmp_path / "a.onnx", crops.random(2), np.ones((2, 4)))


def test_a_network_that_onnx_computes_otherwise_is_not_written(tmp_path):
    class Fickle(nn.Module):
        """Looks at the batch's size while it is traced."""

        def __init__(self):
            super().__init__()
            self.inner = trained()

        def forward(self, x):
            return self.inner(x) if len(x) == 1 else self.inner(x).flip(1)

    with pytest.raises(TrainError, match="differs from PyTorch"):
        export.export(Fickle(), "dense-xs", tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("backbone", "budget", "gmac", "size", "refused"),
    [
        ("dense-s", "size", 0.149, 1, False),
        ("dense-s", "size", 0.151, 1, True),
        ("dense-m", "size", 0.499, 1, False),
        ("dense-m", "size", 0.501, 1, True),
        ("dense-s", "light", 0.151, 1, False),
        ("dense-s", "size", 0.1, export.MAX_BYTES, True),
        ("iresnet50", "size", 6.3, 1, True),
        ("iresnet50", "none", 6.3, 10**9, False),
    ],
)
def test_budgets(backbone, budget, gmac, size, refused):
    cost = macs.Cost(int(gmac * 1e9), int(2e9 * gmac), 1)
    if refused:
        with pytest.raises(BudgetError):
            export.check_budget(backbone, budget, cost, size)
    else:
        export.check_budget(backbone, budget, cost, size)


def test_the_budget_is_the_gates_and_no_second_number():
    table = tomllib.loads(export.LIGHT_TRACK.read_text(encoding="utf-8"))
    assert table["flops"]["at_most"] == export.LIGHT_FLOPS
    assert table["file"]["below_bytes"] == export.MAX_BYTES
    kept, over = (macs.Cost(1, export.LIGHT_FLOPS + more, 1) for more in (0, 1))
    export.check_budget("dense-m", "light", kept, export.MAX_BYTES - 1)
    with pytest.raises(BudgetError, match="light track"):
        export.check_budget("dense-m", "light", over, 1)
    with pytest.raises(BudgetError, match=str(export.MAX_BYTES)):
        export.check_budget("dense-m", "light", kept, export.MAX_BYTES)


def test_a_full_disk_leaves_nothing_half_written(model, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(onnx_file.os, "replace", full)
    with pytest.raises(DiskError, match="No space"):
        onnx_file.save(onnx_file.trace(backbones.reparameterise(model), 17), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("opset", onnx_file.OPSETS)
def test_int8_weights(model, opset, tmp_path, lab):
    plain = onnx_file.trace(backbones.reparameterise(model), opset)
    small = quantise.weights(plain)
    assert small.ByteSize() < 0.4 * plain.ByteSize()
    inputs = crops.to_input(crops.random(8))
    cosines = np.sum(
        feature_file.unit(onnx_file.run(onnx_file.session(small), [inputs]))
        * feature_file.unit(export.embed(model, inputs)),
        axis=1,
    )
    assert cosines.min() > 0.999
    onnx_file.save(small, tmp_path / "a.onnx")
    reference = onnx_file.run(onnx_file.session(small), [inputs])
    assert device.parity(lab, tmp_path / "a.onnx", crops.random(8), reference).passed
    with pytest.raises(DataError, match="already"):
        quantise.weights(small)


def test_rounding_loses_no_more_than_the_widest_scale_and_cuts_no_weight_far():
    values = np.random.default_rng(0).normal(size=(5, 3, 3, 64)).astype(np.float32)
    values[2] = 0
    values[3, 0, 0, 0] = 40
    for axis in (0, 1, 3):
        rounded, scale = quantise._int8(values, axis)
        shape = [1] * 4
        shape[axis] = -1
        others = tuple(n for n in range(4) if n != axis)
        widest = np.abs(values).max(axis=others, keepdims=True) / 127
        usual = np.rint(values / np.where(widest > 0, widest, 1)) * widest
        error = np.square(rounded * scale.reshape(shape) - values).sum(axis=others)
        assert np.all(error <= np.square(usual - values).sum(axis=others) * (1 + 1e-6))
        assert rounded.min() >= -127
        assert np.all(scale >= 0.59 * widest.ravel())


def test_int8_weights_are_what_pytorch_computes_with_them(model, tmp_path, capsys):
    export.finish(tmp_path, model, CONFIG)
    checkpoint.save_model(tmp_path / "model.pt", model, CONFIG)
    first, second = tmp_path / "export" / "tiny.onnx", tmp_path / "int8.onnx"
    command = ["quantise", str(first), "--checkpoint", str(tmp_path / "model.pt"), "--out", str(second)]
    assert cli.main(command) == 0
    assert "differs from PyTorch with the same weights by" in capsys.readouterr().out
    assert cli.main([*command[:2], "--out", str(second)]) == 0
    assert "differs from the float file with the same weights by" in capsys.readouterr().out
    card = tomllib.loads(second.with_suffix(".toml").read_text())
    assert "weights stored as int8, a scale for each output channel" in card["embedder"]["source"]
    small = onnx_file.load(second)
    fronts = [node for node in small.graph.node if node.op_type == "DequantizeLinear"]
    assert fronts
    assert all(len(node.input) == 2 for node in fronts), "a zero point left out is 0"
    # Another network's weights are noticed.
    inputs = crops.to_input(crops.random(2))
    torch.manual_seed(9)
    other = onnx_file.trace(backbones.reparameterise(backbones.build("dense-xs", 64)), 17)
    with pytest.raises(DataError, match="another network"):
        quantise.parity(quantise.weights(other), other, inputs, torch.nn.Linear(2, 2))


@pytest.mark.parametrize("per_channel", [True, False])
def test_qdq_loads_on_the_device(model, per_channel, tmp_path, lab):
    inputs = crops.to_input(crops.random(8))
    small = quantise.qdq(onnx_file.trace(backbones.reparameterise(model), 17), inputs, per_channel)
    assert any(node.op_type == "QuantizeLinear" for node in small.graph.node)
    onnx_file.save(small, tmp_path / "a.onnx")
    reference = onnx_file.run(onnx_file.session(small), [inputs])
    found = device.parity(lab, tmp_path / "a.onnx", crops.random(8), reference, 2e-2, 0.999)
    assert found.passed, found


def test_a_card_that_follows_its_file(model, tmp_path):
    export.finish(tmp_path, model, CONFIG)
    first = tmp_path / "export" / "tiny.onnx"
    second = first.with_name("tiny-weights.onnx")
    onnx_file.save(quantise.weights(onnx_file.load(first)), second)
    export.card_like(first, second, "int8")
    card = tomllib.loads(second.with_suffix(".toml").read_text())
    assert card["embedder"]["source_sha256"] == hashlib.sha256(second.read_bytes()).hexdigest()
    assert card["embedder"]["source"].endswith("; int8")
    assert crops.Preprocess.of(second.with_suffix(".toml")) == crops.Preprocess()


def test_a_card_says_what_its_network_takes(tmp_path):
    path = tmp_path / "grey.onnx"
    path.write_bytes(b"a network")
    takes = crops.Preprocess((100.0,), (0.01,), "grey")
    place = export.card(path, export.Export(), 64, "made up", takes)
    table = tomllib.loads(place.read_text())["embedder"]["preprocess"]
    assert table == {
        "width": 112, "height": 112, "layout": "nchw", "channel_order": "grey",
        "mean": [100.0], "scale": [0.01], "alignment": "arcface-112",
    }  # fmt: skip
    assert crops.Preprocess.of(place) == takes
    place.write_text(place.read_text().replace("arcface-112", "loose"))
    with pytest.raises(DataError, match="loose"):
        crops.Preprocess.of(place)
