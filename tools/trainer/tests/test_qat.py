"""QAT: rounding is int8, training lowers what it costs, and the device computes what was trained."""

import numpy as np
import pytest
import torch

from arcdoor_train import backbones, cli, crops, device, export, onnx_file, qat, verify
from arcdoor_train.errors import CheckpointError, DataError
from arcdoor_train.feature_file import unit


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("qat")
    crops.save(folder / "set", crops.random(24))
    torch.manual_seed(4)
    model = backbones.build("dense-xs", 32).train()
    with torch.no_grad():
        model(torch.from_numpy(crops.to_input(crops.random(8))))
    plain = backbones.reparameterise(model.eval())
    rounded = qat.prepare(plain)
    torch.set_num_threads(1)
    losses = qat.train(rounded, plain, crops.Crops(folder / "set"), qat.Qat(steps=40, batch=8, rate=3e-4))
    return folder, model, rounded, losses


def test_training_lowers_what_rounding_costs(place):
    losses = place[3]
    assert np.mean(losses[-8:]) < np.mean(losses[:8])


def test_weights_lie_on_int8_levels(place):
    layer = next(module for module in place[2].modules() if isinstance(module, qat.Rounded))
    weight = torch.fake_quantize_per_channel_affine(layer.layer.weight, layer.scale, layer.zero, 0, -128, 127)
    levels = weight.flatten(1) / layer.scale[:, None]
    assert torch.allclose(levels, levels.round(), atol=1e-3)
    assert levels.abs().max() <= 128


def test_an_export_is_what_was_trained_here_and_on_the_device(place):
    folder, model, rounded, _ = place
    graph = qat.to_onnx(qat.freeze(rounded))
    layers = sum(isinstance(module, qat.Rounded) for module in rounded.modules())
    kinds = [node.op_type for node in graph.graph.node]
    assert kinds.count("QuantizeLinear") == layers, "activations alone: weights are stored as int8"
    assert kinds.count("DequantizeLinear") == 2 * layers
    assert graph.ByteSize() < 0.45 * onnx_file.trace(backbones.reparameterise(model), 13).ByteSize()
    onnx_file.save(graph, folder / "qat.onnx")
    images = crops.random(8, seed=5)
    found = onnx_file.run(onnx_file.session(folder / "qat.onnx"), [crops.to_input(images)])
    torch_side = export.embed(rounded, crops.to_input(images))
    assert (unit(found) * unit(torch_side)).sum(axis=1).min() > 0.9999
    lab = device.find()
    if lab is None:
        pytest.skip(device.ABSENT)
    assert device.parity(lab, folder / "qat.onnx", images, found, *verify.ROUNDED).passed
    export.export(model, "dense-xs", folder / "f32.onnx")
    rows = verify.verify(
        [folder / "f32.onnx", folder / "qat.onnx"], images, export.embed(model, crops.to_input(images)), lab
    )
    assert not rows[0].problems
    assert rows[1].rounds_activations
    assert "the reference" in verify.table(rows)
    assert [row.device.engine for row in rows] == ["plan", "tract"]
    assert rows[0].tract_ms > 0
    assert rows[1].tract_ms is None, "it is the device's time already"
    assert "qat.onnx: the plan does not run int8" in verify.notes(rows)
    assert not verify.notes(rows[:1])


def test_a_broken_form_is_named(place, tmp_path):
    _, model, _, _ = place
    export.export(model, "dense-xs", tmp_path / "f32.onnx")
    images = crops.random(4)
    wrong = export.embed(model, crops.to_input(crops.random(4, seed=9)))[:, ::-1].copy()
    assert verify.verify([tmp_path / "f32.onnx"], images, wrong)[0].problems


def test_ranges_before_training_are_refused():
    with pytest.raises(DataError, match="at least one step"):
        qat.Activation().freeze()


def test_a_stopped_run_goes_on_bit_for_bit(place, tmp_path, monkeypatch):
    folder, model, _, _ = place
    faces, wanted = crops.Crops(folder / "set"), qat.Qat(steps=9, batch=4, save_steps=2)

    def run(name, resume=False):
        plain = backbones.reparameterise(model)
        rounded = qat.prepare(plain)
        (tmp_path / name).mkdir(exist_ok=True)
        losses = qat.train(rounded, plain, faces, wanted, tmp_path / name, resume)
        return losses, rounded.state_dict(), [line["loss"] for line in qat.journal.read(tmp_path / name)]

    unbroken = run("unbroken")
    add = qat.journal.Journal.add

    def stop(book, line):
        add(book, line)
        if line["step"] == 6:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(qat.journal.Journal, "add", stop)
        with pytest.raises(KeyboardInterrupt):
            run("stopped")
    # The line of step 6 was written, its state was not: the run goes on from step 4.
    losses, weights, lines = run("stopped", resume=True)
    assert losses == unbroken[0]
    assert all(torch.equal(tensor, unbroken[1][name]) for name, tensor in weights.items())
    assert lines == unbroken[2]
    wanted = qat.Qat(steps=12, batch=4, save_steps=2)
    with pytest.raises(CheckpointError, match="other qat"):
        run("stopped", resume=True)


def test_the_command_takes_the_section_and_keeps_a_run(place, tmp_path, capsys):
    folder, model, _, _ = place
    text = '[model]\nbackbone = "dense-xs"\ndimension = 32\n[qat]\nsteps = 4\nbatch = 3\n'
    qat.checkpoint.save_model(tmp_path / "model.pt", model, qat.config.parse(text))
    command = ["qat", str(tmp_path), "--crops", str(folder / "set")]
    assert cli.main([*command, "--steps", "2"]) == 0
    assert "over 2 steps" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "qat").iterdir()} == {
        "config.toml", "environment.json", "metrics.jsonl", "curves.png", "lock", qat.STATE,
    }  # fmt: skip
    assert qat.config.load(tmp_path / "qat" / "config.toml").foreign["qat"]["batch"] == 3
    assert cli.main(command) != 0
    assert "--resume" in capsys.readouterr().err
    assert cli.main([*command, "--resume", "--steps", "0"]) != 0
    assert "at least 1" in capsys.readouterr().err
