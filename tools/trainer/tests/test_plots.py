"""Figures: what they draw is what the heads compute, and the data lies beside them."""

import csv
import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from arcdoor_train import cli, config, crops, data, figure, train
from arcdoor_train.errors import DataError
from arcdoor_train.plots import angles, margins, pairs, toy
from arcdoor_train.trainer import Trainer
from arcdoor_train.world import World


def columns(path):
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    return {name: [row[n] for row in rows[1:]] for n, name in enumerate(rows[0])}


def drawn(folder, name):
    """The columns of a figure whose three files are there and are what their names say."""
    assert Image.open(folder / f"{name}.png").format == "PNG"
    assert "<svg" in (folder / f"{name}.svg").read_text()
    return columns(folder / f"{name}.csv")


def test_curves_and_borders_are_those_of_the_margins(tmp_path):
    for kind in ("margins", "borders"):
        assert cli.main(["plot", kind, "--out", str(tmp_path)]) == 0
    found = drawn(tmp_path, "margins")
    at = found["degrees"].index("60")
    assert float(found["Norm-Softmax"][at]) == pytest.approx(0.5)
    assert float(found["ArcFace 0.5"][at]) == pytest.approx(np.cos(np.pi / 3 + 0.5), abs=1e-5)
    assert float(found["CosFace 0.35"][at]) == pytest.approx(0.15)
    assert len(drawn(tmp_path, "borders")) == 1 + len(margins.COMBINED)
    first = (tmp_path / "borders.svg").read_bytes()
    cli.main(["plot", "borders", "--out", str(tmp_path)])
    assert first == (tmp_path / "borders.svg").read_bytes(), "the same data gives the same file"


def test_borders_lie_where_the_two_logits_are_equal():
    other = np.array([20.0, 60.0, 90.0])
    found = margins.borders(other)
    assert found["Norm-Softmax"] == pytest.approx(other, abs=0.06)
    # ArcFace: theta1 + m = theta2; with 20 degrees to the other class there is no own angle that small.
    assert found["ArcFace 0.5"][1:] == pytest.approx(other[1:] - np.degrees(0.5), abs=0.06)
    assert np.isnan(found["ArcFace 0.5"][0])
    assert found["SphereFace 1.35"] == pytest.approx(other / 1.35, abs=0.06)
    assert found["CosFace 0.35"][1:] == pytest.approx(np.degrees(np.arccos([0.85, 0.35])), abs=0.06)


def test_the_toy_says_how_many_images_it_has(tmp_path, capsys):
    assert cli.main(["plot", "toy", "--images", "4", "--epochs", "1", "--out", str(tmp_path)]) == 0
    assert "of 32 images nearest to their own of 8 centres" in capsys.readouterr().out
    found = drawn(tmp_path, "toy")
    assert found["what"].count("image") == 64
    assert found["what"].count("centre") == 16
    lengths = np.hypot(np.array(found["x"], float), np.array(found["y"], float))
    assert np.allclose(lengths, 1, atol=1e-4)


def test_the_toy_takes_the_largest_identities_alike_and_refuses_too_few():
    labels = np.repeat(np.arange(9), [2, 5, 5, 5, 5, 5, 5, 5, 4])
    images = np.zeros((112, 112, 3), np.uint8)
    faces = data.Dataset([str(n) for n in labels], labels, [f"p{n}" for n in range(9)], lambda _: images)
    chosen, owners, names = toy.choose(faces, 64)
    assert (len(chosen), np.bincount(owners).tolist()) == (32, [4] * 8)
    assert "p0" not in names
    with pytest.raises(DataError, match="eight identities"):
        toy.choose(data.open_drawn(7, 3, 1), 64)
    faces.fetch = lambda n: images if labels[n] != 3 else b"torn"
    with pytest.raises(DataError, match="not one image of p3"):
        toy.choose(faces, 64)


def test_statistics_are_the_angles_that_were_put_there():
    middle = np.eye(4, dtype=np.float32)[:3]
    turn = np.radians(10)
    found = np.concatenate([np.cos(turn) * middle + np.sin(turn) * sign * np.eye(4)[3] for sign in (1, -1)])
    said, centres = angles.of_features(found.astype(np.float32), np.tile([5, 7, 9], 2))
    assert said == pytest.approx({"intra": 10.0, "inter": 90.0}, abs=0.05)
    assert np.allclose(centres, middle, atol=1e-6)
    with pytest.raises(DataError, match="two identities"):
        angles.of_features(found, np.zeros(6, int))


def test_a_run_is_drawn_from_its_start_to_its_end(tmp_path, capsys):
    run, out = tmp_path / "run", str(tmp_path / "plots")
    train.train(config.parse(f"""
        [run]
        folder = "{run}"
        device = "cpu"
        keep = 9
        [data]
        workers = 0
        drawn = {{ identities = 4, images = 4 }}
        [model]
        backbone = "dense-xs"
        dimension = 8
        [head]
        centres = 2
        [optim]
        epochs = 2
        batch = 8
        lr = 0.01
    """), quiet=True)  # fmt: skip
    assert cli.main(["plot", "theta", str(run), "--out", out]) == 0
    found = drawn(tmp_path / "plots", "theta")
    assert list(found) == ["from_degrees", "start", "step-00000002", "step-00000004"]
    assert all(sum(map(int, found[name])) == 16 for name in list(found)[1:])
    crops.save(tmp_path / "faces" / "a", crops.random(2, 1))
    crops.save(tmp_path / "faces" / "b", crops.random(2, 2))
    capsys.readouterr()
    assert cli.main(["plot", "statistics", str(run), "--crops", str(tmp_path / "faces"), "--out", out]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[0])
    assert list(said) == ["W to centre", "W inter", "intra", "inter", "intra, crops", "inter, crops"]
    assert all(0 <= value <= 180 for value in said.values())
    drawn(tmp_path / "plots", "statistics")
    assert cli.main(["plot", "pairs", str(run), "--crops", str(tmp_path / "faces"), "--out", out]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-2]) == {"genuine": 2, "impostor": 4}
    drawn(tmp_path / "plots", "pairs")
    assert cli.main(["plot", "pairs", str(run), "--crops", str(tmp_path / "faces" / "a"), "--out", out]) == 3
    assert "no impostor pair" in capsys.readouterr().err


def test_the_start_is_the_network_that_the_run_began_with():
    whole = config.parse('[run]\nseed = 7\n[model]\nbackbone = "dense-xs"\ndimension = 8\n[head]\ncentres = 2')
    built = Trainer(whole, World(0, 1, torch.device("cpu")), data.open_drawn(8, 64, 1))
    model, centres = angles._start(whole, built.source)
    first = built.backbone.state_dict()
    assert all(torch.equal(value, first[name]) for name, value in model.state_dict().items())
    assert np.array_equal(centres.reshape(16, 8), built.head.weight.detach().numpy())


def test_pairs_of_a_list_leave_out_those_without_a_crop(tmp_path):
    (tmp_path / "pairs.txt").write_text("2\nann\t1\t2\nbob\t1\t3\nann\t1\tbob\t1\nann\t2\tbob\t1\n")
    found = np.array([[1, 0], [0.6, 0.8], [0, 1.0]])
    counts = pairs.of_list(found, ["ann_0001.png", "ann_0002.png", "bob_0001.png"], tmp_path / "pairs.txt")
    assert (counts["genuine"].sum(), counts["impostor"].sum()) == (1, 2)
    assert np.flatnonzero(counts["genuine"]).tolist() == [53.13 // 2]


def test_without_matplotlib_plot_says_so_and_data_is_written_where_it_is_only_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert cli.main(["plot", "margins", "--out", str(tmp_path / "plots")]) == 2
    assert "pip install matplotlib" in capsys.readouterr().err
    assert not (tmp_path / "plots").exists()
    figure.histograms(tmp_path / "angles", "angles", {"all": figure.histogram(np.array([1.0, 0.0, np.nan, -1.0]))})
    assert sum(map(int, columns(tmp_path / "angles.csv")["all"])) == 3
    assert "matplotlib" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["toy", "--images", "0"], ["toy", "--scale", "-1"], ["pairs"], ["nothing"]])
def test_figures_that_cannot_be_drawn_are_refused(more, tmp_path):
    try:
        code = cli.main(["plot", *more, "--out", str(tmp_path)])
    except SystemExit as end:
        code = end.code
    assert code == 2


def test_which_way_faces_look(tmp_path):
    def row(steps, yaw, reached, share=None):
        angles = {"measure": "device", "reached_yaw": reached, "yaw_error": [4.0, 1.0, 9.0]}
        alike = [{"judge": "judge", "cosine": [0.5, 0.4, 0.6], "share": share}]
        return {"run": "one", "steps": steps, "yaw": yaw, "pitch": 0.0, "turned": [angles], "alike": alike}

    looks = [row(0, 0.0, [1.0, 0.5, 2.0]), row(0, 30.0, [24.0, 23.0, 25.0]), row(9, 0.0, [1.5, 0.0, 2.0])]
    looks += [row(9, 30.0, [26.0, 22.0, 29.0], [0.7, 0.6, 0.8]), row(5, 30.0, [20.0, 18.0, 22.0])]
    photos = {"judge": "judge", "yaw": 30.0, "ahead": [0.6, 0.5, 0.7], "share": [0.8, 0.7, 0.9]}
    (tmp_path / "f.json").write_text(json.dumps([{"prior": 0.05}, *looks, photos]))
    assert cli.main(["plot", "steer", str(tmp_path / "f.json"), "--out", str(tmp_path)]) == 0
    found = drawn(tmp_path, "steer")
    assert found["steps"] == ["0", "0", "9", "9"], "what was between is left out"
    assert (found["asked_yaw"][3], found["reached_yaw"][3], found["low"][3], found["high"][3]) == (
        "30",
        "26",
        "22",
        "29",
    )
    (tmp_path / "f.json").write_text("[]")
    assert cli.main(["plot", "steer", str(tmp_path / "f.json"), "--out", str(tmp_path)]) == 3
