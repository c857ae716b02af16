"""Merging: who and what occurs twice is found, what a person decided is done, and nothing else goes."""

import csv
import json
import pickle

import numpy as np
import pytest
from PIL import Image
from torch import nn

from arcdoor_train import cli, config, crops, data, onnx_file, overlap, review
from arcdoor_train.errors import DataError, UsageError
from arcdoor_train.feature_file import unit
from arcdoor_train.merge import merge, same_names


def people(count, each, spread=0.05, dimension=32, seed=1):
    """Unit-length features of ``each`` images of ``count`` people, and whose."""
    random = np.random.default_rng(seed)
    who = np.repeat(np.arange(count), each)
    middle = unit(random.normal(size=(count, dimension)))
    return unit(middle[who] + spread * random.normal(size=(len(who), dimension))).astype(np.float32), who


def test_centres_pass_over_what_has_no_feature_and_who_is_nobody():
    features, labels = people(3, 4)
    features[0] = np.nan
    labels[11] = -1
    found = overlap.centres(features, labels, 4)
    assert np.allclose(found[0], unit(features[1:4].sum(axis=0, keepdims=True))[0], atol=1e-6)
    assert np.allclose(found[2], unit(features[8:11].sum(axis=0, keepdims=True))[0], atol=1e-6)
    assert not found[3].any()


@pytest.mark.parametrize("step", [1, 100, 1 << 24])
def test_alike_finds_each_pair_once_whatever_the_step(step, monkeypatch):
    monkeypatch.setattr(overlap, "_STEP_VALUES", step)
    features, who = people(5, 3)
    pairs, cosines = overlap.alike(features, None, 0.8)
    wanted = {(a, b) for a in range(15) for b in range(a + 1, 15) if who[a] == who[b]}
    assert {tuple(pair) for pair in pairs.tolist()} == wanted
    assert (np.diff(cosines) <= 0).all()
    pairs, _ = overlap.alike(features[:3], features[3:6], -1.0)
    assert len(pairs) == 9


def test_a_limit_that_makes_strangers_alike_is_refused(monkeypatch):
    monkeypatch.setattr(overlap, "MOST_PAIRS", 10)
    with pytest.raises(UsageError, match="raise the limit"):
        overlap.alike(people(5, 3)[0], None, -1.0)


def test_of_copies_the_first_stays_and_none_that_two_people_claim():
    images = np.array([7, 5, 7, 0, 0, 9, 9, 5, 8], np.uint64)
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 0, 2])
    assert np.flatnonzero(overlap.copies(images, labels)).tolist() == [2, 5, 6, 7]
    # Nobody's copy claims nothing.
    assert np.flatnonzero(overlap.copies(images, np.where(labels == 2, -1, labels))).tolist() == [2, 7]
    assert not overlap.copies(images, np.full(9, -1)).any()


@pytest.mark.parametrize("step", [1, 1 << 24])
def test_near_copies_go_within_an_identity_and_one_of_each_stays(step, monkeypatch):
    monkeypatch.setattr(overlap, "_STEP_VALUES", step)
    features, labels = people(3, 4, spread=0.4)
    features[3], features[2], features[9] = features[1], features[1], features[1]
    features[6] = np.nan
    labels[10:] = -1
    features[11] = features[10]
    assert np.flatnonzero(overlap.near_copies(features, labels, 0.999)).tolist() == [2, 3]


def test_images_in_folders_are_a_person_s_and_others_are_each_somebody():
    features, _ = people(2, 2)
    found, names, sizes = overlap.people(features, ["a/1.png", "a/2.png", "b/1.png", "b/2.png"])
    assert (names, sizes, found.shape) == (["a", "b"], [2, 2], (2, 32))
    for folder in ("", "all/"):
        assert overlap.people(features, [f"{folder}{n}.png" for n in range(4)])[2] == [1] * 4
    _, names, sizes = overlap.people(features, ["a/1.png", "a/2.png", "b.png", "c.png"])
    assert (names, sizes) == (["a", "b.png", "c.png"], [2, 1, 1])


def test_numbers_are_no_id_strings_and_one_set_is_not_compared_with_itself_by_name():
    assert same_names(["a/m.01", "a/0007", "b/0007", "b/m.01", "c/m.01"]) == [(0, 3), (0, 4)]


def row(verdict, why, first, second):
    return review.Row(verdict, why, 0.9, first, 1, second, 1)


def test_verdicts_join_and_drop():
    faces = data.Dataset([str(n) for n in range(5)], np.arange(5), [f"a/{n}" for n in "vwxyz"], lambda n: b"")
    joined = [row("join", "alike", "a/y", "a/w"), row("join", "alike", "a/z", "a/y")]
    assert merge(faces, joined).tolist() == [0, 1, 2, 1, 1]
    assert merge(faces, [row("drop", "names", "a/v", "a/x"), row("apart", "alike", "a/w", "a/v")]).tolist() == [
        0, 1, -1, 3, 4,
    ]  # fmt: skip
    # Who is one person with somebody of the evaluation set, is so under both labels.
    assert merge(faces, [*joined, row("drop", "evaluation", "a/z", "lfw:who")]).tolist() == [0, -1, 2, -1, -1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("alike", "a hunch"), "line 2: the verdict 'join' on a hunch"),
        (lambda text: text.replace("join", "merge"), "the verdict 'merge'"),
        (lambda text: text.replace("alike", "evaluation"), "the verdict 'join' on evaluation"),
        (lambda text: text.replace("a/w", "b/w"), "no such identities"),
        (lambda text: text.replace("0.9", "high"), "cannot read"),
        (lambda text: text.replace("\t1", ""), "cannot read"),
        (lambda text: text.replace("verdict", "ruling"), "its first line is not"),
        (lambda _: "", "its first line is not"),
    ],
)
def test_a_review_that_cannot_be_used_is_refused(change, said, tmp_path):
    review.write(tmp_path / "review.tsv", [row("join", "alike", "a/v", "a/w")], [])
    assert review.read(tmp_path / "review.tsv", ["a/v", "a/w"]) == [row("join", "alike", "a/v", "a/w")]
    (tmp_path / "review.tsv").write_text(change((tmp_path / "review.tsv").read_text()))
    with pytest.raises(DataError, match=said):
        review.read(tmp_path / "review.tsv", ["a/v", "a/w"])
    with pytest.raises(DataError, match="cannot read"):
        review.read(tmp_path / "none.tsv", [])


@pytest.fixture
def place(tmp_path):
    """Two sets of three people by their coarse colours: ``m.1`` is in both by name, ``x`` of the second is ``m.2`` of
    the first, ``y`` is in an evaluation set; ``m.3`` has a copy of its first image."""
    onnx_file.save(onnx_file.trace(nn.Sequential(nn.AvgPool2d(28), nn.Flatten()), 17), tmp_path / "coarse.onnx")
    looks = crops.random(6, seed=3)
    for who, look, first in (
        ("one/m.1", 0, 0), ("one/m.2", 1, 0), ("one/m.3", 2, 0), ("two/m.1", 0, 9), ("two/x", 1, 9), ("two/y", 3, 0),
        ("judged/her", 3, 9),
    ):  # fmt: skip
        noise = [np.random.default_rng([look, first + n]).normal(0, 20, looks[0].shape) for n in range(3)]
        images = [np.clip(looks[look] + some, 0, 255).astype(np.uint8) for some in noise]
        crops.save(tmp_path / who, np.stack(images))
    copied = tmp_path / "one" / "m.3" / "00001.png"
    copied.write_bytes((tmp_path / "one" / "m.3" / "00000.png").read_bytes())
    for name in ("one", "two"):
        (tmp_path / name / "dataset.toml").write_text(f'alignment = "{data.ALIGNMENT}"\n')
    Image.fromarray(looks[4]).save(tmp_path / "judged" / "stranger.png")
    sets = ", ".join(f'{{ path = "{tmp_path / name}", name = "{name}" }}' for name in ("one", "two"))
    (tmp_path / "both.toml").write_text(f"[data]\nworkers = 0\nsets = [{sets}]\n")
    return tmp_path


def command(place, *more):
    out = ["--out", str(place / "merged.tsv"), "--model", str(place / "coarse.onnx")]
    limits = ["--alike", "0.9", "--copy", "0.99999", "--evaluation-alike", "0.9"]
    return ["merge", "--config", str(place / "both.toml"), *out, *limits, *more]


def reviewed(place):
    with open(place / "merged.report" / "review.tsv", newline="") as file:
        return {(row["first"], row["second"]): row for row in csv.DictReader(file, delimiter="\t")}


def test_the_command_merges_two_sets(place, capsys):
    assert cli.main(command(place, "--evaluation", str(place / "judged"))) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (answer["identities_before"], answer["identities"], answer["images"]) == (6, 5, 14)
    assert (answer["same_bytes"], answer["near_copy"], answer["unreadable"]) == (1, 0, 0)
    rows = reviewed(place)
    assert {pair: row["why"] for pair, row in rows.items()} == {
        ("one/m.1", "two/m.1"): "names",
        ("one/m.2", "two/x"): "alike",
        ("two/y", f"{place}/judged:her"): "evaluation",
    }
    whole = config.load(place / "both.toml")
    listed = config.Data(sets=whole.data.sets, list=str(place / "merged.tsv"), workers=0)
    found, _ = data.gather(listed, 1)
    assert found.identities == ["one/m.1", "one/m.2", "one/m.3", "two/x", "two/y"]
    assert np.bincount(found.labels).tolist() == [3, 3, 2, 3, 3]
    assert (place / "merged.report" / "gone.csv").read_text() == "image,why\none/m.3/00001.png,same_bytes\n"

    # A person has looked: x is m.2, and who is judged on is not trained on.
    path = place / "merged.report" / "review.tsv"
    text = "".join(
        ("join" if "\talike\t" in line else "drop" if "\tevaluation\t" in line else "") + line
        for line in path.read_text().splitlines(keepends=True)
    )
    path.write_text(text)
    assert cli.main(command(place, "--evaluation", str(place / "judged"), "--review", str(path))) == 0
    found, _ = data.gather(listed, 1)
    assert found.identities == ["one/m.1", "one/m.2", "one/m.3"]
    assert np.bincount(found.labels).tolist() == [3, 6, 2]
    verdicts = {pair: row["verdict"] for pair, row in reviewed(place).items()}
    assert verdicts["one/m.2", "two/x"] == "join", "what a person wrote stays"
    assert verdicts["one/m.1", "two/m.1"] == "drop", "what needed nobody is said"
    assert cli.main(command(place, "--alike", "1", "--review", str(path))) == 0
    assert set(reviewed(place)) == set(verdicts), "also where a limit no longer lists it"


def test_one_name_joins_where_asked_and_evaluation_people_go_without_a_review(place, capsys):
    more = ["--by-name", "join", "--evaluation", str(place / "judged"), "--drop-evaluation"]
    assert cli.main(command(place, *more)) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (answer["identities"], answer["images"]) == (4, 14)
    # Unlike ones of one name are left to a person.
    assert cli.main(command(place, "--by-name", "join", "--same-name", "1")) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["identities"] == 6


def test_evaluation_people_are_found_in_a_bin_whose_images_are_nobody_s(place):
    images = [(place / "judged" / "her" / f"0000{n}.png").read_bytes() for n in range(2)]
    (place / "judged.bin").write_bytes(pickle.dumps((images, [True])))
    assert cli.main(command(place, "--evaluation", str(place / "judged.bin"))) == 0
    rows = {pair: row for pair, row in reviewed(place).items() if row["why"] == "evaluation"}
    assert set(rows) == {("two/y", f"{place}/judged.bin:image {n}") for n in range(2)}


def test_merge_refuses_what_it_cannot_tell_apart(place, capsys):
    text = (place / "both.toml").read_text()
    (place / "both.toml").write_text(text.replace("two", "one"))
    assert cli.main(command(place)) == 3
    assert "give one another `name`" in capsys.readouterr().err
    (place / "both.toml").write_text(text.replace(', name = "one"', "").replace(', name = "two"', ""))
    assert cli.main(command(place)) == 3
    assert "two images have the name m.1/0000" in capsys.readouterr().err
    (place / "both.toml").write_text(text)
    assert cli.main(command(place, "--alike", "1.5")) == 2
    assert cli.main(command(place, "--evaluation", str(place / "nowhere"))) == 3
    assert not (place / "merged.features").exists()


def test_the_figures_of_merge_are_of_people_who_are_known(place, capsys):
    more = ["--features", str(place / "kept"), "--model", str(place / "coarse.onnx")]
    base = ["bench-merge", "--config", str(place / "both.toml"), *more, "--copies", "2"]
    assert cli.main([*base, "--split", "9"]) == 3
    assert "identities have 4 images" in capsys.readouterr().err
    for who in ("one/m.1", "one/m.2", "two/y"):
        for n in range(3):
            (place / who / f"again{n}.png").write_bytes((place / who / f"0000{n}.png").read_bytes())
    assert cli.main([*base, "--split", "2", "--people", "1", "--features", str(place / "more")]) == 0
    said = capsys.readouterr().out
    rows = [line.split("|")[1:-1] for line in said.splitlines() if line.startswith("| 0.8 ")]
    assert [float(row[3]) for row in rows] == [100.0, 100.0]
