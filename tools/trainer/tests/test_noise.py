"""The study of planted noise: its truth, its losses, and that it goes on where it stopped."""

import numpy as np
import pytest
import torch

from arcdoor_train import cli, config, crops, noise_study, subcentres
from arcdoor_train.feature_file import unit
from arcdoor_train.noise.learner import REMEDIES, learn
from arcdoor_train.noise.planted import SHARES, planted

LABELS = np.repeat(np.arange(40), 25)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_the_planted_share_is_what_was_asked_for(share):
    found = planted(LABELS, 50, share, 1)
    assert found.noisy.mean() == pytest.approx(share, abs=0.02)
    faces = found.rows < len(LABELS)
    right = ~found.noisy
    assert faces[right].all(), "junk is nobody's"
    assert (found.people[found.labels[right]] == LABELS[found.rows[right]]).all()
    wrong = found.noisy & faces
    assert (found.people[found.labels[wrong]] != LABELS[found.rows[wrong]]).all()
    junk = int((~faces).sum()) / len(found.rows)
    assert junk == pytest.approx(share * SHARES["junk"], abs=0.01)
    assert np.array_equal(np.unique(found.labels), np.arange(len(found.people)))


def test_no_noise_is_no_noise():
    found = planted(LABELS, 50, 0.0, 1)
    assert not found.noisy.any()
    assert np.array_equal(found.labels, LABELS)
    some = found.only(LABELS > 20)
    assert len(some.people) == 19
    assert some.labels.max() == 18


def people(count=20, each=12, spread=0.3, seed=1):
    random = np.random.default_rng(seed)
    middle = unit(random.normal(size=(count, 16)))
    labels = np.repeat(np.arange(count), each)
    rows = unit(middle[labels] + spread * random.normal(size=(len(labels), 16)) / 4)
    return rows.astype(np.float32), labels


WHOLE = config.parse(
    "[model]\ndimension = 8\n[head]\nscale = 16.0\nm2 = 0.2\n[optim]\nepochs = 6\nbatch = 32\nlr = 0.05\n"
)


@pytest.mark.parametrize("remedy", REMEDIES)
def test_each_remedy_learns_to_tell_people_apart(remedy):
    rows, labels = people()
    net = learn(WHOLE, rows, labels, 1, 1, remedy, 0.1)
    found = net.features(rows)
    centres = net.centres[:, 0] / np.linalg.norm(net.centres[:, 0], axis=1, keepdims=True)
    assert ((found @ centres.T).argmax(1) == labels).mean() > 0.8


def test_precision_and_recall_of_the_drop():
    cosines = np.array([0.9, 0.8, 0.1, -0.2])
    done = subcentres.Cleaned(None, np.ones(4, bool), None, None, cosines, None, cosines)
    found = noise_study.drop(done, np.array([False, True, True, False]), 75)
    assert found == {"degrees": 75, "precision": 0.5, "recall": 0.5, "clean_dropped": 0.5}


def test_the_command_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    for place, persons, images in (("train", 6, 6), ("judge", 4, 12)):
        for person in range(persons):
            base = crops.random(1, person)[0].astype(int)
            random = np.random.default_rng(person)
            noisy = [np.clip(base + random.integers(-40, 40, base.shape), 0, 255) for _ in range(images)]
            names = crops.save(tmp_path / place / f"p{person}", np.stack(noisy).astype(np.uint8))
            for n, name in enumerate(names):
                (tmp_path / place / f"p{person}" / name).rename(
                    tmp_path / place / f"p{person}" / f"p{person}_{n + 1:04}.png"
                )
    (tmp_path / "pairs.txt").write_text("2\np0\t1\t2\np1\t1\t2\np0\t1\tp1\t1\np0\t2\tp1\t2\n")
    from arcdoor_train import backbones, checkpoint

    torch.manual_seed(1)
    whole = config.parse("[model]\nbackbone = 'dense-xs'\ndimension = 16")
    checkpoint.save_model(tmp_path / "model.pt", backbones.build("dense-xs", 16), whole)
    (tmp_path / "noise.toml").write_text(f"""
    [run]
    folder = "{tmp_path}/out"
    threads = 1
    [data]
    sets = [{{ path = "{tmp_path}/train", alignment = "arcface-112" }}]
    [model]
    dimension = 8
    [optim]
    epochs = 1
    batch = 8
    """)
    command = ["noise-study", "--config", str(tmp_path / "noise.toml"), "--levels", "0", "30", "--seeds", "1"]
    for name, value in (("model", "model.pt"), ("oracle", "model.pt"), ("faces", "judge")):
        command += [f"--{name}", str(tmp_path / value)]
    command += ["--pairs", str(tmp_path / "pairs.txt"), "--choose", str(tmp_path / "pairs.txt")]
    assert cli.main([*command, "--table"]) == 2, "nothing is finished"
    assert cli.main(command) == 0
    assert "| 30, accuracy |" in capsys.readouterr().out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"noise-0-seed1.json", "noise-30-seed1.json", "drop.csv", "sub-classes.csv"} <= names
    monkeypatch.setattr(noise_study, "arms", lambda *_: pytest.fail("it was finished"))
    assert cli.main(command) == 0
    capsys.readouterr()
    (tmp_path / "noise.toml").write_text((tmp_path / "noise.toml").read_text().replace("epochs = 1", "epochs = 2"))
    assert cli.main(command) == 2
    assert "a study of other settings" in capsys.readouterr().err
