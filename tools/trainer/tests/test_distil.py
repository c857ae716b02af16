"""Distillation: each term equals its formula in float64; caches are keyed by what they depend on; a run learns."""

import signal
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest
import torch

from arcdoor_train import backbones, config, crops, data, distil, export, teachers
from arcdoor_train.config import Head
from arcdoor_train.errors import CheckpointError, ConfigError, DivergedError, UsageError
from arcdoor_train.feature_file import unit

RNG = np.random.default_rng(3)


def rows(count, dimension):
    return unit(RNG.normal(size=(count, dimension)))


def test_terms_equal_their_formulas():
    s, t = rows(6, 8), rows(6, 8)
    sc, tc, scale = rows(6, 5), rows(6, 5), 7.0
    tensor = torch.from_numpy
    assert distil.l2(tensor(s), tensor(t)).item() == pytest.approx(np.mean(np.sum((s - t) ** 2, 1)), rel=1e-12)
    cosines = np.sum(s * t, axis=1)
    assert distil.angular(tensor(s), tensor(t)).item() == pytest.approx(np.mean((1 - cosines) ** 2), rel=1e-12)
    p, q = (np.exp(scale * c) / np.exp(scale * c).sum(1, keepdims=True) for c in (tc, sc))
    kl = np.mean(np.sum(p * np.log(p / q), axis=1))
    assert distil.similarity(tensor(sc), tensor(tc), scale).item() == pytest.approx(kl, rel=1e-12)
    total = sum((s[i] @ s[j] - t[i] @ t[j]) ** 2 for i in range(6) for j in range(6) if i != j)
    assert distil.relational(tensor(s), tensor(t)).item() == pytest.approx(total / 30, rel=1e-12)


def test_gradients():
    t, tc = torch.from_numpy(rows(4, 5)), torch.from_numpy(rows(4, 3))
    s = torch.from_numpy(rows(4, 5)).requires_grad_()
    sc = torch.from_numpy(rows(4, 3)).requires_grad_()
    for term in (distil.l2, distil.angular, distil.relational):
        assert torch.autograd.gradcheck(lambda x, term=term: term(x, t), (s,))
    assert torch.autograd.gradcheck(lambda x: distil.similarity(x, tc, 4.0), (sc,))


def test_an_ensemble_s_cosine_is_the_mean_of_its_teachers():
    parts = [rows(5, 3), rows(5, 9)]
    joined = teachers.ensemble(parts)
    assert np.allclose(joined @ joined.T, np.mean([part @ part.T for part in parts], axis=0))


def test_the_sum_is_weighted():
    teacher = ({"path": "a"},)
    section = config.parse(
        "[distil]\nfeatures = 1.0\nsimilarity = 0.1\nangular = 2.0\n[[distil.teachers]]\npath = 'a'\n"
    )
    section = config.section(section, "distil", distil.Distil)
    assert section.teachers[0].path == teacher[0]["path"]
    head = distil.heads.build(Head(scale=16.0), 4, 3)
    loss = distil.Loss(section, 4, torch.from_numpy(rows(3, 6)).float(), head)
    found, wanted = torch.randn(5, 4), torch.from_numpy(rows(5, 6)).float()
    terms = loss(found, wanted, torch.tensor([0, 1, 2, 0, 1]))
    assert set(terms) == {"labels", "features", "similarity", "angular"}
    by_hand = terms["labels"] + terms["features"] + 0.1 * terms["similarity"] + 2 * terms["angular"]
    assert torch.allclose(loss.total(terms), by_hand)


def test_sections_without_teachers_are_refused():
    for text in ("[distil]\n", "[distil]\nfeatures = 0.0\nsimilarity = 0.0\n[[distil.teachers]]\npath = 'a'\n"):
        with pytest.raises(ConfigError):
            config.section(config.parse(text), "distil", distil.Distil)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A set of three people, and a teacher as ONNX."""
    folder = tmp_path_factory.mktemp("distil")
    for person in range(3):
        base = crops.random(1, person)[0].astype(int)
        noisy = [np.clip(base + RNG.integers(-30, 30, base.shape), 0, 255).astype(np.uint8) for _ in range(6)]
        crops.save(folder / "set" / f"p{person}", np.stack(noisy))
    (folder / "set" / "p0" / "00000.png").write_bytes(b"torn")
    torch.manual_seed(1)
    model = backbones.build("dense-xs", 32).train()
    with torch.no_grad():
        model(torch.from_numpy(crops.to_input(crops.random(8))))
    export.export(model.eval(), "dense-xs", folder / "teacher.onnx")
    return folder


def text(place, epochs=2, more=""):
    return f"""
    [run]
    folder = "{place}/run"
    device = "cpu"
    threads = 1
    [model]
    backbone = "dense-xs"
    dimension = 16
    [head]
    scale = 16.0
    [data]
    workers = 0
    [[data.sets]]
    path = "{place}/set"
    alignment = "arcface-112"
    [optim]
    epochs = {epochs}
    batch = 9
    lr = 0.02
    [distil]
    cache = "{place}/cache"
    [[distil.teachers]]
    path = "{place}/teacher.onnx"
    {more}
    """


def test_a_run_learns_counts_the_torn_crop_and_goes_on(place):
    whole = config.parse(text(place, epochs=3))
    distil.run(whole)
    lines = [distil.json.loads(line) for line in (place / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert lines[-1]["total"] < lines[0]["total"]
    assert [line["skipped"] for line in lines] == [1, 2, 3], "the torn crop, once an epoch"
    assert {path.name for path in (place / "run").iterdir()} >= {
        "config.toml", "environment.json", "identities.txt", "curves.png", "skipped.tsv", "model.pt",
    }  # fmt: skip
    assert (place / "run" / "skipped.tsv").read_text().startswith("p0/00000.png\t")
    student, loaded = distil.checkpoint.load_model(place / "run" / "model.pt")
    assert loaded.model.dimension == 16
    assert not student.training
    with pytest.raises(UsageError, match="--resume"):
        distil.run(whole)
    with pytest.raises(CheckpointError, match=r"optim\.lr"):
        distil.run(config.parse(text(place, epochs=4).replace("lr = 0.02", "lr = 0.03")), resume=True)
    distil.run(config.parse(text(place, epochs=4)), resume=True)
    lines = (place / "run" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 4, "only the epoch that was missing was trained"


KILLED = """
import os, signal, sys
from arcdoor_train import config, distil
save = distil.Trainee.save
def saved(trainee):
    save(trainee)
    if trainee.progress.step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
distil.Trainee.save = saved
distil.run(config.parse(sys.stdin.read()))
"""


def test_a_killed_run_goes_on_bit_for_bit(place):
    # 18 crops, 4 a step, saved after each: the third is in the middle of the first epoch, of four steps.
    def whole(name):
        few = text(place).replace("/run", f"/{name}").replace("batch = 9", "batch = 4")
        return few.replace("threads = 1", "threads = 1\n    checkpoint_steps = 1").replace(
            "= 16\n", "= 16\n    dropout = 0.2\n"
        )

    def left(name):
        lines = (place / name / "metrics.jsonl").read_text().splitlines()
        lines = [{**distil.json.loads(line), "images_per_s": 0} for line in lines]
        return lines, distil.checkpoint.load_tensors(place / name / distil.STATE)

    distil.run(config.parse(whole("unbroken")))
    killed = subprocess.run([sys.executable, "-c", KILLED], input=whole("killed"), text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert left("killed")[1]["progress"]["step"] == 3
    distil.run(config.parse(whole("killed")), resume=True)
    (lines, state), (others, other) = left("unbroken"), left("killed")
    assert lines == others
    assert state["progress"] == other["progress"]
    assert all(torch.equal(tensor, other["model"][name]) for name, tensor in state["model"].items())
    assert all(torch.equal(tensor, other["loss"][name]) for name, tensor in state["loss"].items())


def test_steps_whose_loss_is_no_number_change_nothing_and_end_the_run(place, monkeypatch):
    whole = config.parse(text(place).replace("/run", "/nan"))
    trainee = distil.Trainee(whole)
    trainee.build()
    before = {name: tensor.clone() for name, tensor in trainee.student.state_dict().items()}
    monkeypatch.setattr(distil.Loss, "total", lambda _self, terms: terms["labels"] * float("nan"))
    *batch, _ = next(iter(trainee.batches()))
    trainee.train_step(*batch)
    assert trainee.progress.bad == 1
    assert all(torch.equal(before[name], tensor) for name, tensor in trainee.student.state_dict().items())
    for _ in range(8):
        trainee.train_step(*batch)
    with pytest.raises(DivergedError, match="10 steps in a row"):
        trainee.train_step(*batch)


@pytest.mark.parametrize("value", ["warmup_epochs = 1.0", "precision = 'bf16'", "micro_batch = 3"])
def test_what_the_loop_would_not_heed_is_refused(place, value):
    name = value.split()[0]
    with pytest.raises(ConfigError, match=rf"optim\.{name}"):
        distil.run(config.parse(text(place).replace("lr = 0.02", f"lr = 0.02\n    {value}")))
    with pytest.raises(ConfigError, match="augment"):
        distil.run(config.parse(text(place, more="[data.augment]\n    noise = 0.1")))


def test_tensorboard_is_looked_for_before_the_teachers_are_asked(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setattr(distil.Trainee, "build", lambda _self: pytest.fail("hours would be spent first"))
    whole = text(place).replace("/run", "/board").replace("threads = 1", "threads = 1\n    tensorboard = true")
    with pytest.raises(UsageError, match="pip install tensorboard"):
        distil.run(config.parse(whole))


def test_triplets_are_refused(place):
    with pytest.raises(ConfigError, match=r"data\.per_identity.*draws its images at random"):
        distil.run(config.parse(text(place).replace("workers = 0", "workers = 0\n    per_identity = 3")))


def test_the_students_gradient_alone_is_clipped_and_adafaces_averages_move(place):
    whole = text(place).replace("/run", "/clipped").replace("scale = 16.0", "scale = 16.0\n    kind = 'adaface'")
    trainee = distil.Trainee(
        config.parse(whole.replace("lr = 0.02", "lr = 0.02\n    clip = 0.01\n    weight_decay = 0.0"))
    )
    trainee.build()
    *batch, _ = next(iter(trainee.batches()))
    trainee.train_step(*batch)
    assert trainee.progress.taken == 1

    def taken(module):
        state = trainee.optimiser.state
        return torch.cat([state[p]["momentum_buffer"].flatten() for p in module.parameters() if p in state]).norm()

    assert taken(trainee.student).item() == pytest.approx(0.01, rel=1e-3)
    assert taken(trainee.loss) > 0.02
    assert trainee.loss.head.norm_mean != 20.0


def test_caches_are_used_again_and_keyed_by_teacher_and_set(place, monkeypatch):
    faces = data.open(place / "set", data.ALIGNMENT)
    of_set = teachers.set_hash(faces)
    teacher = teachers.Teacher(f"{place}/teacher.onnx")
    cache = place / "cache-2"
    first = teachers.features(teacher, faces, cache, of_set)
    assert isinstance(first, np.memmap) or isinstance(first.base, np.memmap)
    assert first.shape == (2, 18, 32)
    assert not first[:, 0].any(), "the torn crop has no feature"
    assert np.allclose(np.linalg.norm(first[:, 1:], axis=2), 1, atol=1e-5)
    monkeypatch.setattr(teachers, "_compute", lambda *_: pytest.fail("the cache was not used"))
    teachers.features(teacher, faces, cache, of_set)
    other = teachers.Teacher(f"{place}/teacher.onnx", channel_order="bgr")
    keys = {teachers.key(t, name) for t in (teacher, other) for name in (of_set, "another set")}
    assert len(keys) == 4
    (place / "set" / "p1" / "00000.png").write_bytes(b"torn, too")
    assert teachers.set_hash(data.open(place / "set", data.ALIGNMENT)) != of_set


@pytest.mark.parametrize("error", [zipfile.BadZipFile("Bad CRC-32"), zlib.error("invalid stored block lengths")])
def test_a_damaged_crop_of_a_zip_does_not_end_the_hashing(error):
    faces = data.open_drawn(2, 1, 0)
    whole, drawn = teachers.set_hash(faces), faces.fetch

    def fetch(number):
        if number == 1:
            raise error
        return drawn(number)

    faces.fetch = fetch
    assert teachers.set_hash(faces) != whole


def test_several_processes_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="one process"):
        distil.run(config.parse("[distil]\n[[distil.teachers]]\npath = 'a'\n"))
