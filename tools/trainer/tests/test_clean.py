"""Sub-centre cleaning: injected label noise goes, clean images stay."""

import dataclasses
import json
import tracemalloc

import numpy as np
import pytest
import torch

from arcdoor_train import backbones, checkpoint, clean, clean_report, cli, config, crops, data, lock, plant, subcentres
from arcdoor_train.data.sets import by_name
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
    done = subcentres.clean(features, labels, centres)
    assert np.mean(~done.keep[wrong]) > 0.95
    assert np.mean(done.keep[~wrong]) > 0.99
    assert np.array_equal(done.dominant, slot)
    stays = done.labels[done.keep]
    assert set(stays) == set(range(stays.max() + 1)), "numbers without gaps"
    assert (done.labels[~done.keep] == -1).all()


def test_an_identity_that_is_emptied_goes_and_the_rest_is_numbered_anew():
    features = np.array([[1.0, 0], [0, 1.0], [0, 1.0]])
    centres = np.array([[[1.0, 0]], [[1.0, 0]], [[0, 1.0]]])
    done = subcentres.clean(features, np.array([0, 1, 2]), centres)
    assert done.labels.tolist() == [0, -1, 1]


def test_the_angle_is_what_decides():
    angles = np.radians([74.0, 76.0])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    done = subcentres.clean(features, np.array([0, 0]), np.array([[[2.0, 0.0]]]))
    assert done.keep.tolist() == [True, False]
    assert subcentres.clean(features, np.array([0, 0]), np.array([[[2.0, 0.0]]]), degrees=77).keep.all()


def test_a_feature_that_is_no_number_neither_votes_nor_stays():
    features = np.array([[np.nan, 0], [1.0, 0]])
    done = subcentres.clean(features, np.array([0, 0]), np.array([[[0, 1.0], [1.0, 0]]]))
    assert done.keep.tolist() == [False, True]
    assert done.dominant.tolist() == [1]


def test_a_feature_opposite_to_its_centre_is_one_that_could_be_read():
    done = subcentres.clean(np.array([[-1.0, 0], [np.nan, 0]]), np.array([0, 0]), np.array([[[1.0, 0]]]))
    assert (done.cosines.tolist(), done.seen.tolist()) == ([-1.0, -1.0], [True, False])
    assert clean_report.figures(np.array([0, 0]), done, 75.0, None)["unreadable"] == 1


def test_labels_beyond_the_head_are_refused():
    with pytest.raises(DataError, match="the head knows"):
        subcentres.clean(np.eye(2), np.array([0, 1]), np.ones((1, 1, 2)))


def a_run(tmp_path, **more):
    """A run as training leaves it: of two people, the second one's second centre lies at their images, and the first
    one's images are far from all of theirs."""
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
    whole = dataclasses.replace(whole, data=dataclasses.replace(whole.data, **more))
    torch.manual_seed(3)  # by chance, images of one person would be unlike
    model = backbones.build("dense-xs", 8).eval()
    part = checkpoint.begin(tmp_path / "run", 1)
    faces, _ = data.gather(whole.data, 1)
    checkpoint.save_model(part / "model.pt", model, whole, identities=2, data=faces.fingerprint)
    with torch.no_grad():
        found = model(torch.from_numpy(crops.to_input(crops.random(3, 1))))
    weight = torch.cat([-found.mean(0).expand(3, 8), torch.stack([-found[0], found[0], -found[0]])])
    checkpoint.save_tensors(part / "head-0-of-1.pt", {"classes": 2, "rows": {"weight": weight}, "whole": {}})
    checkpoint.finish(part, 1)
    return str(tmp_path / "run")


def test_the_command_reads_a_run_as_training_leaves_it(tmp_path, capsys):
    run, out = a_run(tmp_path), tmp_path / "list.tsv"
    before = {path: path.read_bytes() for path in (tmp_path / "set").rglob("*.png")}
    assert cli.main(["clean", run, "--out", str(out), "--sheets", "5", "--identity", "set/p1"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "6 images of 2 identities: features take 0.0 GB" in said[0]
    answer = json.loads(said[-1])
    assert answer == json.loads((tmp_path / "list.report" / "report.json").read_text())
    assert answer["unreadable"] == 1
    assert answer["identity"] == {"name": "set/p1", "sub_classes": [0, 3]}
    names = [line.split("\t")[0] for line in out.read_text().splitlines()[1:]]
    assert any(name.endswith("p1/00000.png") for name in names)
    assert not any("00000.png" in name and "p0" in name for name in names)
    made = {path.name for path in (tmp_path / "list.report").iterdir()} - {"lock"}
    sheets = {"kept.png", "dropped.png", "identity.png"}
    assert made == {"report.json", "identities.csv", "angles.csv", "angles.png", "angles.svg"} | sheets
    assert before == {path: path.read_bytes() for path in (tmp_path / "set").rglob("*.png")}
    # Features are kept: another limit is another list in no time.
    feature = tmp_path / "list.features"
    again = ["clean", run, "--out", str(tmp_path / "strict.tsv"), "--features", str(feature), "--degrees", "60"]
    assert cli.main(again) == 0
    assert not list((tmp_path / "strict.report").glob("[kd]*.png")), "nobody's face where none was asked for"


def test_a_run_that_did_not_learn_is_said_to_say_nothing_of_noise(tmp_path, capsys, monkeypatch):
    features, labels, *_ = noisy()
    assert abs(clean.strangers(features, labels)) < 0.1
    assert clean.strangers(np.ones((9, 4)) / 2, np.arange(9)) == pytest.approx(1.0)
    assert clean.strangers(np.full((9, 4), np.nan), np.arange(9)) == 0.0
    monkeypatch.setattr(clean, "strangers", lambda *_: 0.99)
    assert cli.main(["clean", a_run(tmp_path), "--out", str(tmp_path / "list.tsv")]) == 0
    assert "did not learn to tell people apart" in capsys.readouterr().err


def test_sets_that_are_others_now_than_in_training_are_refused(tmp_path, capsys):
    run = a_run(tmp_path)
    (tmp_path / "set" / "p1" / "00001.png").unlink()
    assert cli.main(["clean", run, "--out", str(tmp_path / "list.tsv")]) == 3
    assert "other images now" in capsys.readouterr().err
    crops.save(tmp_path / "set" / "p2", crops.random(1))
    assert cli.main(["clean", run, "--out", str(tmp_path / "list.tsv")]) == 3
    assert "3 identities now, 2 when it was trained" in capsys.readouterr().err


@pytest.mark.parametrize(
    "more",
    [
        ["--processes", "0"], ["--degrees", "180"], ["--sheets", "-1"], ["--sheets", "4097"], ["--planted"],
        ["--identity", "set/nobody"], ["--out", "."],
    ],
)  # fmt: skip
def test_what_clean_cannot_do_is_refused_before_the_work(more, tmp_path):
    assert cli.main(["clean", a_run(tmp_path), "--out", str(tmp_path / "list.tsv"), *more]) == 2
    assert not (tmp_path / "list.features").exists()


def test_what_a_list_could_not_tell_apart_is_refused_before_the_work(tmp_path, capsys, monkeypatch):
    for place, name in (("a", "0.png"), ("b", "1.png")):
        crops.save(tmp_path / place / "set" / "ada", crops.random(1))
        (tmp_path / place / "set" / "ada" / "00000.png").rename(tmp_path / place / "set" / "ada" / name)
    sets = ", ".join(f'{{ path = "{tmp_path / name / "set"}", alignment = "arcface-112" }}' for name in "ab")
    (tmp_path / "both.toml").write_text(f"[data]\nsets = [{sets}]\n")
    assert cli.main(["plant", "--config", str(tmp_path / "both.toml"), "--out", str(tmp_path / "noisy.tsv")]) == 3
    assert "two identities have the name set/ada" in capsys.readouterr().err
    run, faces = a_run(tmp_path), data.Dataset(["a/0.png"] * 2, np.arange(2), ["a", "b"], lambda _: b"")
    monkeypatch.setattr(clean.trained, "read", lambda _: (config.Config(), faces, np.ones((2, 1, 8))))
    assert cli.main(["clean", run, "--out", str(tmp_path / "list.tsv")]) == 3
    assert "two images have the name a/0.png" in capsys.readouterr().err
    assert not (tmp_path / "list.features").exists()


def test_two_runs_in_one_folder_are_refused_and_a_folder_that_cannot_be_is_named(tmp_path, capsys):
    run, out = a_run(tmp_path), str(tmp_path / "list.tsv")
    with lock.alone(tmp_path / "list.report"):
        assert cli.main(["clean", run, "--out", out]) == 2
    assert "another run works in" in capsys.readouterr().err
    (tmp_path / "list.report" / "lock").unlink()
    (tmp_path / "list.report").rmdir()
    (tmp_path / "list.report").write_text("a file")
    assert cli.main(["clean", run, "--out", out]) == 5
    assert not (tmp_path / "list.tsv").exists()


def test_planted_noise_is_where_the_list_says_and_nothing_else_changes():
    labels = np.repeat(np.arange(20), 30)
    found = plant.plant(labels, 20, 0.3, 0.2, seed=3)
    assert np.array_equal(found, plant.plant(labels, 20, 0.3, 0.2, seed=3))
    left = np.unique(found)
    assert len(left) == 16
    stay = np.isin(labels, left)
    assert (found != labels)[~stay].all()
    assert 0.25 < np.mean((found != labels)[stay]) < 0.35
    assert (found == labels)[np.arange(0, 600, 30)][np.isin(np.arange(20), left)].all(), "each keeps an image"
    assert np.array_equal(plant.plant(labels, 20, 0.0, 0.0, seed=3), labels)


@pytest.mark.parametrize("count", [1, 3, 10])
def test_memory_is_what_is_said_before_the_work(count, monkeypatch):
    """Ten million images must not bring a copy of their features: 41 GB."""
    monkeypatch.setattr(subcentres, "_STEP_VALUES", 1 << 14)
    random, images, classes, dimension = np.random.default_rng(1), 100_000, 1000, 8
    features = random.normal(size=(images, dimension)).astype(np.float32)
    centres = random.normal(size=(classes, count, dimension)).astype(np.float32)
    labels = random.integers(0, classes, images)
    tracemalloc.start()
    try:
        subcentres.clean(features, labels, centres)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < images * (4 * count + 40) + centres.nbytes + 1_000_000


def test_the_four_shares_are_of_all_images_that_have_a_feature():
    features, labels, centres, wrong, _ = noisy()
    features[0] = np.nan
    done = subcentres.clean(features, labels, centres)
    said = clean_report.figures(labels, done, 75.0, wrong)
    four = said["planted"]
    shares = [four[f"{which}_{what}"] for which in ("dominant", "non_dominant") for what in ("clean", "noisy")]
    assert sum(shares) == pytest.approx(1.0)
    assert four["non_dominant_clean"] < 0.01
    assert four["clean_in_dominant"] > 0.99
    assert four["noise_dropped"] > 0.95
    assert said["unreadable"] == 1
    kept = [row["kept"] for row in said["by_degrees"]]
    assert kept == sorted(kept)
    assert said["by_degrees"][3] == {
        "degrees": 75, "kept": said["kept"], "identities": said["identities"],
        "noise_in_kept": four["noise_in_kept"], "clean_dropped": pytest.approx(four["clean_dropped"], abs=0.01),
    }  # fmt: skip
    counts = clean_report.angles(done, wrong)
    assert sum(counts[f"{name}_before"].sum() for name in ("clean", "noisy")) == len(labels) - 1
    assert counts["noisy_after"][:40].sum() < counts["noisy_before"][:40].sum(), "noise moves beyond 80 degrees"


def test_a_planted_run_says_what_was_found(tmp_path, capsys):
    for person in range(4):
        crops.save(tmp_path / "set" / f"p{person}", crops.random(3, person))
    (tmp_path / "set" / "dataset.toml").write_text(f'alignment = "{data.ALIGNMENT}"\n')
    (tmp_path / "all.toml").write_text(f'[data]\nsets = [{{ path = "{tmp_path}/set" }}]\n')
    out = ["--config", str(tmp_path / "all.toml"), "--out", str(tmp_path / "noisy.tsv")]
    assert cli.main(["plant", *out, "--strangers", "0.5", "--flips", "0"]) == 0
    assert "6 of 12 images have another identity's name" in capsys.readouterr().out
    run = a_run(tmp_path, list=str(tmp_path / "noisy.tsv"))
    assert cli.main(["clean", run, "--out", str(tmp_path / "list.tsv"), "--planted"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["planted"]["dominant_noisy"] + answer["planted"]["non_dominant_noisy"] > 0
    assert cli.main(["plant", *out, "--flips", "1"]) == 2
    assert cli.main(["plant", *out, "--strangers", "0.9"]) == 2


def test_a_run_without_centres_is_refused(tmp_path, capsys):
    whole = config.parse('[data]\nper_identity = 4\n[head]\nkind = "triplet"\n[model]\nbackbone = "dense-xs"')
    part = checkpoint.begin(tmp_path / "run", 1)
    checkpoint.save_model(part / "model.pt", backbones.build("dense-xs"), whole, identities=2)
    checkpoint.finish(part, 1)
    assert cli.main(["clean", str(tmp_path / "run"), "--out", str(tmp_path / "list.tsv")]) == 3
    assert "has no class centres" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a\tb.png", "a\nb.png"])
def test_a_name_that_would_break_a_list_is_refused_before_the_work(tmp_path, name):
    for person in ("ada", "eve"):
        old = crops.save(tmp_path / person, crops.random(1))[0]
        (tmp_path / person / old).rename(tmp_path / person / name)
    faces = data.open(tmp_path, data.ALIGNMENT)
    with pytest.raises(DataError, match="rename it"):
        by_name(faces)
