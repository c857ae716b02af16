"""Figures by group, covered templates and bad cases: what they promise, on invented faces and features."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from arcdoor_train import backbones, checkpoint, cli, config, crops, hold_out, scores
from arcdoor_train.data import drawn
from arcdoor_train.errors import ConfigError, DataError
from arcdoor_train.feature_file import unit
from arcdoor_train.inversion import (
    attacked,
    bad_cases,
    cover,
    finder,
    labels,
    marked,
    photos,
    pose,
    run,
    section,
    sheet,
    target,
)
from arcdoor_train.inversion.comparison import Bench, Comparison, Point
from arcdoor_train.inversion.finder import Found
from arcdoor_train.inversion.finished import Finished
from arcdoor_train.inversion.folder import Drawn
from arcdoor_train.teachers import Teacher

MAY = "nobody: the identities are invented"
CPU = torch.device("cpu")
TRAINER = Path(__file__).parents[1]
DATA = Path(os.environ.get("ARCDOOR_DATA", "/nowhere"))
YUNET = DATA / "detectors/yunet_s_dynamic.onnx"
DEGRADE = TRAINER.parent / "lab/src/degrade"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two networks with weights by chance, and four people's photos."""
    place = tmp_path_factory.mktemp("groups")
    for seed, name in enumerate(("net", "judge")):
        torch.manual_seed(seed)
        (place / name).mkdir()
        whole = config.parse('[model]\nbackbone = "dense-xs"\ndimension = 8')
        checkpoint.save_model(place / name / "model.pt", backbones.build("dense-xs", 8).eval(), whole)
    for person in range(4):
        crops.save(place / "set" / f"p{person}", np.stack([drawn.face(1, person, n) for n in range(3)]))
    (place / "listed.txt").write_text("".join(f"p{person}/00001.png\n" for person in range(3)))
    (place / "known.tsv").write_text("name\tage\thair\np0\told\tfair\np1/00001.png\tyoung\t\np2\told\tdark\n")
    return place


def wanted(place, name, **aim):
    aim = {"crops": str(place / "set"), "listed": str(place / "listed.txt")} | aim
    return config.from_table(
        {
            "run": {"folder": str(place / name), "device": "cpu", "threads": 1, "checkpoint_steps": 0},
            "invert": {
                "model": {"path": str(place / "net")},
                "target": aim,
                "judges": [{"path": str(place / "judge")}],
                "batch": 6,
                "steps": 2,
                "sides": [32],
            },
        }
    )


@pytest.fixture(scope="module")
def folder(place):
    whole = wanted(place, "run", covered=["nothing", "mask"], labels=str(place / "known.tsv"))
    return run.drive(whole, MAY, quiet=True)


def test_what_is_covered_is_what_the_lab_covers():
    numbers, text = r"(-?[\d.]+)", (DEGRADE / "cover.rs").read_text()

    def constant(name, size):
        stored = re.search(rf"const {name}: [^=]*=\s*\[(.*?)\];", text, re.DOTALL)[1]
        return np.array(re.findall(numbers, stored), float).reshape(size)

    assert constant("EYES", (2, 2)).tolist() == np.array(cover.EYES).tolist()
    assert constant("MASK", (6, 2)).tolist() == np.array(cover.MASK).tolist()
    kinds = (DEGRADE / "kinds.rs").read_text()
    asked = {"sunglasses": "sunglasses, black", "mask": "mask, light"}
    for kind in cover.KINDS[1:]:
        line = re.search(rf'"{asked.get(kind, f"{kind} covered")}", Damage::\w+\((.*)\)\)', kinds)[1]
        found = [float(number) for number in re.findall(numbers, line)]
        more = {"sunglasses": cover.LENS, "mask": (0.0,)}.get(kind) or cover.BLOCKS[kind]
        assert found == [*cover.COLOURS[kind], *more]


def test_a_mask_hides_the_mouth_and_glasses_the_eyes():
    face = np.full((112, 112, 3), 77, np.uint8)
    mouth, eye, brow, bridge, ear = (56, 90), (38, 52), (56, 40), (56, 50), (100, 60)

    def hidden(kind):
        found = cover.over(face, kind)
        assert (face == 77).all(), "the crop itself stays as it is"
        return [tuple(found[y, x]) == cover.COLOURS[kind] for x, y in (mouth, eye, brow, bridge, ear)]

    assert hidden("mask") == [True, False, False, False, False]
    assert hidden("sunglasses") == [False, True, False, True, False]
    assert hidden("left half") == [False, True, False, False, False]
    assert hidden("lower half") == [True, False, False, False, True]
    assert cover.over(face, "nothing") is face


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"crops": "x", "covered": ("beard",)}, "each once, of nothing, sunglasses"),
        ({"crops": "x", "covered": ("mask", "mask")}, "each once"),
        ({"crops": "x", "covered": ()}, "each once"),
        ({"drawn": 3, "covered": ("mask",)}, "are of crops"),
        ({"templates": "x", "labels": "utkface"}, "are of crops"),
        ({"drawn": 3, "listed": "x"}, "are of crops"),
    ],
)
def test_targets_that_cannot_be(bad, says):
    with pytest.raises(ConfigError, match=says):
        section.Aim(**bad)


def test_templates_are_of_covered_crops_and_photos_are_uncovered(place):
    own = attacked.load(Teacher(str(place / "net")), CPU)
    aim = section.Aim(crops=str(place / "set"), listed=str(place / "listed.txt"), covered=("nothing", "mask"))
    found = target.find(aim, own, 1)
    names = [f"p{person}/00001.png" for person in range(3)]
    assert (found.names, found.covered) == (names * 2, ["nothing"] * 3 + ["mask"] * 3)
    faces = [drawn.face(1, person, 1) for person in range(3)]
    made = [*faces, *(cover.over(face, "mask") for face in faces)]
    assert target.likeness(found, own, np.stack(made)) == pytest.approx(np.ones(6), abs=1e-5)
    assert target.likeness(found, own, np.stack(faces * 2))[3:].max() < 0.999
    beside = photos.gather(found, 100)
    assert beside.source.tolist() == [1, 4, 7] * 2
    assert np.array_equal(beside.read(beside.names[beside.source[3]]), faces[0])
    (place / "other.txt").write_text("p0/00009.png\n")
    with pytest.raises(DataError, match=r"lists 1 of 1 images that .* does not have"):
        target.find(section.Aim(crops=str(place / "set"), listed=str(place / "other.txt")), own, 1)


def test_measure_tells_groups_apart_and_shows_bad_cases(folder, capsys, tmp_path):
    given = ["invert", "--measure", str(folder), "--photos", "50", "--json", str(tmp_path / "f.json")]
    assert cli.main(given) == 0
    found = [one for one in json.loads((tmp_path / "f.json").read_text()) if "column" in one]
    assert [(one["column"], one["value"], one["pictures"], one["people"]) for one in found] == [
        ("age", "old", 4, 2), ("age", "young", 2, 1), ("hair", "dark", 2, 1), ("hair", "fair", 2, 1),
        ("covered", "nothing", 3, 3), ("covered", "mask", 3, 3),
    ]  # fmt: skip
    bench = Bench(Finished(folder), 50, {})
    (judge,) = bench.run.judges
    each = bench.comparison(judge, 2).each()
    assert found[0]["source"][0] == pytest.approx(each[[0, 2, 3, 5]].mean(), abs=1e-5)
    assert found[5]["source"][0] == pytest.approx(each[3:].mean(), abs=1e-5)
    bare, masked = found[4:]
    assert bare["hidden"] == pytest.approx(bare["source"])
    assert bare["left"][0] == pytest.approx(1, abs=1e-5)
    assert masked["hidden"] != pytest.approx(masked["source"])
    assert masked["left"][0] < 0.999
    told = np.array([one.cosine for one in bench.run.drawn])
    assert found[1]["attacked"][0] == pytest.approx(told[[1, 4]].mean(), abs=1e-5)
    assert "| age | old | 4 | 2 |" in capsys.readouterr().out
    with Image.open(folder / bad_cases.FILE) as file:
        assert file.text[marked.KEY] == marked.MARK


def test_a_run_of_which_nothing_is_known_has_no_groups(place, tmp_path):
    folder = run.drive(wanted(place, "unknown"), MAY, quiet=True)
    assert cli.main(["invert", "--measure", str(folder), "--json", str(tmp_path / "f.json")]) == 0
    assert not [one for one in json.loads((tmp_path / "f.json").read_text()) if "column" in one]


def test_a_group_is_held_to_the_thresholds_of_all():
    """Two of the pictures are their people's photos, two are nobody's."""
    rows = unit(np.random.default_rng(1).normal(size=(40, 64))).astype(np.float32)
    made = np.concatenate([rows[:2], unit(np.random.default_rng(2).normal(size=(2, 64)))])
    real = photos.Photos(None, [str(n) for n in range(40)], np.arange(40), np.arange(4), np.arange(4))
    ((fmr, threshold),) = scores.thresholds(rows, real.people, (1e-2,))
    whole = Comparison(made @ rows.T, real, [Point(fmr, threshold, None)])
    assert [rate.source[0] for rate in whole.rates()] == [0.5]
    good, bad = whole.of(np.array([0, 1])), whole.of(np.array([2, 3]))
    assert [part.rates()[0].source[0] for part in (good, bad)] == [1.0, 0.0]
    assert good.rates()[0].source[1] < 0.5, "two people tell little"
    assert good.cosine("source")[0] == pytest.approx(1, abs=1e-5)
    assert good.cosine("own") is None
    assert good.rates()[0].photos is None


def test_thresholds_need_nobody_with_two_photos():
    rows, people = unit(np.random.default_rng(1).normal(size=(60, 16))), np.arange(60) // 2
    known = [(row.fmr, row.threshold) for row in scores.all_pairs(rows, people, (1e-1, 1e-2))]
    assert scores.thresholds(rows, people, (1e-1, 1e-2)) == known
    alone = rows[::2]
    ((fmr, threshold),) = scores.thresholds(alone, np.arange(30), (1e-1,))
    cosines = (alone @ alone.T)[np.triu_indices(30, 1)]
    assert fmr == pytest.approx((cosines >= threshold).mean(), abs=1 / len(cosines))
    assert scores.all_pairs(alone, np.arange(30)) == []


def test_utkfaces_names_are_labels_and_each_photo_is_somebody_else(place, tmp_path):
    names = ["17_0_3_1.jpg", "18_1_0_2.jpg", "60_0_3_3.jpg", "44_1_0_4.jpg"]
    assert [(column.name, column.values) for column in labels._by_names([f"utkface/{name}" for name in names])] == [
        ("age", ["to 17", "18 to 29", "60 and older", "30 to 44"]),
        ("gender code", ["0", "1", "0", "1"]),
        ("race code", ["3", "0", "3", "0"]),
    ]
    (tmp_path / "utkface").mkdir()
    for number, name in enumerate(names):
        Image.fromarray(drawn.face(1, number, 0)).save(tmp_path / "utkface" / name)
    own = attacked.load(Teacher(str(place / "net")), CPU)
    found = target.find(section.Aim(crops=str(tmp_path), most=2, labels="utkface"), own, 1)
    beside = photos.gather(found, 100, alone=True)
    assert len(set(beside.people)) == 4
    assert len(set(photos.gather(found, 100).people)) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name\tage\np0\n", "is no table with tabs"),
        ("name age\np0 old\n", "is no table with tabs"),
        ("name\tage\n", "is no table with tabs"),
        ("name\tage\np0\told\np0\tyoung\n", "two lines of one name"),
        ("name\tage\np8\told\n", r"no line of any target, such as p0/1\.png"),
    ],
)
def test_tables_that_are_refused(text, says, tmp_path):
    (tmp_path / "known.tsv").write_text(text)
    with pytest.raises(DataError, match=says):
        labels._by_table(str(tmp_path / "known.tsv"), ["p0/1.png"])


def test_photos_are_told_apart_by_yaw():
    yaws = {0: 0.0, 1: -17.0, 2: 40.0, 3: None}

    def found_in(images):
        seen = [yaws[image[0, 0, 0]] for image in images]
        marks = [np.full((5, 2), np.nan) if yaw is None else pose.seen(yaw, 0) for yaw in seen]
        return Found(np.stack(marks), np.ones(len(seen)))

    images = [np.full((112, 112, 3), n, np.uint8) for n in range(4)]
    found = labels._by_pose(found_in, np.array([3, 1, 2, 0, 2]), images)
    assert found.values == ["no face found", "10 to 25", "above 25", "below 10", "above 25"]


@pytest.mark.skipif(not YUNET.is_file(), reason="ARCDOOR_DATA is not set, or holds no detectors/: see its INDEX.md")
def test_yunet_finds_the_yaw_of_photos_and_none_of_what_is_no_face():
    faces = crops.Crops(DATA / "train/lfw_unpaired.zip")
    images = [faces.read(name) for name in faces.spread(5)] + [np.full((112, 112, 3), 120, np.uint8)]
    found = labels._by_pose(finder.Finder(YUNET), np.arange(6), images)
    assert [value == "no face found" for value in found.values] == [False] * 5 + [True]


def test_the_worst_come_first_and_the_best_stand_for_scale(tmp_path):
    pictures = [np.full((112, 112, 3), 5 * n, np.uint8) for n in range(40)]
    told = [Drawn("", "", 0.9, {"a": cosine, "b": cosine / 2}) for cosine in np.roll(np.linspace(0, 1, 40), 7)]
    sheet.bad_cases(tmp_path / "s.png", pictures, told, [["number"]] * 40)
    with Image.open(tmp_path / "s.png") as file:
        assert file.text[marked.KEY] == marked.MARK
        page = np.array(file)[..., 0]
    high, head = sheet.SIDE + 4 * sheet.TEXT, sheet.TEXT + 2

    def shade(row, column, more):
        return page[more * head + row * high + 20, column * sheet.SIDE + 20]

    assert [shade(0, column, 2) for column in range(3)] == [35, 40, 45]
    assert shade(2, 7, 2) == 5 * (23 + 7)
    assert [shade(3, column, 3) for column in range(3)] == [30, 25, 20]


def test_the_listed_crops_are_held_out_and_two_of_each_group_of_adults():
    held = (TRAINER / "configs/utkface-held-out.txt").read_text().split()
    adults = [name for name in held if hold_out.group(name)[0] > 0]
    assert (TRAINER / "configs/utkface-groups.txt").read_text().split() == hold_out.choose(adults, 80)
