"""The loop: resume, processes, failures.

The rate is low on purpose: with four images behind each BatchNorm, at 0.05 a perturbation of the weights by 1e-7 moves
the loss by 2 % within six steps in one process alone, which would hide what these tests look for. At 0.005, a
difference of 1e-7 in the weights still moved it by 6e-5 once, again in one process alone.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.modules.batchnorm import _BatchNorm

from arcdoor_train import checkpoint, config, data, journal, lock, train, world
from arcdoor_train.errors import CheckpointError, ConfigError, DataError, DiskError, DivergedError, UsageError
from arcdoor_train.optimiser import rate
from arcdoor_train.trainer import Trainer, normalise, recomputed
from arcdoor_train.world import World

TEXT = """
[run]
folder = "{folder}"
device = "cpu"
threads = 1
log_every = 1
checkpoint_steps = 1
keep = 9
[data]
workers = {workers}
drawn = {{ identities = 6, images = 4 }}
augment = {{ noise = 0.5, jpeg = 0.3 }}
[model]
backbone = "dense-xs"
dimension = 16
dropout = 0.2
[head]
scale = 16.0
{head}
[optim]
epochs = 2
batch = 8
micro_batch = 4
lr = 0.001
milestones = [1]
{optim}
"""


def settings(folder, workers=0, head="", optim=""):
    return TEXT.format(folder=folder, workers=workers, head=head, optim=optim)


def losses(run):
    return [(line["step"], line["loss"]) for line in journal.read(Path(run))]


def weights(run):
    return checkpoint.load_tensors(checkpoint.resolve(run) / "model.pt")["model"]


def first_gradients(run):
    """The momentum after the first step is its gradient (with the weight decay's share)."""
    folder = Path(run) / "checkpoints/step-00000001"
    state = checkpoint.load_tensors(folder / "state.pt")["optimiser"]["state"]
    found = [state[key]["momentum_buffer"] for key in sorted(state)]
    head = checkpoint.read_head(folder, 0, 6)
    return found + ([head["momentum"]] if "momentum" in head else [])


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    return train.train(config.parse(settings(folder)), quiet=True)


def start(tmp_path, text, *more, processes=1, env=None):
    file = tmp_path / "config.toml"
    file.write_text(text)
    command = [sys.executable, "-m", "arcdoor_train.cli", "train", "--config", str(file), "--quiet", *more]
    if processes > 1:
        torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
        command = [sys.executable, *torchrun, *command[1:]]
    return subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {}), "OMP_NUM_THREADS": "1"},
    )


def test_a_killed_run_goes_on_bit_for_bit(tmp_path, unbroken):
    run = tmp_path / "run"
    process = start(tmp_path, settings(run, workers=1))
    deadline = time.monotonic() + 120
    while not (run / "checkpoints/step-00000002").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    # In the middle of an epoch: 24 images, 8 a step.
    for path in checkpoint.list_steps(run)[2:]:
        shutil.rmtree(path)
    assert checkpoint.resolve(run).name == "step-00000002"
    train.train(config.parse(settings(run)), resume=True, quiet=True)
    assert losses(run) == losses(unbroken)
    assert same(weights(run), weights(unbroken))


@pytest.mark.parametrize("head", ["", "kind = 'adaface'", "kind = 'adaface'\nsharded = true\ncentres = 3"])
def test_two_processes_match_one(tmp_path, unbroken, head):
    one = unbroken
    if head:
        one = train.train(config.parse(settings(tmp_path / "one", head=head)), quiet=True)
    two = tmp_path / "two"
    process = start(tmp_path, settings(two, head=head), processes=2)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    for (step, loss), (_, other) in zip(losses(one), losses(two), strict=True):
        assert loss == pytest.approx(other, rel=1e-5), step
    for first, second in zip(first_gradients(one), first_gradients(two), strict=True):
        assert torch.allclose(first, second, rtol=0, atol=1e-6 * max(1.0, first.abs().max().item()))
    (a, b), folders = (weights(one), weights(two)), [checkpoint.resolve(run) for run in (one, two)]
    if head:
        of_one, of_two = (checkpoint.read_head(folder, 0, 6) for folder in folders)
        assert of_one["whole.norm_mean"] != 20.0
        for name in ("whole.norm_mean", "whole.norm_deviation"):
            assert of_one[name].item() == pytest.approx(of_two[name].item(), rel=1e-6), name
    for name in a:
        assert torch.allclose(a[name].float(), b[name].float(), atol=2e-5), name


def test_another_number_of_processes_goes_on(tmp_path, unbroken):
    """From one process's checkpoint with two: same order, same schedule, loss within 1e-4."""
    run = tmp_path / "run"
    shorter = config.parse(settings(run, head="sharded = true"))
    whole = train.train(shorter, quiet=True)
    wanted = losses(whole)
    for path in checkpoint.list_steps(run)[1:]:
        shutil.rmtree(path)
    process = start(tmp_path, settings(run, head="sharded = true"), "--resume", processes=2)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert [loss for _, loss in losses(run)] == pytest.approx([loss for _, loss in wanted], rel=1e-4)


def trainer_of(tmp_path, **more):
    whole = config.parse(settings(tmp_path / "run", **more))
    source, _ = data.gather(whole.data, whole.run.seed)
    return Trainer(whole, World(0, 1, torch.device("cpu")), source)


@pytest.mark.parametrize(
    ("head", "optim", "lr"), [("", "", 0.1), ("filter = 0.05", "", 0.1), ("", "kind = 'adamw'", 1e-3)]
)
def test_sharded_head_of_one_is_the_whole_head(tmp_path, head, optim, lr):
    """Loss and centres after one step, and after two, where momentum counts: own SGD and AdamW against torch's."""
    whole, sharded = (trainer_of(tmp_path, head=f"{more}\n{head}", optim=optim) for more in ("", "sharded = true"))
    images, labels, _ = next(iter(whole.batches()))
    for tolerance in (1e-6, 1e-5):
        first, second = whole.train_step(images, labels, lr), sharded.train_step(images, labels, lr)
        assert first == pytest.approx(second, rel=tolerance)
        assert torch.allclose(whole.head.weight, sharded.sharded.weight, atol=tolerance)


def test_sampled_classes_move_alone(tmp_path):
    trainer = trainer_of(tmp_path, head="sample = 0.34")
    before = trainer.sharded.weight.clone()
    images = (
        torch.zeros(8, 112, 112, 3, dtype=torch.uint8) + torch.arange(8, dtype=torch.uint8)[:, None, None, None] * 20
    )
    labels = torch.tensor([0, 1] * 4)
    assert np.isfinite(trainer.train_step(images, labels, 0.1))
    moved = (trainer.sharded.weight != before).any(1)
    assert moved.sum() == 3
    assert moved[:2].all()


def test_a_bad_batch_leaves_everything_as_it_was(tmp_path, monkeypatch):
    trainer = trainer_of(tmp_path)
    images, labels, _ = next(iter(trainer.batches()))
    trainer.train_step(images, labels, 0.1)
    before = {name: tensor.clone() for name, tensor in trainer.net.state_dict().items() if "num_batches" not in name}
    monkeypatch.setattr("arcdoor_train.trainer.normalise", lambda *a: normalise(*a) * float("nan"))
    assert np.isnan(trainer.train_step(images, labels, 0.1))
    after = {name: tensor for name, tensor in trainer.net.state_dict().items() if "num_batches" not in name}
    assert same(before, after)
    monkeypatch.undo()
    assert np.isfinite(trainer.train_step(images, labels, 0.1))


def test_no_number_for_long_ends_the_run(tmp_path, monkeypatch):
    whole = config.parse(settings(tmp_path / "run", optim="max_bad_steps = 2"))
    calls = []

    def spoiled(*arguments):
        calls.append(0)
        return normalise(*arguments) * (float("nan") if len(calls) > 6 else 1.0)

    monkeypatch.setattr("arcdoor_train.trainer.normalise", spoiled)
    with pytest.raises(DivergedError, match="last checkpoint is whole"):
        train.train(whole, quiet=True)
    checkpoint.load_model(tmp_path / "run")


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    run = tmp_path / "run"
    whole = config.parse(settings(run))
    good = os.fsync
    count = []

    def full(descriptor):
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        count.append(name)
        if "step-00000003" in name and "state" in name:
            raise OSError(28, "No space left on device")
        return good(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match="No space left"):
        train.train(whole, quiet=True)
    monkeypatch.undo()
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["step-00000001", "step-00000002"]
    train.train(whole, resume=True, quiet=True)
    assert losses(run)[-1][0] == 6


def test_a_dead_worker_is_said(tmp_path, monkeypatch):
    def die(_self, _index):
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(data.Dataset, "read", die)
    with pytest.raises(DataError, match="data worker died"):
        train.train(config.parse(settings(tmp_path / "run", workers=1)), quiet=True)


def test_a_stuck_disk_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(data.Dataset, "read", lambda _self, _index: time.sleep(60))
    text = settings(tmp_path / "run", workers=1).replace("workers = 1", "workers = 1\ntimeout_s = 1.0")
    with pytest.raises(DataError, match="timeout_s"):
        train.train(config.parse(text), quiet=True)


def test_wrong_checkpoints(tmp_path, unbroken):
    whole = config.parse(settings(unbroken))
    with pytest.raises(UsageError, match="--resume"):
        train.train(whole, quiet=True)
    other = dataclasses.replace(whole, head=dataclasses.replace(whole.head, m2=0.3))
    with pytest.raises(CheckpointError, match=r"head\.m2"):
        train.train(other, resume=True, quiet=True)
    broken = tmp_path / "model.pt"
    content = bytearray((checkpoint.resolve(unbroken) / "model.pt").read_bytes())
    content[len(content) // 2] ^= 0xFF
    broken.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load_model(broken)
    for at in range(40, 1000, 41):  # Names in the archive and its directory, at its end.
        changed = bytearray((checkpoint.resolve(unbroken) / "model.pt").read_bytes())
        changed[-at] ^= 0xFF
        broken.write_bytes(changed)
        with contextlib.suppress(CheckpointError):  # A date that nobody reads may change; nothing else may be raised.
            checkpoint.load_model(broken)
    broken.write_bytes(content[:1000])
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load_model(broken)
    torch.save({"model": {}}, broken)
    with pytest.raises(CheckpointError, match="not written by this trainer"):
        checkpoint.load_model(broken)
    with pytest.raises(CheckpointError, match="neither"):
        checkpoint.load_model(tmp_path / "empty")


def test_batches_that_cannot_be_divided(tmp_path):
    whole = config.parse(settings(tmp_path / "run"))
    source, _ = data.gather(whole.data, 1)
    for size, said in ((3, "cannot be divided"), (4, "at most 2 processes")):
        with pytest.raises(ConfigError, match=said):
            Trainer(whole, World(0, size, torch.device("cpu")), source)


def test_a_run_folder_holds_everything(unbroken):
    names = {path.name for path in Path(unbroken).iterdir()}
    assert {"config.toml", "environment.json", "metrics.jsonl", "curves.png", "identities.txt", "checkpoints"} <= names
    assert Image.open(unbroken / "curves.png").size[0] > 100
    assert config.load(unbroken / "config.toml") == config.parse(settings(unbroken))
    line = json.loads((unbroken / "metrics.jsonl").read_text().splitlines()[0])
    assert line["images_per_s"] > 0
    assert 0 <= line["wait"] <= 1
    model, whole = checkpoint.load_model(unbroken)
    assert model(torch.zeros(1, 3, 112, 112)).shape == (1, whole.model.dimension)


def gradients(trainer, module):
    """After the first step without weight decay: the momentum is the gradient that was taken."""
    state = trainer.optimiser.state
    return torch.cat([state[p]["momentum_buffer"].flatten() for p in module.parameters() if p.requires_grad])


@pytest.mark.parametrize("head", ["", "sharded = true"])
def test_the_backbones_gradient_alone_is_clipped(tmp_path, head):
    plain, clipped = (
        trainer_of(tmp_path, head=head, optim=f"weight_decay = 0.0\nclip = {clip}") for clip in (0.0, 0.25)
    )
    images, labels, _ = next(iter(plain.batches()))
    for trainer in (plain, clipped):
        trainer.train_step(images, labels, 0.1)
    whole, short = (gradients(trainer, trainer.backbone) for trainer in (plain, clipped))
    assert whole.norm() > 0.5
    assert short.norm().item() == pytest.approx(0.25, rel=1e-4)
    assert torch.allclose(short, whole * (0.25 / whole.norm()), atol=1e-7)
    first, second = (
        trainer.sharded.momentum if head else gradients(trainer, trainer.head) for trainer in (plain, clipped)
    )
    assert torch.equal(first, second)
    assert [trainer.window["clipped"] for trainer in (plain, clipped)] == [0, 1]
    assert clipped.window["norm"] == pytest.approx(whole.norm().item(), rel=1e-5)


def test_the_curves_tell_the_gradients_norm_and_the_clipped_share(tmp_path, unbroken):
    for line in journal.read(unbroken):
        assert line["gradient_norm"] > 0
        assert line["clipped"] == float(line["gradient_norm"] > 5.0)
    lines = [{"step": n, "epoch": n, "loss": 1.0 / n, "lr": 0.1} for n in (1, 2, 3)]
    heights = []
    for name, more in (("a", {}), ("b", {"gradient_norm": 3.0, "clipped": 0.5}), ("c", {"gradient_norm": None})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.jsonl").write_text("".join(json.dumps({**line, **more}) + "\n" for line in lines))
        journal.curves(tmp_path / name)
        heights.append(Image.open(tmp_path / name / "curves.png").size[1])
    assert heights == [heights[0], 2 * heights[0], 2 * heights[0]]


def test_tensorboard_gets_what_metrics_tell(tmp_path, monkeypatch):
    seen, writer = [], types.ModuleType("torch.utils.tensorboard")

    class SummaryWriter:
        def __init__(self, folder, purge_step):
            seen.append((str(folder), purge_step))

        def add_scalar(self, *said):
            seen.append(said)

        def flush(self):
            seen.append("flushed")

    writer.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", writer)
    book = journal.Journal(tmp_path, 6, tensorboard=True)
    book.add({"step": 7, "epoch": 0.5, "loss": 2.5, "lr": None})
    assert seen == [(str(tmp_path / "tensorboard"), 7), ("epoch", 0.5, 7), ("loss", 2.5, 7), "flushed"]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    whole = config.parse(settings(tmp_path / "run").replace("keep = 9", "keep = 9\ntensorboard = true"))
    with pytest.raises(UsageError, match="pip install tensorboard"):
        train.train(whole, quiet=True)


def test_a_checkpoint_that_was_clipped_otherwise_is_refused(tmp_path):
    trainer = trainer_of(tmp_path)
    folder = trainer.save()
    state = checkpoint.load_tensors(folder / "state.pt")
    checkpoint.save_tensors(folder / "state.pt", {**state, "window": [0.0, 0]})
    with pytest.raises(CheckpointError, match="earlier trainer, which clipped"):
        trainer.load(trainer.run)


def test_a_checkpoint_older_than_a_key_goes_on(tmp_path):
    trainer = trainer_of(tmp_path)
    folder = trainer.save()
    content = checkpoint.load_tensors(folder / "model.pt")
    del content["config"]["optim"]["decay_norms"], content["config"]["data"]["augment"]["crop"]
    checkpoint.save_tensors(folder / "model.pt", content)
    trainer.load(trainer.run)


@pytest.mark.parametrize("spoil", [float("nan"), float("inf")])
def test_a_bad_batch_leaves_adafaces_averages(tmp_path, monkeypatch, spoil):
    trainer = trainer_of(tmp_path, head="kind = 'adaface'")
    images, labels, _ = next(iter(trainer.batches()))
    trainer.train_step(images, labels, 0.001)
    before = (trainer.head.norm_mean.item(), trainer.head.norm_deviation.item())
    assert before != (20.0, 100.0)
    calls = []

    def first_pass(*arguments):
        calls.append(0)
        return normalise(*arguments) * (spoil if len(calls) == 1 else 1.0)

    monkeypatch.setattr("arcdoor_train.trainer.normalise", first_pass)
    assert np.isnan(trainer.train_step(images, labels, 0.001))
    assert (trainer.head.norm_mean.item(), trainer.head.norm_deviation.item()) == before


def test_norms_need_not_decay(tmp_path):
    trainer = trainer_of(tmp_path, optim="weight_decay = 0.5\ndecay_norms = false\nmomentum = 0.0")
    norms = {id(p) for m in trainer.backbone.modules() if isinstance(m, _BatchNorm) for p in m.parameters()}
    assert norms
    before = {name: p.detach().clone() for name, p in trainer.net.named_parameters()}
    for parameter in trainer.net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    trainer.optimiser.step()
    for name, parameter in trainer.net.named_parameters():
        wanted = before[name] * (1.0 if id(parameter) in norms or not parameter.requires_grad else 1 - 0.001 * 0.5)
        assert torch.allclose(parameter, wanted, rtol=1e-6, atol=0), name


@pytest.mark.parametrize("head", ["", "sharded = true"])
def test_adamw_goes_on_bit_for_bit(tmp_path, unbroken, head):
    whole = config.parse(settings(tmp_path / "run", head=head, optim="kind = 'adamw'"))
    run = train.train(whole, quiet=True)
    found, wanted = losses(run), weights(run)
    assert not same(wanted, weights(unbroken))
    for path in checkpoint.list_steps(run)[2:]:
        shutil.rmtree(path)
    train.train(whole, resume=True, quiet=True)
    assert losses(run) == found
    assert same(weights(run), wanted)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_maps_that_are_computed_anew_change_nothing(tmp_path, monkeypatch, precision):
    """Drop-out and BatchNorm's statistics included; RepConv is a block."""
    calls = []

    def counted(*arguments, **more):
        calls.append(0)
        return recomputed(*arguments, **more)

    monkeypatch.setattr("arcdoor_train.trainer.recomputed", counted)
    kept, spared = (
        trainer_of(tmp_path, optim=f"precision = '{precision}'\n{more}") for more in ("", "recompute = true")
    )
    images, labels, _ = next(iter(kept.batches()))
    for _ in range(2):
        assert kept.train_step(images, labels, 0.01) == spared.train_step(images, labels, 0.01)
    assert same(kept.net.state_dict(), spared.net.state_dict())
    assert len(calls) == 4, "a block, in each of four passes"


def test_kernels_are_exact_or_the_fastest(monkeypatch):
    for exact in (True, False):
        monkeypatch.setattr(torch.backends.cudnn, "deterministic", not exact)
        monkeypatch.setattr(torch.backends.cudnn, "benchmark", exact)
        world.kernels(config.Run(deterministic=exact), torch.device("cuda"))
        assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == (exact, not exact)


def by_identity(folder, kind):
    text = settings(folder, head=f"kind = '{kind}'").replace("workers = 0", "workers = 0\nper_identity = 2")
    return config.parse(text)


@pytest.mark.parametrize("kind", ["triplet", "tuplet"])
def test_metric_losses_learn(tmp_path, kind):
    whole = by_identity(tmp_path / "run", kind)
    source, _ = data.gather(whole.data, 1)
    trainer = Trainer(whole, World(0, 1, torch.device("cpu")), source)
    images, labels, _ = next(iter(trainer.batches()))
    in_fours = data.Batches(source, whole.data, 1, 8, 1, micro=4)
    assert torch.equal(labels, next(iter(in_fours))[1]), "as many identities as a micro-batch holds, not as a step does"
    assert [sorted(part.tolist()) for part in (labels[:4], labels[4:])] == [
        sorted(part.unique().tolist() * 2) for part in (labels[:4], labels[4:])
    ]
    found = [trainer.train_step(images, labels, 0.005) for _ in range(10)]
    assert found[0] > 0.1
    assert np.mean(found[-3:]) < 0.2 * found[0]


def test_metric_losses_go_on_bit_for_bit(tmp_path):
    whole = by_identity(tmp_path / "run", "triplet")
    run = train.train(whole, quiet=True)
    found, wanted = losses(run), weights(run)
    for path in checkpoint.list_steps(run)[2:]:
        shutil.rmtree(path)
    train.train(whole, resume=True, quiet=True)
    assert losses(run) == found
    assert same(weights(run), wanted)


def test_a_processs_share_must_hold_whole_identities(tmp_path):
    text = settings(tmp_path / "run", head="kind = 'triplet'").replace("micro_batch = 4", "")
    whole = config.parse(text.replace("workers = 0", "workers = 0\nper_identity = 4"))
    source, _ = data.gather(whole.data, 1)
    with pytest.raises(ConfigError, match=r"optim\.micro_batch"):
        Trainer(whole, World(0, 2, torch.device("cpu")), source)


@pytest.mark.parametrize(("progress", "wanted"), [(0.0, 1e-4), (0.5, 0.05), (1.0, 0.1), (2.5, 0.01), (3.0, 0.001)])
def test_rates(progress, wanted):
    optim = config.Optim(lr=0.1, warmup_epochs=1.0, milestones=(2.0, 3.0))
    assert rate(optim, progress) == pytest.approx(wanted)


def test_two_runs_in_one_folder_are_refused(tmp_path):
    whole = config.parse(settings(tmp_path / "run"))
    with lock.alone(tmp_path / "run"), pytest.raises(UsageError, match="another run works in"):
        train.train(whole, quiet=True)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["lock"]


def test_the_workers_of_a_killed_run_do_not_hold_its_folder(tmp_path):
    """They outlive it by seconds in which it could not be resumed."""
    run = subprocess.Popen([sys.executable, "-c", f"""
import os, pathlib, time
from arcdoor_train import lock
with lock.alone(pathlib.Path({str(tmp_path / "run")!r})):
    worker = os.fork()
    if not worker:
        print(os.getpid(), flush=True)
    time.sleep(60)
"""], stdout=subprocess.PIPE, text=True)  # fmt: skip
    worker = int(run.stdout.readline())
    try:
        with pytest.raises(UsageError, match="another run works in"), lock.alone(tmp_path / "run"):
            pass
        run.kill()
        run.wait()
        with lock.alone(tmp_path / "run"):
            pass
    finally:
        os.kill(worker, signal.SIGKILL)
