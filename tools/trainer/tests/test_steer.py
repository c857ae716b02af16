"""Steering: what it promises, on small invented networks and faces."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from test_omz import DATA, embedder_file, points_network, real

from arcdoor_train import backbones, checkpoint, cli, config, crops
from arcdoor_train.data import drawn
from arcdoor_train.errors import CheckpointError, ConfigError, DataError
from arcdoor_train.inversion import (
    attacked,
    ceiling,
    eigenfaces,
    figures,
    finder,
    pose,
    reached,
    run,
    section,
    steering,
    target,
    warp,
)
from arcdoor_train.inversion.comparison import Bench
from arcdoor_train.inversion.drawing import Drawing
from arcdoor_train.inversion.finished import Finished
from arcdoor_train.inversion.folder import Folder
from arcdoor_train.teachers import Teacher

MAY = "nobody: the identities are invented"
CPU = torch.device("cpu")
YUNET = DATA / "detectors/yunet_s_dynamic.onnx"


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (30, 0), (-30, 0), (45, 10), (0, 20), (-20, -15)])
def test_points_of_known_poses_are_read_back(yaw, pitch):
    marks = pose.seen(yaw, pitch, 0.7, (5, -3))
    turn = np.exp(1j * np.deg2rad(25))
    rolled = (marks @ (1, 1j)) * turn
    for one in (marks, np.stack([rolled.real, rolled.imag], axis=1)):
        assert pose.fitted(one[None])[0] == pytest.approx((yaw, pitch), abs=0.11)
    if pitch == 0:
        assert pose.measured(marks[None])[0] == pytest.approx((yaw, 0), abs=3)
    assert np.isnan(pose.fitted(np.full((1, 5, 2), np.nan))).all()


def test_points_by_hand():
    assert np.allclose(pose.turned(np.array([[0.0, 0.0, 1.0]]), 90, 0), [[1, 0]])
    assert np.allclose(pose.turned(np.array([[0.0, 0.0, 1.0]]), 0, 30), [[0, 0.5]])
    assert np.abs(pose.seen(0, 0) - pose.TEMPLATE).max() < 2, "a level face lies where the device puts it"
    larger = pose.seen(0, 0, 1.2, (4, 0))
    assert np.allclose(larger - larger.mean(axis=0), 1.2 * (pose.seen(0, 0) - pose.seen(0, 0).mean(axis=0)))
    assert np.allclose(larger.mean(axis=0) - pose.TEMPLATE.mean(axis=0), (4, 0))
    # As the device's own tests have it: the nose 21.1 pixels off the middle is 45 degrees.
    marks = pose.TEMPLATE.copy()
    marks[2, 0] += 21.1
    assert pose.measured(marks[None])[0, 0] == pytest.approx(45, abs=1.5)


def test_similarities():
    rng = np.random.default_rng(1)
    wanted = warp.Similarity(0.8, 0.3, 5.0, -7.0)
    first = rng.normal(0, 20, (5, 2))
    found = warp.Similarity.between(first, wanted.apply(first))
    assert dataclasses.astuple(found) == pytest.approx(dataclasses.astuple(wanted))
    assert np.allclose(wanted.inverse().apply(wanted.apply(first)), first)


def test_a_warp_takes_asked_points_to_the_template():
    asked = pose.seen(25, 0, 0.7, (6, -4))
    view = warp.Similarity.between(asked, pose.TEMPLATE)
    lines = torch.arange(112.0)
    x, y = torch.meshgrid(lines, lines, indexing="xy")
    picture = torch.stack([x, y, x + y])[None]
    found = warp.warped(picture, view.inverse().grid()[None])[0]
    for marks in pose.TEMPLATE.round().astype(int):
        assert found[:2, marks[1], marks[0]].numpy() == pytest.approx(view.inverse().apply(marks[None])[0], abs=0.01)
    assert torch.allclose(warp.warped(picture, warp.Similarity(1, 0, 0, 0).grid()[None]), picture, atol=1e-3)


def test_the_gradient_of_a_warp_is_that_of_finite_differences():
    grids = warp.Similarity.between(pose.seen(20, 10, 0.8), pose.TEMPLATE).inverse().grid(7)[None]
    torch.manual_seed(1)
    pictures, weight = torch.randn(1, 3, 112, 112, dtype=torch.float64), torch.randn(1, 3, 7, 7, dtype=torch.float64)

    def total(x):
        return (warp.warped(x, grids.double()).sin() * weight).sum()

    pictures.requires_grad_(True)
    (gradient,) = torch.autograd.grad(total(pictures), pictures)
    places = [0, *gradient.abs().flatten().topk(6).indices.tolist()]
    for at in places:
        step = torch.zeros(pictures.numel(), dtype=torch.float64)
        step[at] = 1e-5
        step = step.reshape(pictures.shape)
        apart = (total(pictures + step) - total(pictures - step)).item() / 2e-5
        assert gradient.flatten()[at].item() == pytest.approx(apart, abs=1e-7)


def noses(place):
    """Dark crops with a bright nose in one of 50 columns, and a network that finds it."""
    dark = np.full((50, 112, 112, 3), 40, np.uint8)
    for number, one in enumerate(dark):
        one[70:76, 30 + number : 34 + number] = 200
    crops.save(place, dark)

    def marks(x):
        """As shares of the whole; the nose's column tells the yaw."""
        found = torch.from_numpy(pose.seen(0, 0) + 0.5).repeat(len(x), 1, 1)
        found[:, 2, 0] = x[:, 0, 72].argmax(1).double() + 2
        return found / 112

    return Exact(marks)


def test_pictures_begin_as_the_mean_of_those_who_look_so(tmp_path, monkeypatch):
    network, asked = noses(tmp_path / "set"), np.stack([pose.seen(0, 0), pose.seen(15, 0), pose.seen(-15, 0)])
    monkeypatch.setattr(eigenfaces, "_FACES", 8)
    found = eigenfaces.gather(str(tmp_path / "set"), network, asked, "n", tmp_path / "kept.npz")
    level, aside, other = found.means
    assert found.deviations.shape == (3, 4, 3 * 56 * 56)
    assert level[0, 36].argmax().item() == pytest.approx(28, abs=1.5)
    # Half of the picture's pixels: the nose of 15 degrees lies five of these aside.
    assert aside[0, 36].argmax().item() == pytest.approx(pose.seen(15, 0)[2, 0] / 2, abs=1.5)
    assert other[0, 36].argmax().item() == pytest.approx(56 - aside[0, 36].argmax().item(), abs=1.5)
    monkeypatch.setattr(network, "marks", None)
    again = eigenfaces.gather(str(tmp_path / "set"), network, asked, "n", tmp_path / "kept.npz")
    assert torch.equal(again.means, found.means), "points that were kept are taken"
    assert torch.equal(again.deviations, found.deviations)
    (tmp_path / "kept.npz").write_bytes(b"no")
    with pytest.raises(DataError, match=r"is damaged: .* remove it"):
        eigenfaces.gather(str(tmp_path / "set"), network, asked, "n", tmp_path / "kept.npz")
    monkeypatch.setattr(eigenfaces, "_FEWEST", 1000)
    with pytest.raises(DataError, match="whose mean may show somebody"):
        eigenfaces.gather(str(tmp_path / "set"), network, asked, "other", None)


def test_faces_that_lie_elsewhere_are_bent_to_the_asked_points(tmp_path):
    """All of a set lie alike, smaller and aside: its mean does not."""
    lie = pose.seen(10, 5, 0.7, (8, -6))
    dots = np.zeros((40, 112, 112, 3), np.uint8)
    for x, y in lie.round().astype(int):
        dots[:, y - 2 : y + 3, x - 2 : x + 3] = 255
    crops.save(tmp_path / "set", dots)
    network = Exact(lambda x: torch.from_numpy((lie.round() + 0.5) / 112).repeat(len(x), 1, 1))
    network.marks, upright = None, torch.from_numpy((lie.round() + 0.5) / 112)
    flipped = torch.from_numpy((pose.mirrored(lie.round()[None], 112)[0] + 0.5) / 112)
    network.marks = lambda x: (upright if x[0, 0, :, :56].sum() < x[0, 0, :, 56:].sum() else flipped).repeat(
        len(x), 1, 1
    )
    asked = pose.seen(15, 0)
    mean = eigenfaces.gather(str(tmp_path / "set"), network, asked[None], "n", None).means[0, 0]
    for x, y in asked:
        around = mean[int(y / 2) - 3 : int(y / 2) + 4, int(x / 2) - 3 : int(x / 2) + 4]
        assert around.max() > 0, "there is a dot where one is asked for"


class Exact(torch.nn.Module):
    """Finds the points where three colours' spots are brightest: what a perfect landmark network would."""

    size = (48, 48)

    def __init__(self, marks):
        super().__init__()
        self.marks = marks
        self.register_buffer("place", torch.zeros(1))

    def forward(self, x):
        return self.marks(x)


def test_points_where_they_shall_be_cost_nothing(tmp_path, monkeypatch):
    made = steered(tmp_path, yaw=(20.0,), scale=0.8, place=(3.0, 2.0))
    lines = torch.arange(112.0)
    picture = torch.zeros(5, 112, 112)
    for channel, (x, y) in enumerate(made.asked[0]):
        picture[channel] = torch.exp(-((lines[None] - x) ** 2 + (lines[:, None] - y) ** 2) / 18)

    def centres(x):
        """Each spot's middle; of a mirrored picture the left eye is the other one."""
        x = x / x.sum((2, 3), keepdim=True)
        steps = (torch.arange(x.shape[2]) + 0.5) / x.shape[2]
        found = torch.stack([(x.sum(2) * steps).sum(2), (x.sum(3) * steps).sum(2)], dim=2)
        return found if found[0, 0, 0] < found[0, 1, 0] else found[:, pose.MIRRORED]

    made.network = Exact(centres)
    for name in ("_NOISE", "_CONTRAST", "_LIGHT"):
        monkeypatch.setattr(steering, name, 0.0)
    assert made.loss(picture[None], slice(0, 1), (1, 2)).item() < 0.05
    assert made.loss(picture[None].roll(4, 3), slice(0, 1), (1, 2)).item() == pytest.approx(16, rel=0.1)


def steered(folder, people=1, **more):
    points_network(folder / "marks.xml", 3)
    return steering.Steering(section.Steer(str(folder / "marks.xml"), **more), people, CPU)


def small(place, name, judges=False, **more):
    if not (place / "net").is_dir():
        torch.manual_seed(3)
        (place / "net").mkdir()
        whole = config.parse('[model]\nbackbone = "dense-xs"\ndimension = 8')
        checkpoint.save_model(place / "net" / "model.pt", backbones.build("dense-xs", 8).eval(), whole)
        for person in range(2):
            crops.save(place / "set" / f"p{person}", np.stack([drawn.face(1, person, n) for n in range(20)]))
        points_network(place / "marks.xml", 3)
        points_network(place / "other.xml", 4)
        embedder_file(place / "judge.xml")
    steer = {"landmarks": str(place / "marks.xml"), "measured_by": str(place / "other.xml")}
    steer |= {"yaw": [0.0, 25.0], "faces": str(place / "set"), "scale": 0.9, "weight": 0.1}
    return config.from_table(
        {
            "run": {"folder": str(place / name), "device": "cpu", "threads": 1, "checkpoint_steps": 2, "log_every": 1},
            "invert": {
                "model": {"path": str(place / "net")},
                "target": {"crops": str(place / "set"), "most": 2},
                "judges": [{"path": str(place / "judge.xml")}] if judges else [],
                "batch": 3,
                "steps": 5,
                "lr": 0.05,
                "sides": [32, 56],
                "flip": 0.5,
                "jitter": 1,
                "looks": [3],
                "restarts": 2,
                "steer": steer | more,
            },
        }
    )


def left(folder):
    names = ["pictures.jsonl", "metrics.jsonl", "sheet.png", *(f"pictures/{n:05}.png" for n in range(4))]
    return {name: (folder / name).read_bytes() for name in [*names, "steps/000003/00003.png"]}


@pytest.mark.parametrize("stop", [4, 8, 13])
def test_a_steered_run_that_goes_on_draws_what_an_unbroken_one_does(stop, tmp_path, monkeypatch):
    whole = left(run.drive(small(tmp_path, "whole", True), MAY, quiet=True))
    ours, calls = Drawing.advance, []

    def killed(drawing):
        calls.append(drawing.place)
        if len(calls) == stop:
            raise KeyboardInterrupt
        return ours(drawing)

    with monkeypatch.context() as patch:
        patch.setattr(Drawing, "advance", killed)
        with pytest.raises(KeyboardInterrupt):
            run.drive(small(tmp_path, "broken", True), MAY, quiet=True)
    assert left(run.drive(small(tmp_path, "broken", True), MAY, resume=True, quiet=True)) == whole
    with pytest.raises(CheckpointError, match="begun with another settings"):
        run.drive(small(tmp_path, "broken", True, yaw=[0.0, 26.0]), MAY, resume=True, quiet=True)
    points_network(tmp_path / "marks.xml", 9)
    with pytest.raises(CheckpointError, match="begun with another settings"):
        run.drive(small(tmp_path, "broken", True), MAY, resume=True, quiet=True)


def test_a_run_draws_every_target_at_every_pose_and_is_measured(tmp_path, capsys):
    whole = small(tmp_path, "run", True)
    folder = run.drive(whole, MAY, quiet=True)
    names = crops.Crops(tmp_path / "set").spread(2)
    assert [one.of for one in Folder(folder).drawn()] == [*names, *names]
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert {"identity", "prior", "landmarks", "cosine"} <= set(lines[0])
    assert lines[4]["landmarks"] < lines[0]["landmarks"], "the network that is asked finds the points nearer"
    given = ["invert", "--measure", str(folder), "--photos", "6", "--json", str(tmp_path / "f.json")]
    assert cli.main(given) == 0
    found = [one for one in json.loads((tmp_path / "f.json").read_text()) if "turned" in one]
    assert [(one["steps"], one["yaw"]) for one in found] == [
        (0, 0.0), (0, 25.0), (0, None), (3, 0.0), (3, 25.0), (3, None), (5, 0.0), (5, 25.0), (5, None)
    ]  # fmt: skip
    level, turned, both = found[-3:]
    assert (level["pictures"], both["pictures"], level["seen"][0]) == (2, 4, 1.0)
    assert level["alike"][0]["share"] is None
    assert turned["alike"][0]["judge"] == "judge"
    assert [one["measure"] for one in turned["turned"]] == ["device", "fit"]
    assert len(capsys.readouterr().out.splitlines()) > 11
    # The attacked network's word is of the picture as it is aligned.
    own = attacked.load(Teacher(str(tmp_path / "net")), CPU)
    made = steering.of(config.section(whole, "invert", section.Invert), 2, CPU)
    aim = made.spread(target.find(section.Aim(crops=str(tmp_path / "set"), most=2), own, 1))
    shown = made.aligned_pixels(np.stack(Folder(folder).pictures()))
    told = [one.cosine for one in Folder(folder).drawn()]
    assert target.likeness(aim, own, shown) == pytest.approx(told, abs=1e-5)
    assert figures.measure(Bench(Finished(folder), 6, {}))[-1].attacked == pytest.approx(np.mean(told), abs=1e-5)


def test_the_network_that_is_asked_does_not_measure(tmp_path):
    with pytest.raises(ConfigError, match="it would measure itself"):
        run.drive(small(tmp_path, "run", measured_by=str(tmp_path / "marks.xml")), MAY, quiet=True)
    (tmp_path / "copy.xml").write_bytes((tmp_path / "marks.xml").read_bytes())
    (tmp_path / "copy.bin").write_bytes((tmp_path / "marks.bin").read_bytes())
    with pytest.raises(ConfigError, match="it would measure itself"):
        run.drive(small(tmp_path, "run", measured_by=str(tmp_path / "copy.xml")), MAY, quiet=True)
    folder = run.drive(small(tmp_path, "run", measured_by=""), MAY, quiet=True)
    with pytest.raises(DataError, match=r"has no steer.measured_by: name YuNet"):
        reached.measure(Finished(folder))


def test_an_unseen_face_stays_in_the_denominator(tmp_path):
    made = steered(tmp_path, 4, yaw=(0.0, 20.0))
    yaws = np.array([1.0, -2.0, np.nan, 3.0, 10.0, np.nan, np.nan, np.nan])
    angles = np.stack([yaws, yaws * 0], axis=1)
    cosines = np.array([0.4, 0.5, 0.6, 0.5, 0.2, 0.3, 0.2, 0.3])
    lie = np.array([reached._lie(pose.seen(20, 0, 0.8, (6, -4)) + (yaw - yaw), 20, 0) for yaw in yaws])
    rows = reached._each("run", reached._Look(5, {"device": angles}, lie, {"judge": cosines}), made)
    level, aside, whole = rows
    assert level.seen[0] == 0.75
    assert (level.scale[0], level.right[0], level.down[0]) == pytest.approx((0.8, 6, -4))
    assert level.turned[0].yaw_error[0] == 2.0
    assert level.turned[0].yaw_error_90 == np.inf
    assert (aside.seen[0], aside.turned[0].reached_yaw[0], aside.turned[0].yaw_error[0]) == (0.25, 10.0, np.inf)
    assert aside.alike[0].share[0] == pytest.approx(0.5)
    assert whole.turned[0].yaw_error[0] == 10.0
    assert json.dumps(reached.plain(rows), allow_nan=False)


def test_what_a_turn_costs_photos_of_people(tmp_path, monkeypatch):
    """A photo's light says which way it looks; the judge sees nothing else. Of one person there is no second photo that
    looks ahead, of another none that looks aside."""
    for name, yaws in {"a": (0, 2, 30), "b": (-4, 4, -28, 33, 60), "c": (0, 30), "d": (0, 1, 15)}.items():
        crops.save(tmp_path / "photos" / name, np.stack([np.full((112, 112, 3), 100 + yaw, np.uint8) for yaw in yaws]))

    def yaws_of(images):
        return np.array([float(image[0, 0, 0]) - 100 for image in images])

    def see(images):
        marks = np.repeat(pose.TEMPLATE[None], len(images), axis=0)
        marks[:, 1, 1] = marks[:, 0, 1]
        eyes = marks[0, :2].mean(axis=0)
        marks[:, 2, 0] = eyes[0] + 0.6 * (marks[0, 1, 0] - marks[0, 0, 0]) * np.tan(np.deg2rad(yaws_of(images)))
        return finder.Found(marks, np.ones(len(images)))

    class Judge:
        name = "judge"

        def __call__(self, images):
            turn = np.deg2rad(yaws_of(images))
            return np.stack([np.cos(turn), np.sin(turn)], axis=1)

    see.digest = "other"
    monkeypatch.setattr(ceiling.finder, "Finder", lambda *_: see)
    monkeypatch.setattr(ceiling.judges, "gather", lambda *_: [Judge()])
    whole = small(tmp_path, "run", yaw=[-30.0, 0.0, 30.0])
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").write_text(config.to_toml(whole))
    (found,) = ceiling.measure(tmp_path / "run", tmp_path / "photos")
    assert (found.yaw, found.people, found.photos) == (30.0, 2, 7)
    cosine = [np.cos(np.deg2rad(angles)).mean() for angles in ([2], [8], [30, 28], [24, 32, 37, 29])]
    assert found.ahead[0] == pytest.approx(np.mean(cosine[:2]))
    assert found.turned[0] == pytest.approx(np.mean(cosine[2:]))
    assert found.share[0] == pytest.approx(sum(cosine[2:]) / sum(cosine[:2]))
    assert "| 30 | judge | 2 | 7 |" in ceiling.table([found])
    with pytest.raises(DataError, match="no two people with two photos that look ahead and one at 30 degrees"):
        ceiling.measure(tmp_path / "run", tmp_path / "photos" / "a")


@pytest.mark.parametrize("measured", [[], ["--measure", "one", "other"]])
def test_photos_are_compared_by_the_judges_of_one_run(measured, capsys):
    assert cli.main(["invert", *measured, "--turned-photos", "photos"]) == 2
    assert "of one steered run" in capsys.readouterr().err


@pytest.mark.parametrize(
    "bad",
    [
        {"yaw": ()},
        {"yaw": (80.0,)},
        {"pitch": (1.0, 1.0)},
        {"scale": 0.1},
        {"place": (1.0,)},
        {"weight": 0.0},
        {"rate": 0.0},
    ],
)
def test_poses_that_cannot_be_asked(bad):
    with pytest.raises(ConfigError, match=r"^invert\.steer\."):
        section.Steer("x.xml", **bad)


def test_a_network_without_a_gradient_cannot_steer(tmp_path):
    with pytest.raises(DataError, match="a network with a gradient is wanted"):
        steering.Steering(section.Steer(str(tmp_path / "yunet.onnx")), 1, CPU)


def test_a_run_that_is_not_steered_depends_on_nothing_new(tmp_path):
    whole = small(tmp_path, "run")
    whole.foreign["invert"].pop("steer")
    assert "steer" not in run.Run(whole, Folder(tmp_path / "run"), CPU).about()["settings"]


@pytest.mark.parametrize("name", ["invert-steer", "invert-groups"])
def test_shipped_configurations(name):
    whole = config.load(Path(__file__).parents[1] / "configs" / f"{name}.toml")
    section.refuse(whole)
    found = config.section(whole, "invert", section.Invert)
    assert (0.0, 0.0) in found.steer.poses()
    assert found.steer.measured_by.endswith(".onnx")


@real
def test_yunet_finds_an_aligned_face_and_nothing_in_noise():
    faces = crops.Crops(DATA / "train/lfw_unpaired.zip")
    seer = finder.Finder(YUNET)
    found = seer(np.stack([faces.read(name) for name in faces.spread(12)]))
    assert found.seen.mean() > 0.9
    assert np.nanmedian(np.linalg.norm(found.marks - pose.TEMPLATE, axis=2)) < 4
    assert np.nanmedian(np.abs(pose.measured(found.marks))) < 10
    assert not seer(crops.random(2)).seen.any()
    with pytest.raises(DataError, match="is no YuNet"):
        finder.Finder(DATA / "teachers/MobileFaceNet_foamliu.onnx")
