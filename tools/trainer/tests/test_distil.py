"""Distillation: each term equals its formula in float64; teachers answer live; a run learns and goes on."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from arcdoor_train import backbones, checkpoint, config, crops, data, distil, export, journal, teachers
from arcdoor_train.config import Head
from arcdoor_train.errors import CheckpointError, ConfigError, DataError, UsageError
from arcdoor_train.feature_file import unit
from arcdoor_train.world import World

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
    whole = config.parse("[model]\nbackbone = 'dense-xs'\ndimension = 32")
    checkpoint.save_model(folder / "teacher.pt", model, whole)
    return folder


def text(place, epochs=2, more="", optim="", name="run"):
    return f"""
    [run]
    folder = "{place}/{name}"
    device = "cpu"
    threads = 1
    log_every = 1
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
    {optim}
    [distil]
    [[distil.teachers]]
    path = "{place}/teacher.onnx"
    {more}
    """


CPU = torch.device("cpu")


def test_an_ensemble_s_cosine_is_the_mean_of_its_teachers(place):
    files = [teachers.Teacher(f"{place}/teacher.onnx"), teachers.Teacher(f"{place}/teacher.pt", channel_order="rgb")]
    pixels = torch.from_numpy(crops.to_input(crops.random(5)))
    joined = teachers.Ensemble((files[0], files[1]), CPU, half=False)(pixels)
    each = [teachers.Ensemble((file,), CPU, half=False)(pixels) for file in files]
    assert joined.shape == (5, 64)
    torch.testing.assert_close(joined @ joined.T, sum(part @ part.T for part in each) / 2)


def test_a_teacher_answers_alike_as_a_file_and_as_a_checkpoint(place):
    pixels = torch.from_numpy(crops.to_input(crops.random(5)))
    as_file, as_network = (
        teachers.Ensemble((teachers.Teacher(f"{place}/teacher.{kind}"),), CPU, half=False)(pixels)
        for kind in ("onnx", "pt")
    )
    torch.testing.assert_close(as_file, as_network, atol=1e-5, rtol=0)
    with pytest.raises(DataError, match="no teacher at"):
        teachers.Ensemble((teachers.Teacher(f"{place}/none.onnx"),), CPU, half=False)


def section_of(weights):
    whole = config.parse(f"[distil]\n{weights}\n[[distil.teachers]]\npath = 'a'\n")
    return config.section(whole, "distil", distil.Distil)


def test_the_sum_is_weighted():
    section = section_of("features = 1.0\nsimilarity = 0.1\nangular = 2.0")
    assert section.teachers[0].path == "a"
    head = distil.heads.build(Head(scale=16.0), 4, 3)
    loss = distil.Loss(section, 4, torch.from_numpy(rows(3, 6)).float(), head, 6)
    found, wanted, labels = torch.randn(5, 4), torch.from_numpy(rows(5, 6)).float(), torch.tensor([0, 1, 2, 0, 1])
    terms = loss.terms(found, labels, wanted)
    assert tuple(terms) == loss.names == ("labels", "features", "similarity", "angular")
    by_hand = terms["labels"] + terms["features"] + 0.1 * terms["similarity"] + 2 * terms["angular"]
    total, told = loss(found, labels, wanted)
    assert torch.allclose(total, by_hand)
    assert told.tolist() == [term.item() for term in terms.values()]


def test_an_identity_of_one_photo_has_no_say_in_the_similarities():
    section = section_of("labels = 0.0\nfeatures = 0.0\nsimilarity = 1.0")
    wanted = torch.from_numpy(rows(4, 6)).float()
    wanted[1] = 0.0
    head = distil.heads.build(Head(scale=16.0), 6, 4)
    loss = distil.Loss(section, 6, wanted, head, 6)
    found, theirs = torch.randn(5, 6), torch.from_numpy(rows(5, 6)).float()
    some = [0, 2, 3]
    mine = distil.heads.inner(head).cosines(found)[:, some]
    by_hand = distil.similarity(mine, theirs @ wanted[some].T, section.temperature)
    assert torch.allclose(loss(found, torch.zeros(5, dtype=torch.long), theirs)[0], by_hand)


def test_centres_are_of_identities_with_several_photos(place):
    (place / "few" / "alone").mkdir(parents=True)
    (place / "few" / "alone" / "a.png").write_bytes((place / "set" / "p1" / "00001.png").read_bytes())
    for person in ("p1", "p2"):
        os.symlink(place / "set" / person, place / "few" / person)
    whole = config.parse(text(place, name="centres").replace("/set", "/few"))
    source, _ = data.gather(whole.data, 1)
    distiller = distil.Distiller(whole, World(0, 1, CPU), source)
    wanted = distiller.head.wanted
    assert wanted.any(dim=1).tolist() == [not name.endswith("alone") for name in source.identities]
    mine = np.flatnonzero(source.labels == 1)
    images = torch.from_numpy(crops.to_input(np.stack([source.read(n) for n in mine])))
    mean = distil.functional.normalize(distiller.teachers(images).sum(0), dim=0)
    torch.testing.assert_close(wanted[1], mean, atol=1e-5, rtol=0)


def test_a_run_learns_counts_the_torn_crop_and_goes_on(place, monkeypatch):
    whole = config.parse(text(place, epochs=3))
    distil.run(whole, quiet=True)
    lines = journal.read(place / "run")
    assert [line["epoch"] for line in lines] == [0.5, 1, 1.5, 2, 2.5, 3]
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert {"labels", "features", "similarity"} <= lines[0].keys()
    assert lines[-1]["skipped"] == 3, "the torn crop, once an epoch"
    assert (place / "run" / "skipped.tsv").read_text().startswith("p0/00000.png\t")
    student, loaded = checkpoint.load_model(place / "run")
    assert loaded.model.dimension == 16
    assert not student.training
    with pytest.raises(UsageError, match="--resume"):
        distil.run(whole, quiet=True)
    with pytest.raises(CheckpointError, match=r"optim\.lr"):
        distil.run(config.parse(text(place, epochs=4).replace("lr = 0.02", "lr = 0.03")), resume=True, quiet=True)
    with monkeypatch.context() as other:
        other.setattr(teachers, "digest", lambda _path: "another file's")
        with pytest.raises(CheckpointError, match="other teachers"):
            distil.run(config.parse(text(place, epochs=4)), resume=True, quiet=True)
    distil.run(config.parse(text(place, epochs=4)), resume=True, quiet=True)
    assert len(journal.read(place / "run")) == 8, "only the epoch that was missing was trained"


KILLED = """
import os, signal, sys
from arcdoor_train import config, distil
save = distil.Distiller.save
def saved(distiller):
    save(distiller)
    if distiller.step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
distil.Distiller.save = saved
distil.run(config.parse(sys.stdin.read()), quiet=True)
"""


def many(place, name, optim=""):
    """18 crops, four a step, saved after each: the third is in the middle of the first epoch, of four steps."""
    whole = text(place, name=name, optim=optim).replace("batch = 9", "batch = 4\n    micro_batch = 2")
    whole = whole.replace("threads = 1", "threads = 1\n    checkpoint_steps = 1")
    return whole.replace("dimension = 16", "dimension = 16\n    dropout = 0.2").replace("lr = 0.02", "lr = 0.001")


def left(place, name):
    lines = [{**line, "images_per_s": 0, "wait": 0} for line in journal.read(place / name)]
    folder = checkpoint.list_steps(place / name)[-1]
    return lines, [checkpoint.load_tensors(folder / file) for file in ("model.pt", "state.pt", "head-0-of-1.pt")]


def test_a_killed_run_goes_on_bit_for_bit(place):
    distil.run(config.parse(many(place, "unbroken")), quiet=True)
    killed = subprocess.run([sys.executable, "-c", KILLED], input=many(place, "killed"), text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert checkpoint.list_steps(place / "killed")[-1].name == "step-00000003"
    distil.run(config.parse(many(place, "killed")), resume=True, quiet=True)
    (lines, (model, state, head)), (others, (model2, state2, head2)) = left(place, "unbroken"), left(place, "killed")
    assert lines == others
    for one, other in (
        (model["model"], model2["model"]),
        (state["loss"], state2["loss"]),
        (head["rows"], head2["rows"]),
    ):
        assert one.keys() == other.keys()
        assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_two_processes_compute_the_same(place):
    (place / "two.toml").write_text(many(place, "two"))
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "arcdoor_train.cli"]
    command = [sys.executable, *torchrun, "distil", "--config", str(place / "two.toml"), "--quiet"]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True)
    distil.run(config.parse(many(place, "one")), quiet=True)
    for line, other in zip(journal.read(place / "one"), journal.read(place / "two"), strict=True):
        for name in ("loss", "features", "similarity", "skipped"):
            assert line[name] == pytest.approx(other[name], rel=1e-3)


def test_bf16_and_augmentation_are_heeded(place):
    more = "[data.augment]\n    noise = 0.5"
    run = distil.run(config.parse(text(place, 1, more, "precision = 'bf16'", name="half")), quiet=True)
    assert all(np.isfinite(line["loss"]) for line in journal.read(run))


@pytest.mark.parametrize(
    ("head", "name"),
    [("sharded = true", "sharded"), ("kind = 'triplet'", "similarity")],
)
def test_heads_that_lack_every_class_are_refused(place, head, name):
    whole = text(place, name="refused").replace("scale = 16.0", f"scale = 16.0\n    {head}")
    whole = whole.replace("workers = 0", "workers = 0\n    per_identity = 3")
    with pytest.raises(ConfigError, match=name):
        distil.run(config.parse(whole), quiet=True)


def test_adafaces_averages_move(place):
    whole = text(place, 1, name="ada").replace("scale = 16.0", "scale = 16.0\n    kind = 'adaface'")
    run = distil.run(config.parse(whole), quiet=True)
    head = checkpoint.load_tensors(checkpoint.list_steps(run)[-1] / "head-0-of-1.pt")
    assert head["whole"]["norm_mean"] != 20.0


def test_the_configuration_names_teachers(place):
    with pytest.raises(ConfigError, match=r"no section \[distil\]"):
        distil.run(config.parse(text(place, name="none").split("[distil]")[0]), quiet=True)
