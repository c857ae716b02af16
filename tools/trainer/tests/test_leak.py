"""The leak report: what it promises, on faces that the trainer draws itself. Nothing here is anybody's picture."""

import dataclasses
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from arcdoor_train import backbones, checkpoint, cli, config, crops, onnx_file, train
from arcdoor_train.data import drawn
from arcdoor_train.errors import ConfigError, DataError
from arcdoor_train.feature_file import unit
from arcdoor_train.inversion import marked
from arcdoor_train.leakage import (
    decoder,
    few_bits,
    opened,
    pack,
    photos,
    plain,
    quantiser,
    rotation,
    run,
    sealed,
    section,
    statistics,
    weights,
)
from arcdoor_train.leakage.found import Found
from arcdoor_train.leakage.victim import Victim

PEOPLE, EACH, DIMENSION = 12, 12, 16
MAY = "nobody: the identities are invented"
CPU = torch.device("cpu")


def faces(seed, people, each, first=0):
    return np.stack([drawn.face(seed, first + person, n) for person in range(people) for n in range(each)])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A pack of a small network that knows drawn identities, photos of others, crops, and a second network."""
    place = tmp_path_factory.mktemp("leak")
    for person in range(PEOPLE):
        crops.save(place / "set" / f"p{person:02}", np.stack([drawn.face(1, person, n) for n in range(EACH)]))
    (place / "set" / "dataset.toml").write_text('alignment = "arcface-112"\n')
    train.train(config.parse(trained(place)), quiet=True)
    for name, people, first in (("gallery", 12, 100), ("known", 24, 200)):
        for person in range(first, first + people):
            crops.save(place / name / f"p{person}", np.stack([drawn.face(1, person, n) for n in range(3)]))
    crops.save(place / "public", faces(1, 64, 2, first=300))
    names = crops.Crops(place / "public").names
    (place / "members.txt").write_text("\n".join(names[::2]))
    (place / "outsiders.txt").write_text("\n".join(names[1::2]))
    written(place / "pack", checkpoint.load_model(place / "own")[0])
    torch.manual_seed(5)
    onnx_file.save(onnx_file.trace(folded(backbones.build("dense-xs", 8)), 17), place / "judge.onnx")
    return place


def trained(place):
    return f"""
    [run]
    folder = "{place / "own"}"
    threads = 1
    [data]
    workers = 0
    keep_mb = 100
    sets = [{{ path = "{place / "set"}" }}]
    [model]
    backbone = "dense-xs"
    dimension = {DIMENSION}
    [head]
    kind = "norm-softmax"
    scale = 16.0
    [optim]
    epochs = 5
    batch = 24
    lr = 0.1
    milestones = [4]
    """


def folded(model):
    return backbones.reparameterise(model.eval())


def written(folder, model, norms=False):
    """A pack of the network, its threshold one that few strangers reach."""
    model = model.eval() if norms else folded(model)
    onnx_file.save(onnx_file.trace(model, 17), folder / "net.onnx")
    with torch.no_grad():
        found = unit(model(torch.from_numpy(crops.to_input(faces(2, 20, 1)))).numpy())
    others = np.sort((found @ found.T)[np.triu_indices(20, 1)])
    top = float(min(others[-4], 0.9))
    (folder / "pack.toml").write_text(manifest(hashlib.sha256((folder / "net.onnx").read_bytes()).hexdigest(), top))


def manifest(digest, top=0.5, dimension=DIMENSION):
    direction = [1.0] + [0.0] * (dimension - 1)
    return f"""
    name = "small"
    format = 1
    [embedder]
    file = "net.onnx"
    sha256 = "{digest}"
    dimension = {dimension}
    [embedder.preprocess]
    channel_order = "rgb"
    mean = [127.5, 127.5, 127.5]
    scale = [0.0078125, 0.0078125, 0.0078125]
    [[calibration.rows]]
    fmr = 1e-4
    threshold = {top}
    [[calibration.rows]]
    fmr = 1e-6
    threshold = {top + 0.1}
    [recognisability.shared]
    allowance = 4.0
    directions = [{direction}]
    """


def settings(place, **more):
    text = f"""
    [run]
    device = "cpu"
    threads = 1
    [leak]
    pairs = [1, {DIMENSION}]
    statistics = 24
    seeds = 3
    [leak.gallery]
    crops = "{place / "gallery"}"
    [leak.known]
    crops = "{place / "known"}"
    most = 0
    [leak.decoder]
    crops = ["{place / "public"}"]
    side = 16
    epochs = 25
    batch = 16
    ask_every = 4
    ask = 4
    adapted = 6
    lr = 0.004
    [leak.gradient]
    people = 2
    steps = 4
    refined = 3
    sides = [28, 112]
    [leak.members]
    crops = "{place / "public"}"
    members = "{place / "members.txt"}"
    outsiders = "{place / "outsiders.txt"}"
    most = 12
    [[leak.judges]]
    path = "{place / "judge.onnx"}"
    note = "drawn by chance"
    [[leak.judges]]
    path = "{place / "none.onnx"}"
    optional = true
    """
    table = config.to_table(config.parse(text))
    table["leak"] |= more
    return config.from_table(table)


def reported(place, name, **more):
    file = place / f"{name}.toml"
    file.write_text(config.to_toml(settings(place)))
    arguments = ["leak", str(place / "pack"), "--config", str(file), "--out", str(place / name), "--quiet"]
    return cli.main([*arguments, "--i-may", MAY, *more.get("given", ())])


@pytest.fixture(scope="module")
def report(place):
    assert reported(place, "whole") == 0
    return place / "whole"


def sections(folder):
    tables = json.loads((folder / "report.json").read_text())["sections"]
    return {name: Found.of(table) for name, table in tables.items()}


def test_all_thieves_are_in_the_report(report):
    found = sections(report)
    assert list(found) == list(run.SECTIONS)
    page = (report / "report.md").read_text()
    for heading in ("Irreversibility", "Unlinkability", "Renewability"):
        assert f"## {heading} (ISO/IEC 24745)" in page
    assert "Every figure is a lower bound" in page
    assert "none.onnx is not at hand" in page
    assert "judge: drawn by chance" in page
    for one in found.values():
        for figure in [*one.figures.values(), *(row.type_two for attack in one.attacks for row in attack.success)]:
            assert figure.low <= figure.value <= figure.high
    assert (report / "consent.txt").read_text() == MAY + "\n"
    assert not list(report.rglob("*.png")), "no drawn picture stays"
    assert not (report / "work").exists()


def test_a_decoder_of_plain_templates_beats_that_of_rotated_ones_which_is_at_chance(report):
    found = sections(report)
    own = found["templates"].attack(plain.DECODER).cosine
    assert own.low > 0.2
    for one in (found["opened"].attack(opened.decoded(opened.NONE)), found["sealed"].attack(sealed.DECODER)):
        assert one.cosine.high < own.low
        assert not one.above_chance


def test_pairs_turn_rotated_templates_back(report):
    found = sections(report)["opened"]
    cosine = {kind: [found.attack(opened.itself(opened.pairs(n, kind))).cosine for n in (1, DIMENSION)]
              for kind in (opened.SAME, opened.OTHER)}  # fmt: skip
    assert cosine[opened.SAME][1].value == pytest.approx(1, abs=1e-3)
    assert cosine[opened.SAME][0].value < 0.9
    assert cosine[opened.OTHER][1].value < cosine[opened.SAME][1].value


def test_fewer_bits_have_a_price_and_are_attacked_again(report):
    found = sections(report)["few_bits"]
    for kind in quantiser.LEVELS:
        for name in (few_bits.unadapted, few_bits.adapted, few_bits.refined):
            assert found.attack(name(kind)).cosine.value > 0.2
        assert found.attack(few_bits.unadapted(kind)).cosine != found.attack(few_bits.adapted(kind)).cosine
        lost = found.figures[few_bits.cost(kind, 1e-3)]
        before, after = (found.figures[few_bits.price(one, 1e-3)].value for one in ("f32", kind))
        assert lost.value == pytest.approx(after - before)


def test_a_report_that_goes_on_is_that_of_an_unbroken_one(place, report, monkeypatch):
    real = run.SECTIONS["opened"]

    def killed(scene):
        scene.decoder  # noqa: B018 - what was made of it is on the disk
        raise KeyboardInterrupt

    monkeypatch.setitem(run.SECTIONS, "opened", killed)
    assert reported(place, "broken") == 130
    monkeypatch.setitem(run.SECTIONS, "opened", real)
    assert reported(place, "broken") == 2
    assert (place / "broken" / "work" / "decoder-f32.pt").is_file()
    assert reported(place, "broken", given=["--resume"]) == 0
    for name in ("report.json", "report.md"):
        assert (place / "broken" / name).read_bytes() == (report / name).read_bytes()


def test_sections_one_by_one_and_pictures_that_stay(place, report, capsys):
    given = ["--only", "sealed", "--keep-pictures"]
    assert reported(place, "some", given=given) == 0
    kept = sorted((place / "some" / "pictures").rglob("*.png"))
    assert len(kept) == 12
    assert marked.read(kept[0]).shape == (112, 112, 3)
    assert list(sections(place / "some")) == ["sealed"]
    assert sections(place / "some")["sealed"].table() == sections(report)["sealed"].table()
    assert reported(place, "some", given=["--only", "everything"]) == 2
    assert "the sections are weights" in capsys.readouterr().err


def test_other_settings_do_not_go_on(place, report, capsys):
    file = place / "other.toml"
    file.write_text(config.to_toml(settings(place, seeds=2)))
    given = ["leak", str(place / "pack"), "--config", str(file), "--out", str(report), "--i-may", MAY, "--resume"]
    assert cli.main(given) == 3
    assert "begun with another settings" in capsys.readouterr().err


def test_a_damaged_section(place, report, capsys):
    path = report / "sections" / "linked.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    assert reported(place, "whole", given=["--resume", "--only", "linked"]) == 3
    assert "remove it, and --resume makes it anew" in capsys.readouterr().err
    path.write_bytes(whole)


# ---- packs and arguments


def test_a_right_must_be_told(place, capsys):
    file = place / "may.toml"
    file.write_text(config.to_toml(settings(place)))
    for given in ([], ["--i-may", "yes"]):
        assert cli.main(["leak", str(place / "pack"), "--config", str(file), "--out", str(place / "may"), *given]) == 2
        assert "--i-may" in capsys.readouterr().err
    assert not (place / "may").exists()


def copied(place, tmp_path, change):
    (tmp_path / "net.onnx").write_bytes((place / "pack" / "net.onnx").read_bytes())
    (tmp_path / "pack.toml").write_text(change((place / "pack" / "pack.toml").read_text()))
    return tmp_path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("format = 1", "format = 9"), "format = 9"),
        (lambda text: text.partition("[[calibration")[0], "no calibration"),
        (lambda text: text.replace('sha256 = "', 'sha256 = "0'), "is not what the manifest says"),
        (lambda text: text.replace("[embedder]", "[embedding]"), "lacks what an embedder's pack has"),
        (lambda text: text.replace("[embedder.preprocess]", '[embedder.preprocess]\nalignment = "eyes"'), "aligned as"),
        (lambda text: text + "[", "is damaged"),
    ],
    ids=["format", "no calibration", "hash", "no embedder", "alignment", "no toml"],
)
def test_packs_that_are_damaged_or_foreign(change, said, place, tmp_path, capsys):
    folder = copied(place, tmp_path, change)
    file = place / "pack.toml"
    file.write_text(config.to_toml(settings(place)))
    assert cli.main(["leak", str(folder), "--config", str(file), "--i-may", MAY]) == 3
    assert said in capsys.readouterr().err


def test_no_pack(tmp_path):
    with pytest.raises(DataError, match=r"is no pack.*name a folder with a pack\.toml"):
        pack.read(tmp_path)


def test_a_signature_is_told_and_not_checked(place, tmp_path):
    folder = copied(place, tmp_path, str)
    assert not pack.read(folder).signed
    (folder / "pack.toml.minisig").write_text("x")
    assert pack.read(folder).signed


def test_a_manifest_with_another_dimension(place, tmp_path):
    digest = hashlib.sha256((place / "pack" / "net.onnx").read_bytes()).hexdigest()
    folder = copied(place, tmp_path, lambda _: manifest(digest, dimension=DIMENSION + 1))
    with pytest.raises(DataError, match=f"makes {DIMENSION} numbers"):
        Victim(pack.read(folder), CPU)


def test_missing_data(place, tmp_path, capsys):
    whole = settings(place)
    whole.foreign["leak"]["gallery"]["crops"] = str(tmp_path / "nowhere")
    (tmp_path / "c.toml").write_text(config.to_toml(whole))
    given = ["leak", str(place / "pack"), "--config", str(tmp_path / "c.toml"), "--out", str(tmp_path), "--i-may", MAY]
    assert cli.main(given) == 3
    assert "neither a folder nor a zip file" in capsys.readouterr().err


def test_the_known_are_not_the_attacked(place, tmp_path):
    whole = settings(place)
    whole.foreign["leak"]["known"]["crops"] = str(place / "gallery")
    whole = dataclasses.replace(whole, run=dataclasses.replace(whole.run, folder=str(tmp_path / "run")))
    with pytest.raises(DataError, match="share p100"):
        run.drive(pack.read(place / "pack"), whole, MAY, quiet=True)


def test_nobody_with_two_photos(place):
    with pytest.raises(DataError, match="two photos of nobody"):
        photos.of_people(section.People(str(place / "public")))


def test_sections_that_are_not_heeded(place):
    whole = dataclasses.replace(settings(place), optim=config.Optim(lr=0.2))
    with pytest.raises(ConfigError, match=r"\[optim\]: leak does not know it"):
        section.refuse(whole)
    with pytest.raises(ConfigError, match=r"there is no section \[leak\]"):
        section.refuse(config.Config())


@pytest.mark.parametrize("name", ["leak", "leak-gpu"])
def test_shipped_configurations(name):
    whole = config.load(Path(__file__).parents[1] / "configs" / f"{name}.toml")
    section.refuse(whole)
    found = config.section(whole, "leak", section.Leak)
    assert found.pairs == (1, 32, 128, 512)
    assert "DevTest" in found.gallery.listed
    assert not any("lfw-view1" in path for path in found.decoder.crops), "nothing is trained on View 1"


@pytest.mark.parametrize(
    "bad", [{"side": 48}, {"epochs": 0}, {"crops": ()}, {"lr": 0.0}], ids=["side", "epochs", "crops", "lr"]
)
def test_settings_that_cannot_be(bad):
    with pytest.raises(ConfigError, match=r"^leak\.decoder"):
        section.Decoding(**({"crops": ("x",)} | bad))


# ---- the door


def test_thresholds_are_those_of_the_device(place):
    own = pack.read(place / "pack")
    strict, lax = own.threshold(1e-6), own.threshold(1e-4)
    assert strict == pytest.approx(lax + 0.1)
    assert own.threshold(1e-5) == pytest.approx(lax + 0.05), "linear in the logarithm"
    assert (own.threshold(0.5), own.threshold(1e-9)) == (lax, strict), "never laxer, never beyond"
    assert pack.fmr_for_fpir(0.01, 1) == pytest.approx(0.01)
    assert pack.fmr_for_fpir(0.01, 1000) == pytest.approx(1.0050285e-5)


@pytest.mark.parametrize(("allowance", "expected"), [(0.0, 0.18), (0.5, 0.27), (4.0, 0.82)])
def test_scores_are_those_of_the_device(place, allowance, expected):
    rows = np.array([[0.8, 0.6, 0.0], [0.8, 0.3, 0.27**0.5]])
    own = dataclasses.replace(pack.read(place / "pack"), shared=np.array([[1.0, 0.0, 0.0]]), allowance=allowance)
    assert own.scores(rows[:1], rows[1:])[0, 0] == pytest.approx(expected)


# ---- intervals


def test_a_decoder_is_adapted_to_what_is_stored(place):
    victim = Victim(pack.read(place / "pack"), CPU)
    images = faces(1, 48, 2, first=300)
    given = decoder.lessons(images, victim(images), 16)
    wanted = section.Decoding(("x",), side=16, epochs=15, batch=16, ask_every=100, adapted=15, lr=0.004)
    key = rotation.drawn(DIMENSION, 1)

    def far(model, rows):
        return float((decoder.drawn(model, rows) - torch.from_numpy(given.pictures)).abs().mean())

    steps = []
    model = decoder.taught(victim, wanted, given, 1, steps.append)
    assert sum(steps) == decoder.total(96, wanted, 15)
    ways = {"rotated": lambda rows: rotation.applied(key, rows), "sign": lambda rows: quantiser.stored(rows, "sign")}
    for name, stored in ways.items():
        rows = stored(given.templates)
        again = decoder.taught(victim, wanted, given, 1, steps.append, model.state_dict(), stored)
        assert far(model, given.templates) < far(again, rows) < far(model, rows), name


# ---- the weights


class Normed(nn.Module):
    """A network whose BatchNorms are kept by an export."""

    def __init__(self):
        super().__init__()
        self.a, self.norm = nn.Conv2d(3, 6, 7, 7), nn.BatchNorm2d(6)
        self.end = nn.Linear(6 * 256, DIMENSION)

    def forward(self, x):
        return self.end(torch.relu(self.norm(torch.relu(self.a(x)))).flatten(1))


def test_statistics_that_are_shipped_and_those_that_are_estimated_anew(place, tmp_path):
    torch.manual_seed(1)
    model = Normed()
    images = faces(1, 30, 1)
    with torch.no_grad():
        for _ in range(60):
            model(torch.from_numpy(crops.to_input(images)))
    written(tmp_path, model, norms=True)
    victim = Victim(pack.read(tmp_path), CPU)
    assert victim.norms == 1
    kept = statistics.shipped(victim)
    assert torch.allclose(kept.means[0], model.norm.running_mean, atol=1e-5)
    black = np.zeros_like(images)
    assert statistics.distances(victim, kept, images).mean() < statistics.distances(victim, kept, black).mean()

    small = Victim(pack.read(place / "pack"), CPU)
    assert statistics.shipped(small) is None, "folded"
    anew = statistics.estimated(small, images)
    inside, outside = (statistics.distances(small, anew, some) for some in (faces(9, 20, 1), noise(20)))
    assert inside.mean() < outside.mean()
    with torch.no_grad(), statistics.heard(norms=False) as ear:
        small.answers(torch.from_numpy(crops.to_input(images)))
    assert float(anew.distance(ear.maps)) == pytest.approx(0, abs=1e-3)


def noise(count):
    return np.random.default_rng(1).integers(0, 256, (count, 112, 112, 3), dtype=np.uint8)


def test_class_centres_that_were_left_in_a_file(place, tmp_path):
    assert weights._centres(place / "pack" / "net.onnx", DIMENSION) == []
    model = onnx_file.load(place / "pack" / "net.onnx")
    model.graph.initializer.append(
        onnx_file.onnx.numpy_helper.from_array(np.zeros((500, DIMENSION), np.float32), "centres")
    )
    onnx_file.onnx.save(model, tmp_path / "net.onnx")
    assert weights._centres(tmp_path / "net.onnx", DIMENSION) == [f"centres [500, {DIMENSION}]"]


# ---- the verdict


def test_the_pack_that_ships_has_no_centres_and_no_statistics():
    folder = Path(__file__).parents[3] / "models" / "packs" / "doornet"
    victim = Victim(pack.read(folder), CPU)
    assert victim.norms == 0
    assert weights._centres(pack.read(folder).file, 128) == []


def test_on_real_crops():
    """What configs/leak.toml names is there, and nobody is both attacked and known."""
    if not os.environ.get("ARCDOOR_DATA") or not os.environ.get("CROPS"):
        pytest.skip("ARCDOOR_DATA and CROPS are not set: real crops were NOT looked at")
    wanted = config.section(config.load(Path(__file__).parents[1] / "configs" / "leak.toml"), "leak", section.Leak)
    found = photos.of_people(dataclasses.replace(wanted.gallery, most=5))
    others = photos.of_people(dataclasses.replace(wanted.known, most=5))
    assert found.count == others.count == 5
    assert not set(found.names) & set(others.names)
