"""Held-out crops: which ones depends on their names alone, and nothing trains on them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arcdoor_train import cli, config, data, hold_out
from arcdoor_train.errors import DataError

CONFIGS = Path(__file__).parents[1] / "configs"
#: Two groups with plenty, one of five crops.
KEYS = [f"utkface/{20 + n % 9}_0_1_{n:017}.jpg" for n in range(40)]
KEYS += [f"utkface/{30 + n % 9}_1_0_{n:017}.jpg" for n in range(60)]
KEYS += [f"utkface/80_1_3_{n:017}.jpg" for n in range(5)]


def crops(path):
    for n, key in enumerate([*KEYS, "rare/81_1_3_1.jpg"]):
        (path / key).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((112, 112, 3), n, np.uint8)).save(path / key)
    (path / "dataset.toml").write_text(f'alignment = "{data.ALIGNMENT}"\n')
    return path


def test_the_choice_depends_on_names_alone_and_leaves_half_of_a_rare_group():
    chosen = hold_out.choose(KEYS, 20)
    assert chosen == hold_out.choose(KEYS[::-1], 20)
    moved = hold_out.choose([key.replace("utkface", "elsewhere") for key in KEYS], 20)
    assert chosen == [key.replace("elsewhere", "utkface") for key in moved]
    assert Counter(hold_out.group(key) for key in chosen) == {(1, 0, 1): 9, (2, 1, 0): 9, (4, 1, 3): 2}


def test_more_than_the_groups_allow_and_names_of_another_set_are_refused():
    with pytest.raises(DataError, match="allow 52"):
        hold_out.choose(KEYS, 53)
    with pytest.raises(DataError, match="AGE_GENDER_RACE_DATE"):
        hold_out.choose(["celeba/7201/001085.jpg"], 1)


@pytest.mark.parametrize("count", [0, -1])
def test_a_list_of_no_crops_is_refused(count):
    with pytest.raises(DataError, match=f"{count} crops are wanted; the groups allow 52"):
        hold_out.choose(KEYS, count)


def test_a_list_that_cannot_be_written_is_named(tmp_path, capsys):
    faces = crops(tmp_path / "faces")
    for out in (tmp_path / "none" / "held.txt", faces / "dataset.toml" / "held.txt"):
        assert cli.main(["hold-out", str(faces), "--count", "20", "--out", str(out)]) == 5
        assert f"cannot write {out}" in capsys.readouterr().err


def test_held_out_crops_are_not_among_those_of_a_run(tmp_path):
    faces, listed = crops(tmp_path / "faces"), tmp_path / "held.txt"
    assert cli.main(["hold-out", str(faces), "--count", "20", "--out", str(listed)]) == 0
    assert listed.read_text().split() == hold_out.choose([*KEYS, "rare/81_1_3_1.jpg"], 20)
    listed.write_text("\n".join([*hold_out.choose(KEYS, 20), "rare/81_1_3_1.jpg"]) + "\n")
    wanted = config.Data(sets=(config.Set(str(faces)),), drawn=config.Drawn(2, 3), held_out=str(listed))
    whole, notes = data.gather(wanted, 1)
    assert not set(whole.keys) & set(listed.read_text().split())
    # The identity that lost its only crop is gone, too, and labels have no gap.
    assert whole.identities == ["faces/utkface", "drawn/drawn-0000", "drawn/drawn-0001"]
    assert np.bincount(whole.labels).tolist() == [85, 3, 3]
    assert whole.read(0).shape == (112, 112, 3)
    assert any("holds 21 images out" in note for note in notes)


def test_a_list_of_other_images_is_refused(tmp_path):
    (tmp_path / "held.txt").write_text("utkface/1_0_0_1.jpg\n")
    wanted = config.Data(drawn=config.Drawn(2, 3), held_out=str(tmp_path / "held.txt"))
    with pytest.raises(DataError, match=r"names utkface/1_0_0_1\.jpg, which is not among"):
        data.gather(wanted, 1)
    with pytest.raises(DataError, match=r"cannot read data\.held_out"):
        data.gather(config.Data(drawn=config.Drawn(2, 3), held_out=str(tmp_path / "none")), 1)


def test_every_doornet_holds_out_the_same_3000_crops_of_all_groups():
    names = [config.load(path).data.held_out for path in sorted(CONFIGS.glob("doornet-*.toml"))]
    assert set(names) == {"configs/utkface-held-out.txt"}
    keys = (CONFIGS / "utkface-held-out.txt").read_text().splitlines()
    counts = Counter(hold_out.group(key) for key in keys)
    assert len(keys) == len(set(keys)) == 3000
    assert len(counts) == 5 * 2 * 5
    assert max(counts.values()) == 84
