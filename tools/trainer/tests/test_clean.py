"""Sub-centre cleaning: injected label noise goes, clean images stay."""

import json

import numpy as np
import pytest
import torch

from arcdoor_train import backbones, checkpoint, clean, cli, config, crops
from arcdoor_train.errors import DataError
from arcdoor_train.feature_file import unit


def noisy(seed=0, people=20, each=30, share=0.3, dimension=64):
    """Features around each person's direction; a share of the labels is drawn anew. The dominant sub-centre lies at
    the person, the two others at strangers, as K = 3 training leaves them."""
    rng = np.random.default_rng(seed)
    faces = unit(rng.normal(size=(people, dimension)))
    truth = np.repeat(np.arange(people), each)
    features = unit(faces[truth] + 0.08 * rng.normal(size=(people * each, dimension)))
    labels = truth.copy()
    wrong = rng.random(len(labels)) < share
    labels[wrong] = (truth[wrong] + rng.integers(1, people, wrong.sum())) % people
    centres = unit(rng.normal(size=(people * 3, dimension))).reshape(people, 3, dimension)
    slot = rng.integers(0, 3, people)
    centres[np.arange(people), slot] = faces * rng.uniform(0.1, 9, (people, 1))
    return features, labels, centres, wrong, slot


def test_wrong_labels_go_and_right_ones_stay():
    features, labels, centres, wrong, slot = noisy()
    done = clean.clean(features, labels, centres)
    assert np.mean(~done.keep[wrong]) > 0.95
    assert np.mean(done.keep[~wrong]) > 0.99
    assert np.array_equal(done.dominant, slot)
    stays = done.labels[done.keep]
    assert set(stays) == set(range(stays.max() + 1)), "numbers without gaps"
    assert (done.labels[~done.keep] == -1).all()


def test_an_identity_that_is_emptied_goes_and_the_rest_is_numbered_anew():
    features = np.array([[1.0, 0], [0, 1.0], [0, 1.0]])
    centres = np.array([[[1.0, 0]], [[1.0, 0]], [[0, 1.0]]])
    done = clean.clean(features, np.array([0, 1, 2]), centres)
    assert done.labels.tolist() == [0, -1, 1]


def test_the_angle_is_what_decides():
    angles = np.radians([74.0, 76.0])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    done = clean.clean(features, np.array([0, 0]), np.array([[[2.0, 0.0]]]))
    assert done.keep.tolist() == [True, False]
    assert clean.clean(features, np.array([0, 0]), np.array([[[2.0, 0.0]]]), degrees=77).keep.all()


def test_a_feature_that_is_no_number_neither_votes_nor_stays():
    features = np.array([[np.nan, 0], [1.0, 0]])
    done = clean.clean(features, np.array([0, 0]), np.array([[[0, 1.0], [1.0, 0]]]))
    assert done.keep.tolist() == [False, True]
    assert done.dominant.tolist() == [1]


def test_labels_beyond_the_head_are_refused():
    with pytest.raises(DataError, match="the head knows"):
        clean.clean(np.eye(2), np.array([0, 1]), np.ones((1, 1, 2)))


def test_the_command_reads_a_run_as_training_leaves_it(tmp_path, capsys):
    for person in range(2):
        crops.save(tmp_path / "set" / f"p{person}", crops.random(3, person))
    (tmp_path / "set" / "p0" / "00000.png").write_bytes(b"torn")
    whole = config.parse(f"""
        [data]
        sets = [{{ path = "{tmp_path}/set", alignment = "arcface-112" }}]
        [model]
        backbone = "dense-xs"
        dimension = 8
        [head]
        centres = 3
    """)
    model = backbones.build("dense-xs", 8).eval()
    part = checkpoint.begin(tmp_path / "run", 1)
    checkpoint.save_model(part / "model.pt", model, whole, identities=2)
    with torch.no_grad():
        found = model(torch.from_numpy(crops.to_input(crops.random(3, 1))))
    # p1's second centre lies at its images, and p0's are far from all of its own.
    weight = torch.cat([-found.mean(0).expand(3, 8), torch.stack([-found[0], found[0], -found[0]])])
    head = {"classes": 2, "rows": {"weight": weight}, "whole": {}}
    checkpoint.save_tensors(part / "head-0-of-1.pt", head)
    checkpoint.finish(part, 1)
    assert cli.main(["clean", str(tmp_path / "run"), "--out", str(tmp_path / "list.tsv")]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["unreadable"] == 1
    names = [line.split("\t")[0] for line in (tmp_path / "list.tsv").read_text().splitlines()]
    assert any(name.endswith("p1/00000.png") for name in names)
    assert not any("00000.png" in name and "p0" in name for name in names)
    (tmp_path / "set" / "p2").mkdir()
    crops.save(tmp_path / "set" / "p2", crops.random(1))
    assert cli.main(["clean", str(tmp_path / "run"), "--out", str(tmp_path / "list.tsv")]) == 3


def test_a_run_without_centres_is_refused(tmp_path, capsys):
    whole = config.parse('[data]\nper_identity = 4\n[head]\nkind = "triplet"\n[model]\nbackbone = "dense-xs"')
    part = checkpoint.begin(tmp_path / "run", 1)
    checkpoint.save_model(part / "model.pt", backbones.build("dense-xs"), whole, identities=2)
    checkpoint.finish(part, 1)
    assert cli.main(["clean", str(tmp_path / "run"), "--out", str(tmp_path / "list.tsv")]) == 3
    assert "has no class centres" in capsys.readouterr().err
