"""Feature files and crops: what is written is read; what is broken is refused."""

import numpy as np
import pytest
from PIL import Image

from arcdoor_train import crops, feature_file
from arcdoor_train.errors import DataError


def test_round_trip(tmp_path):
    table = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    path = tmp_path / "a.features"
    feature_file.write(path, table)
    assert path.read_bytes()[:16] == np.array([7, 5, 20, 5], "<i4").tobytes()
    for mapped in (False, True):
        assert np.array_equal(feature_file.read(path, memory_map=mapped), table)


@pytest.mark.parametrize(
    "broken",
    [
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: content[:10],
        lambda content: np.array([-7, 5, 20, 5], "<i4").tobytes() + content[16:],
        lambda content: np.array([7, 5, 24, 5], "<i4").tobytes() + content[16:],
        lambda content: np.array([7, 5, 20, 6], "<i4").tobytes() + content[16:],
    ],
)
def test_broken_files(tmp_path, broken):
    path = tmp_path / "a.features"
    feature_file.write(path, np.ones((7, 5)))
    path.write_bytes(broken(path.read_bytes()))
    with pytest.raises(DataError):
        feature_file.read(path)


def test_broken_tables(tmp_path):
    for table in (np.zeros((0, 3)), np.zeros(3), np.array([[1.0, np.nan]])):
        with pytest.raises(DataError):
            feature_file.write(tmp_path / "a.features", table)
    assert not list(tmp_path.iterdir())


def test_crops(tmp_path):
    names = crops.save(tmp_path / "b", crops.random(3))
    crops.save(tmp_path / "a", crops.random(2))
    (tmp_path / "a" / "00000.png").write_bytes(b"no image")
    Image.new("RGB", (100, 112)).save(tmp_path / "a" / "00001.png")
    faces = crops.Crops(tmp_path)
    assert faces.names == ["a/00000.png", "a/00001.png", *(f"b/{name}" for name in names)]
    assert crops.owners(faces.names).tolist() == [0, 0, 1, 1, 1]
    assert np.array_equal(faces.read("b/00002.png"), crops.random(3)[2])
    for name, said in (("a/00000.png", "cannot be decoded"), ("a/00001.png", "100x112")):
        with pytest.raises(DataError, match=said):
            faces.read(name)
    assert len(faces.spread(3)) == 3


def test_preprocess_of_others():
    inputs = crops.to_input(crops.random(1))
    other = crops.Preprocess((0.0,) * 3, (1.0,) * 3, "bgr").apply(inputs)
    assert np.allclose(other[0, 0], crops.random(1)[0, :, :, 2], atol=1e-4)
    assert crops.Preprocess().apply(inputs) is inputs


def test_grey_is_one_plane_as_the_device_computes_it():
    faces = crops.random(2)
    found = crops.Preprocess((0.0,), (2.0,), "grey").apply(crops.to_input(faces))
    assert found.shape == (2, 1, 112, 112)
    assert found.dtype == np.float32
    wanted = 2 * (0.299 * faces[..., 0] + 0.587 * faces[..., 1] + 0.114 * faces[..., 2])
    assert np.allclose(found[:, 0], wanted, atol=1e-3)
    assert crops.Preprocess(channel_order="grey").mean == (127.5,)
    for wrong in (((0.0,), (1.0,), "rgb"), ((0.0,) * 3, (1.0,) * 3, "grey"), ((), (), "gray"), ((), (0.0,), "grey")):
        with pytest.raises(DataError):
            crops.Preprocess(*wrong)
