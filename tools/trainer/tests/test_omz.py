"""The reader of OpenVINO's files, and the two networks of its zoo that it is for."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from arcdoor_train import crops, feature_file, ir_file, omz
from arcdoor_train.errors import DataError, NotPlainError
from arcdoor_train.inversion import pose

DATA = Path(os.environ.get("ARCDOOR_DATA", "/nowhere"))
REID = DATA / "teachers/omz_face_reid_0095/face-reidentification-retail-0095.xml"
MARKS = DATA / "teachers/omz_landmarks_0009/landmarks-regression-retail-0009.xml"
real = pytest.mark.skipif(not REID.is_file(), reason="ARCDOOR_DATA is not set, or holds no teachers/: see its INDEX.md")


class File:
    """A small network as OpenVINO writes one."""

    def __init__(self):
        self.layers, self.edges, self.stored, self.shapes = [], [], b"", {}

    def add(self, kind, shape, takes=(), given="", version="opset1"):
        name = len(self.layers)
        ports = "".join(f'<port id="{n}"/>' for n in range(len(takes)))
        self.edges += [
            f'<edge from-layer="{one}" from-port="9" to-layer="{name}" to-port="{n}"/>' for n, one in enumerate(takes)
        ]
        dims = "".join(f"<dim>{size}</dim>" for size in shape)
        out = "" if kind == "Result" else f'<output><port id="9">{dims}</port></output>'
        self.layers.append(
            f'<layer id="{name}" name="n{name}" type="{kind}" version="{version}"><data {given}/>'
            f"<input>{ports}</input>{out}</layer>"
        )
        return name

    def constant(self, values, kind="f32"):
        raw = values.astype({"f32": "<f4", "f16": "<f2"}[kind]).tobytes()
        shape = ", ".join(map(str, values.shape))
        given = f'element_type="{kind}" shape="{shape}" offset="{len(self.stored)}" size="{len(raw)}"'
        self.stored += raw
        name = self.add("Const", values.shape, (), given)
        return name if kind == "f32" else self.add("Convert", values.shape, (name,), 'destination_type="f32"')

    def write(self, path, head=""):
        path.write_text(
            f'<?xml version="1.0"?>{head}<net name="n" version="11"><layers>{"".join(self.layers)}</layers>'
            f"<edges>{''.join(self.edges)}</edges></net>"
        )
        path.with_suffix(".bin").write_bytes(self.stored)
        return path


SQUARE = 'pads_begin="0, 0" pads_end="0, 0" auto_pad="explicit"'
AROUND = 'strides="1, 1" dilations="1, 1" pads_begin="1, 1" pads_end="1, 1" auto_pad="explicit"'


def every_operator():
    """Each operator that is known, once; and what it must give, by numpy."""
    rng, file = np.random.default_rng(1), File()
    scale, weight = rng.normal(size=(1, 3, 1, 1)), rng.normal(size=(4, 3, 3, 3)).astype(np.float16)
    slope, deep, shift = rng.uniform(0.1, 0.9, 4), rng.normal(size=(2, 3, 2, 1, 1)), rng.normal(size=(1, 6, 1, 1))
    x = file.add("Parameter", (1, 3, 8, 8), (), 'shape="1,3,8,8" element_type="f32"')
    now = file.add("Multiply", (1, 3, 8, 8), (x, file.constant(scale)), 'auto_broadcast="numpy"')
    now = file.add("Convolution", (1, 4, 8, 8), (now, file.constant(weight, "f16")), AROUND)
    now = file.add("PReLU", (1, 4, 8, 8), (now, file.constant(slope)))
    now = file.add("MaxPool", (1, 4, 4, 4), (now,), f'strides="2, 2" kernel="2, 2" rounding_type="floor" {SQUARE}')
    now = file.add(
        "GroupConvolution", (1, 6, 4, 4), (now, file.constant(deep)), f'strides="1, 1" dilations="1, 1" {SQUARE}'
    )
    now = file.add("Add", (1, 6, 4, 4), (now, file.constant(shift)), 'auto_broadcast="numpy"')
    now = file.add("Sigmoid", (1, 6, 4, 4), (now,))
    pool = f'strides="4, 4" kernel="4, 4" exclude-pad="true" rounding_type="floor" {SQUARE}'
    file.add("Result", (), (file.add("AvgPool", (1, 6, 1, 1), (now,), pool),))

    def by_hand(image):
        padded = np.pad(image * scale[0], ((0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
        maps = np.einsum("chwij,ocij->ohw", windows, weight.astype(float))
        maps = np.where(maps > 0, maps, maps * slope[:, None, None])
        maps = maps.reshape(4, 4, 2, 4, 2).max(axis=(2, 4))
        halves = [np.einsum("chw,oc->ohw", maps[2 * g : 2 * g + 2], deep[g, :, :, 0, 0]) for g in range(2)]
        maps = np.concatenate(halves) + shift[0]
        return (1 / (1 + np.exp(-maps))).mean(axis=(1, 2))

    return file, by_hand


def test_operators_give_what_they_must(tmp_path):
    file, by_hand = every_operator()
    network = ir_file.read(file.write(tmp_path / "n.xml"))
    images = np.random.default_rng(2).normal(size=(3, 3, 8, 8)).astype(np.float32)
    found = network(torch.from_numpy(images)).flatten(1).numpy()
    assert network.takes == (3, 8, 8)
    assert np.allclose(found, [by_hand(image) for image in images], atol=1e-5)


def test_layers_may_stand_in_any_order(tmp_path):
    file, _ = every_operator()
    before = ir_file.read(file.write(tmp_path / "n.xml"))(torch.ones(1, 3, 8, 8))
    file.layers.reverse()
    assert torch.equal(ir_file.read(file.write(tmp_path / "n.xml"))(torch.ones(1, 3, 8, 8)), before)


BOMB = '<!DOCTYPE net [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("old", "new", "error", "says"),
    [
        ('type="Sigmoid"', 'type="TopK"', NotPlainError, "TopK of opset1 is not known here.*Convert the network"),
        ('type="Sigmoid" version="opset1"', 'type="Sigmoid" version="opset9"', NotPlainError, "opset9 is not known"),
        ('shape="4, 3, 3, 3"', 'shape="4, 3, 3, 4"', DataError, "bytes are no"),
        ('shape="4, 3, 3, 3"', 'shape="40000, 30000, 3, 3"', DataError, "67108864 values in all are read"),
        ("<dim>4</dim><dim>8</dim>", "<dim>400000</dim><dim>800000</dim>", DataError, "values in all are read"),
        ("<dim>4</dim><dim>8</dim>", "<dim>5</dim><dim>8</dim>", DataError, "gives .* where the file says"),
        ("<dim>4</dim><dim>8</dim>", "<dim>-4</dim><dim>8</dim>", DataError, "'-4' stands where a number"),
        ('offset="0"', 'offset="999"', DataError, "its values end at byte 1011 of a .bin"),
        ('offset="0"', 'offset="-9"', DataError, "'-9' stands where a number"),
        ('element_type="f16"', 'element_type="u1"', NotPlainError, "take the model's FP32 or FP16 files"),
        ('from-layer="0"', 'from-layer="2"', DataError, "take what nothing gives, or themselves"),
        ('from-layer="0"', 'from-layer="77"', DataError, "take what nothing gives"),
        ('kernel="2, 2"', 'kernel="2, 2000"', DataError, "two numbers up to 512"),
        ('kernel="4, 4"', 'kernel="9, 9"', DataError, "AvgPool cannot be"),
        ('strides="2, 2"', 'strides="0, 0"', DataError, "two numbers up to 512"),
        ('pads_begin="1, 1"', 'pads_begin="0, 1"', NotPlainError, "pads its ends unlike"),
        ('auto_pad="explicit"', 'auto_pad="same_upper"', NotPlainError, "only 'explicit' is read"),
        ('exclude-pad="true"', 'exclude-pad="false"', NotPlainError, "exclude-pad = 'false'"),
        ('version="11"', 'version="99"', DataError, "is no OpenVINO network of version 10 or 11"),
        ("</net>", "", DataError, "is no XML"),
        ('<layer id="1"', '<layer id="0"', DataError, "two layers 0"),
        ('from-layer="14" from-port="9" to-layer="15"', 'from-layer="1" to-layer="15"', DataError, "none of one image"),
    ],
)
def test_files_that_are_refused(old, new, error, says, tmp_path):
    path = every_operator()[0].write(tmp_path / "n.xml")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(error, match=says):
        ir_file.read(path)


def test_what_is_no_plain_pair_of_files_is_refused(tmp_path):
    file, _ = every_operator()
    path = file.write(tmp_path / "n.xml", BOMB)
    with pytest.raises(DataError, match="declares a document type or entities"):
        ir_file.read(path)
    path.write_text("<a>" * 100 + "</a>" * 100)
    with pytest.raises(DataError, match="deeper than 16"):
        ir_file.read(path)
    file.write(path)
    path.with_suffix(".bin").write_bytes(file.stored[:-1])
    with pytest.raises(DataError, match=r"of a .bin of .*fetch the model's .xml and .bin again"):
        ir_file.read(path)
    path.with_suffix(".bin").write_bytes(file.stored[:-4] + np.float32("nan").tobytes())
    with pytest.raises(DataError, match="not every stored value is finite"):
        ir_file.read(path)
    path.with_suffix(".bin").unlink()
    with pytest.raises(DataError, match=r"an \.xml with its \.bin beside it"):
        ir_file.read(path)


def test_too_large_and_too_slow_files_are_refused(tmp_path, monkeypatch):
    path = every_operator()[0].write(tmp_path / "n.xml")
    layers, values = "layers; 4 are the most", "values in its tensors; 800 are the most"
    for limit, most, says in (("MOST_XML", 4, "no face"), ("MOST_LAYERS", 4, layers), ("MOST_VALUES", 800, values)):
        with monkeypatch.context() as patch:
            patch.setattr(ir_file, limit, most)
            with pytest.raises(DataError, match=says):
                ir_file.read(path)
    monkeypatch.setattr(ir_file, "MOST_MACS", 6000)
    with pytest.raises(DataError, match="multiplications for one image"):
        ir_file.read(path)


def points_network(path, seed):
    """Finds five points anywhere: a network of the landmark network's form, with weights drawn by ``seed``."""
    rng, file = np.random.default_rng(seed), File()
    now = file.add("Parameter", (1, 3, 16, 16), (), 'shape="1,3,16,16" element_type="f32"')
    now = file.add("Multiply", (1, 3, 16, 16), (now, file.constant(np.full((1, 3, 1, 1), 1 / 255))))
    wide = 'strides="4, 4" dilations="1, 1" pads_begin="0, 0" pads_end="0, 0" auto_pad="explicit"'
    now = file.add("Convolution", (1, 8, 4, 4), (now, file.constant(rng.normal(0, 0.3, (8, 3, 4, 4)))), wide)
    now = file.add("PReLU", (1, 8, 4, 4), (now, file.constant(np.full(1, 0.2))))
    now = file.add("Convolution", (1, 10, 1, 1), (now, file.constant(rng.normal(0, 0.3, (10, 8, 4, 4)))), wide)
    file.add("Result", (), (file.add("Sigmoid", (1, 10, 1, 1), (now,)),))
    return file.write(path)


def embedder_file(path, seed=5):
    """A judge as OpenVINO writes one."""
    file = File()
    now = file.add("Parameter", (1, 3, 32, 32), (), 'shape="1,3,32,32" element_type="f32"')
    weight = np.random.default_rng(seed).normal(0, 0.01, (6, 3, 32, 32))
    wide = 'strides="32, 32" dilations="1, 1" pads_begin="0, 0" pads_end="0, 0" auto_pad="explicit"'
    file.add("Result", (), (file.add("Convolution", (1, 6, 1, 1), (now, file.constant(weight)), wide),))
    return file.write(path)


def test_a_judge_of_openvinos_sees_the_middle_in_bgr(tmp_path):
    images = crops.random(2)
    found = omz.Judging(embedder_file(tmp_path / "j.xml"))([crops.to_input(images)])
    weight = np.random.default_rng(5).normal(0, 0.01, (6, 3, 32, 32))
    cut = torch.from_numpy(images[:, :, 8:104, ::-1].transpose(0, 3, 1, 2).astype(np.float32))
    small = torch.nn.functional.interpolate(cut, (32, 32), mode="bilinear").numpy()
    assert np.allclose(found, feature_file.unit(np.einsum("nchw,ochw->no", small, weight)), atol=1e-4)
    with pytest.raises(DataError, match="one that finds five points gives ten"):
        omz.Marks(tmp_path / "j.xml")


@real
def test_the_zoos_landmark_network_finds_an_aligned_face():
    faces = crops.Crops(DATA / "train/lfw_unpaired.zip")
    found = omz.Marks(MARKS)(torch.from_numpy(crops.to_input(np.stack([faces.read(n) for n in faces.spread(40)]))))
    apart = np.linalg.norm(found.numpy() * 112 - pose.TEMPLATE, axis=2)
    assert np.median(apart) < 4
    assert apart.mean() < 5


@real
def test_the_zoos_embedder_tells_people_apart():
    faces = crops.Crops(DATA / "train/celeba.zip")
    people = {}
    for name in faces.names:
        people.setdefault(name.rpartition("/")[0], []).append(name)
    pairs = [names[:2] for names in list(people.values())[:24] if len(names) > 1]
    images = np.stack([[faces.read(name) for name in names] for names in pairs])
    table = omz.Judging(REID)([crops.to_input(images[:, 0])]) @ omz.Judging(REID)([crops.to_input(images[:, 1])]).T
    own = np.eye(len(table), dtype=bool)
    best = max(
        (((table >= least) == own)[own].mean() + ((table >= least) == own)[~own].mean()) / 2 for least in table.flat
    )
    assert best > 0.9
