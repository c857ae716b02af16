"""How far another alignment's crops lie from ours is found by the pixels."""

import pickle

import numpy as np
import pytest
from PIL import Image

from arcdoor_train import cli, crops, shift


def moved(image, right, down, degrees=0.0, scale=1.0):
    """What another alignment would give: each pixel of ``image`` at its place after the move."""
    a, b = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    inverse = np.linalg.inv(np.array([[a, -b], [b, a]]))
    centre = np.array([55.5 + 0.5] * 2)
    offset = centre - inverse @ (centre + np.array([right, down]))
    data = (*inverse[0], offset[0], *inverse[1], offset[1])
    return np.asarray(Image.fromarray(image).transform((112, 112), Image.Transform.AFFINE, data, Image.BICUBIC))


def smooth(count, seed=0):
    """Images whose grains are as large as a face's."""
    found = []
    for image in crops.random(count, seed):
        small = Image.fromarray(image).resize((14, 14), Image.Resampling.BOX)
        found.append(np.asarray(small.resize((112, 112), Image.Resampling.BICUBIC)))
    return np.stack(found)


@pytest.mark.parametrize("planted", [(0.0, 0.0, 0.0, 1.0), (2.5, -1.25, 0.0, 1.0), (-1.0, 3.0, 4.0, 1.05)])
def test_a_planted_move_is_found(planted):
    for image in smooth(3):
        found = shift.move(image, moved(image, *planted))
        assert (found.right_px, found.down_px) == pytest.approx(planted[:2], abs=0.1)
        assert found.degrees == pytest.approx(planted[2], abs=0.2)
        assert found.scale == pytest.approx(planted[3], abs=0.005)
        assert found.correlation > 0.98


def test_another_photo_does_not_match():
    first, second = smooth(2)
    assert shift.move(first, second).correlation < shift.SAME


def write(folder, images):
    folder.mkdir(parents=True)
    for n, image in enumerate(images):
        Image.fromarray(image).save(folder / f"p_{n + 1:04}.png")


def test_the_command(tmp_path, capsys):
    images = smooth(4)
    write(tmp_path / "ours" / "p", images)
    write(tmp_path / "theirs" / "p", [moved(image, 2.0, 0.0) for image in images])
    command = ["shift", "--ours", str(tmp_path / "ours"), "--theirs"]
    assert cli.main([*command, str(tmp_path / "theirs")]) == 0
    assert "right_px: 2.0" in capsys.readouterr().out
    # A .bin in the order of a list of pairs, of which it names no file.
    encoded = [(tmp_path / "theirs" / "p" / f"p_{n:04}.png").read_bytes() for n in (1, 2, 3, 4)]
    (tmp_path / "t.bin").write_bytes(pickle.dumps((encoded, [True, True])))
    (tmp_path / "pairs.txt").write_text("1\np\t1\t2\np\t3\t4\n")
    assert cli.main([*command, str(tmp_path / "t.bin")]) == 2, "whose images these are, nothing says"
    named = ["--pairs", str(tmp_path / "pairs.txt")]
    assert cli.main([*command, str(tmp_path / "t.bin"), *named]) == 0
    (tmp_path / "pairs.txt").write_text("1\np\t4\t3\np\t2\t1\n")
    assert cli.main([*command, str(tmp_path / "t.bin"), *named]) == 3, "another order"
    assert "not of the same photo" in capsys.readouterr().err


def test_two_people_may_have_photos_of_one_name(tmp_path, capsys):
    for person, seed in (("p", 0), ("q", 9)):
        images = smooth(4, seed)
        write(tmp_path / "ours" / person, images)
        write(tmp_path / "theirs" / person, [moved(image, 2.0, 0.0) for image in images])
    assert cli.main(["shift", "--ours", str(tmp_path / "ours"), "--theirs", str(tmp_path / "theirs")]) == 0
    assert "8 crops, 8 of one photo" in capsys.readouterr().out
