"""Verification during training: figures, the best network kept, the same training with it and without."""

import io
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from arcdoor_train import checkpoint, config, crops, journal, train
from arcdoor_train.errors import ConfigError, DataError
from arcdoor_train.verification import JudgedSet
from arcdoor_train.world import World


def encoded(count, seed=0):
    found = []
    for image in crops.random(count, seed):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        found.append(file.getvalue())
    return found


@pytest.fixture
def judged(tmp_path):
    """Twenty pairs: each image with itself, and with the next one's."""
    images = encoded(20)
    pairs = [image for n in range(20) for image in (images[n], images[n if n % 2 else (n + 1) % 20])]
    path = tmp_path / "judged.bin"
    path.write_bytes(pickle.dumps((pairs, [bool(n % 2) for n in range(20)])))
    return path


class Left(nn.Module):
    """A network that is not the same for an image and its mirror image."""

    def forward(self, x):
        return torch.nn.functional.avg_pool2d(x[..., :56], 14).flatten(1)


def test_flipped_features_are_summed_raw(judged):
    one = JudgedSet(config.Judged(str(judged)))
    table = one.features(Left(), World(0, 1, torch.device("cpu"))).numpy()
    assert table.shape == (2, 40, 96)
    assert not np.allclose(table[0], table[1])
    seen = []
    one._figure = lambda found: seen.append(found) or 0.0
    assert list(one.figures(table)) == ["verify/judged", "verify/judged/plain"]
    whole = table[0] + table[1]
    np.testing.assert_allclose(seen[0], whole / np.linalg.norm(whole, axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(seen[1], table[0] / np.linalg.norm(table[0], axis=1, keepdims=True), atol=1e-6)


def test_pairs_of_one_image_are_told_from_pairs_of_two(judged):
    one = JudgedSet(config.Judged(str(judged), name="lfw"))
    found = one.figures(one.features(Left(), World(0, 1, torch.device("cpu"))).numpy())
    assert found == {"verify/lfw": 1.0, "verify/lfw/plain": 1.0}


@dataclass(frozen=True)
class Alone(World):
    """One process of several, whose sum is its own share."""

    def sum(self, tensor):
        return tensor


def test_processes_share_the_images(judged):
    one = JudgedSet(config.Judged(str(judged)))
    whole = one.features(Left(), World(0, 1, torch.device("cpu")))
    parts = [one.features(Left(), Alone(rank, 3, torch.device("cpu"))) for rank in range(3)]
    assert [int((part[0].abs().sum(1) > 0).sum()) for part in parts] == [14, 13, 13]
    torch.testing.assert_close(sum(parts), whole, rtol=0, atol=0)
    idle = one.features(Left(), Alone(40, 41, torch.device("cpu")))
    assert idle.shape == whole.shape
    assert not idle.any()


def settings(folder, more=""):
    return config.parse(f"""
    [run]
    folder = "{folder}"
    device = "cpu"
    threads = 1
    log_every = 1
    [data]
    workers = 0
    drawn = {{ identities = 3, images = 4 }}
    [model]
    backbone = "dense-xs"
    dimension = 16
    [optim]
    epochs = 2
    batch = 4
    lr = 0.01
    {more}
    """)


def test_a_run_is_looked_at_and_its_best_network_kept(tmp_path, judged):
    run = train.train(settings(tmp_path / "plain"), quiet=True)
    losses = [line["loss"] for line in journal.read(run)]
    more = f'[verification]\nevery = 2\nsets = [{{ path = "{judged}" }}]'
    seen = train.train(settings(tmp_path / "seen", more), quiet=True)
    lines = journal.read(seen)
    looks = [line for line in lines if "verify/judged" in line]
    assert [line["step"] for line in looks] == [0, 2, 4, 6]
    assert [line["loss"] for line in lines if "loss" in line] == losses, "looking changes nothing"
    best = checkpoint.load_tensors(seen / "best" / "model.pt")
    first = max(looks, key=lambda line: line["verify/judged"])  # the first of equals
    assert (best["step"], best["figure"]) == (first["step"], first["verify/judged"])
    checkpoint.load_model(seen / "best")
    # A run that goes on keeps what was best before.
    checkpoint.save_model(
        seen / "best" / "model.pt", *checkpoint.load_model(seen / "best"), step=2, figure=2.0, verification={}
    )
    last = checkpoint.list_steps(seen)[-1]
    last.rename(last.with_name("gone"))
    train.train(settings(tmp_path / "seen", more), resume=True, quiet=True)
    assert checkpoint.load_tensors(seen / "best" / "model.pt")["figure"] == 2.0
    assert [line["step"] for line in journal.read(seen) if "verify/judged" in line] == [0, 2, 4, 6]


def test_a_set_that_cannot_be_used_stops_the_run_before_it_trains(tmp_path):
    crops.save(tmp_path / "a", crops.random(2))
    for path in ("missing.bin", "a"):  # no file; four crops are too few for an FMR of 1e-3
        more = f'[verification]\nsets = [{{ path = "{tmp_path}/{path}" }}]'
        with pytest.raises(DataError):
            train.train(settings(tmp_path / "run", more), quiet=True)
    assert not checkpoint.list_steps(tmp_path / "run")
    with pytest.raises(ConfigError, match="two are called 'lfw'"):
        config.parse('[verification]\nsets = [{ path = "a/lfw.bin" }, { path = "b/lfw.bin" }]')


def test_of_crops_those_of_the_pairs_alone_are_looked_at(tmp_path):
    for n, old in enumerate(crops.save(tmp_path / "p", crops.random(6))):
        (tmp_path / "p" / old).rename(tmp_path / "p" / f"p_{n + 1:04}.png")
    (tmp_path / "pairs.txt").write_text("2 1\np\t1\t2\np\t2\tp\t4\np\t4\t9\np\t1\tp\t4\n")
    one = JudgedSet(config.Judged(str(tmp_path), pairs=str(tmp_path / "pairs.txt")))
    table = one.features(Left(), World(0, 1, torch.device("cpu"))).numpy()
    assert table.shape[1] == 3
    assert 0.0 <= one.figures(table)[f"verify/{tmp_path.name}"] <= 1.0
    (tmp_path / "pairs.txt").write_text("2 1\np\t8\t9\n")
    with pytest.raises(DataError, match="no crop of"):
        JudgedSet(config.Judged(str(tmp_path), pairs=str(tmp_path / "pairs.txt")))
