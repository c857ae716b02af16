"""Distillation: each term equals its formula in float64; caches are keyed by what they depend on; a run learns."""

import numpy as np
import pytest
import torch

from arcdoor_train import backbones, config, crops, data, distil, export, teachers
from arcdoor_train.config import Head
from arcdoor_train.errors import ConfigError, UsageError
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
    model = backbones.build("doornet-xs", 32).train()
    with torch.no_grad():
        model(torch.from_numpy(crops.to_input(crops.random(8))))
    export.export(model.eval(), "doornet-xs", folder / "teacher.onnx")
    return folder


def text(place, epochs=2, more=""):
    return f"""
    [run]
    folder = "{place}/run"
    device = "cpu"
    threads = 1
    [model]
    backbone = "doornet-xs"
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
    student, loaded = distil.checkpoint.load_model(place / "run" / "model.pt")
    assert loaded.model.dimension == 16
    assert not student.training
    distil.run(config.parse(text(place, epochs=4)), resume=True)
    lines = (place / "run" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 4, "only the epoch that was missing was trained"


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
    other = teachers.Teacher(f"{place}/teacher.onnx", bgr=True)
    keys = {teachers.key(t, name) for t in (teacher, other) for name in (of_set, "another set")}
    assert len(keys) == 4
    (place / "set" / "p1" / "00000.png").write_bytes(b"torn, too")
    assert teachers.set_hash(data.open(place / "set", data.ALIGNMENT)) != of_set


def test_several_processes_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="one process"):
        distil.run(config.parse("[distil]\n[[distil.teachers]]\npath = 'a'\n"))
