"""Inversion: what it promises, on faces that the trainer draws itself. Nothing here is anybody's picture."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from PIL import Image
from torch.nn import functional

from arcdoor_train import backbones, checkpoint, cli, config, crops, feature_file, heads, train
from arcdoor_train.data import drawn
from arcdoor_train.errors import CheckpointError, ConfigError, DataError, NotPlainError, UsageError
from arcdoor_train.feature_file import unit
from arcdoor_train.inversion import attacked, distances, figures, graph, losses, marked, picture, run, section, target
from arcdoor_train.inversion.comparison import Bench
from arcdoor_train.inversion.drawing import Drawing
from arcdoor_train.inversion.finished import Finished
from arcdoor_train.inversion.folder import Folder
from arcdoor_train.inversion.prior import Prior
from arcdoor_train.teachers import Teacher

PEOPLE, EACH, DIMENSION = 16, 12, 32
MAY = "nobody: the identities are invented"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two networks of different beginnings and losses, which know the same drawn identities."""
    place = tmp_path_factory.mktemp("runs")
    for person in range(PEOPLE):
        crops.save(place / "set" / f"p{person:02}", np.stack([drawn.face(1, person, n) for n in range(EACH)]))
    (place / "set" / "dataset.toml").write_text('alignment = "arcface-112"\n')
    for name, seed, head in (("own", 1, "m2 = 0.2"), ("judge", 2, "kind = 'norm-softmax'")):
        train.train(config.parse(trained(place, name, seed, head)), quiet=True)
    return place


def trained(place, name, seed, head):
    return f"""
    [run]
    folder = "{place / name}"
    seed = {seed}
    threads = 1
    [data]
    workers = 0
    keep_mb = 100
    sets = [{{ path = "{place / "set"}" }}]
    [model]
    backbone = "dense-xs"
    dimension = {DIMENSION}
    [head]
    scale = 16.0
    {head}
    [optim]
    epochs = 10
    batch = 32
    lr = 0.1
    milestones = [8]
    """


def wanted(
    place, name, steps, more="", model="own", aim="drawn = 8", judges=("judge",), settings="checkpoint_steps = 0"
):
    judged = "".join(f'[[invert.judges]]\npath = "{place / judge}"\n' for judge in judges)
    return config.parse(f"""
    [run]
    folder = "{place / name}"
    device = "cpu"
    threads = 1
    log_every = 10
    {settings}
    [invert]
    batch = 8
    steps = {steps}
    lr = 0.1
    sides = [32, 64]
    flip = 0.5
    jitter = 2
    {more}
    [invert.model]
    path = "{place / model}"
    [invert.target]
    {aim}
    {judged}
    """)


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def folders(runs):
    """Two runs of one target, with BatchNorm's statistics and without."""
    more = "schedule = 'cosine'\nlooks = [20]"
    with_prior = run.drive(wanted(runs, "with", 300, more), MAY, quiet=True)
    return with_prior, run.drive(wanted(runs, "without", 300, f"prior = 0\n{more}"), MAY, quiet=True)


def test_pictures_of_classes_are_alike_to_their_people_for_a_second_network(runs, folders):
    folder, without = folders
    lines = metrics(folder)
    assert lines[-1]["cosine"] > lines[0]["cosine"] + 0.1
    assert lines[-1]["identity"] < lines[0]["identity"]
    assert statistics(runs, folder) < 0.5 * statistics(runs, without)
    own, others = second_opinion(runs, folder)
    assert own > others + 0.2
    assert (folder / "sheet.png").is_file()
    assert (folder / "consent.txt").read_text() == MAY + "\n"


def statistics(runs, folder):
    """What BatchNorm has to say of a run's pictures."""
    network = attacked.load(Teacher(str(runs / "own")), CPU).network
    prior = Prior(network)
    network(torch.from_numpy(crops.to_input(np.stack(Folder(folder).pictures()))))
    return prior.take().item()


def second_opinion(runs, folder):
    """Mean cosines by the judge of the pictures to photos of whom they are drawn, and of the others."""
    network = checkpoint.load_model(runs / "judge")[0]
    pictures, said = Folder(folder).pictures(), Folder(folder).drawn()

    def unit(images):
        with torch.no_grad():
            return functional.normalize(network(torch.from_numpy(crops.to_input(np.stack(images)))))

    names = [one.of for one in said]
    photos = [np.stack([drawn.face(1, int(name[-2:]), n) for n in range(EACH)]) for name in names]
    table = np.array([[float((unit(own) @ row).mean()) for own in photos] for row in unit(pictures)])
    assert np.allclose(np.diag(table), [one.judges["judge"] for one in said], atol=0.02)
    return np.diag(table).mean(), table[~np.eye(len(table), dtype=bool)].mean()


def network(place, name="net", backbone="dense-xs"):
    torch.manual_seed(3)
    whole = config.parse(f'[model]\nbackbone = "{backbone}"\ndimension = 8')
    (place / name).mkdir()
    checkpoint.save_model(place / name / "model.pt", backbones.build(backbone, 8).eval(), whole)


def small(place, name, **more):
    network(place) if not (place / "net").is_dir() else None
    if not (place / "t.npy").is_file():
        np.save(place / "t.npy", np.random.default_rng(1).normal(size=(3, 8)).astype(np.float32))
    whole = wanted(place, name, 6, "", "net", f'templates = "{place / "t.npy"}"', (), "checkpoint_steps = 2")
    table = config.to_table(whole)
    table["invert"] |= {"batch": 2, "restarts": 2, "looks": [3], **more}
    return config.from_table(table)


def left(folder):
    names = ["pictures.jsonl", "metrics.jsonl", "sheet.png", *(f"pictures/{n:05}.png" for n in range(3))]
    return {name: (folder / name).read_bytes() for name in [*names, "steps/000003/00002.png"]}


@pytest.mark.parametrize("stop", [3, 9, 13])
def test_a_run_that_goes_on_draws_what_an_unbroken_one_does(stop, tmp_path, monkeypatch):
    whole = left(run.drive(small(tmp_path, "whole"), MAY, quiet=True))
    real, calls = Drawing.advance, []

    def killed(drawing):
        calls.append(drawing.place)
        if len(calls) == stop:
            raise KeyboardInterrupt
        return real(drawing)

    with monkeypatch.context() as patch:
        patch.setattr(Drawing, "advance", killed)
        with pytest.raises(KeyboardInterrupt):
            run.drive(small(tmp_path, "broken"), MAY, quiet=True)
    with pytest.raises(UsageError, match="--resume goes on"):
        run.drive(small(tmp_path, "broken"), MAY, quiet=True)
    assert left(run.drive(small(tmp_path, "broken"), MAY, resume=True, quiet=True)) == whole
    assert not (tmp_path / "broken" / "state.pt").exists()
    with pytest.raises(CheckpointError, match="begun with another settings"):
        run.drive(small(tmp_path, "broken", lr=0.2), MAY, resume=True, quiet=True)


def test_of_several_starts_the_one_stays_that_the_attacked_network_likes_best():
    best, pictures = run._Best(), crops.random(4).reshape(2, 2, *crops.random(1).shape[1:])
    best.offer(pictures[0], np.array([0.3, 0.5]))
    best.offer(pictures[1], np.array([0.4, 0.2]))
    again = run._Best.of(best.state())
    assert again.cosines.tolist() == [0.4, 0.5]
    assert np.array_equal(again.pictures, np.stack([pictures[1][0], pictures[0][1]]))


def test_figures_by_a_judge_after_each_look(folders, capsys, tmp_path):
    given = ["invert", "--measure", *map(str, folders), "--photos", "200", "--json", str(tmp_path / "f.json")]
    assert cli.main(given) == 0
    found = json.loads((tmp_path / "f.json").read_text())
    assert [(one["run"], one["steps"]) for one in found] == [
        ("with", 20), ("with", 300), ("without", 20), ("without", 300)
    ]  # fmt: skip
    early, last = found[:2]
    assert last["own"][0] > 0.1
    assert last["source"] is None, "a class has no photo that its centre was made of"
    assert early["attacked"] < last["attacked"] <= 1
    rate = last["rates"][0]
    assert rate["own"][1] <= rate["own"][0] <= rate["own"][2]
    assert rate["own"][0] > rate["strangers"]
    assert last["frechet"] < found[3]["frechet"], "BatchNorm's statistics bring pictures nearer to photos"
    assert last["kernel"] < found[3]["kernel"]
    told = capsys.readouterr().out
    assert len(told.splitlines()) == 2 + sum(len(one["rates"]) or 1 for one in found)
    print(told)  # README's table: pytest -rP
    assert cli.main([*given, "--i-may", MAY]) == 2


def test_figures_of_templates_that_photos_made(runs):
    aim = f'crops = "{runs / "set"}"\nmost = 5'
    folder = run.drive(wanted(runs, "crops", 4, aim=aim), MAY, quiet=True)
    (found,) = figures.measure(Bench(Finished(folder), 100, {}))
    assert found.photos >= 5 * EACH
    assert found.source[0] > -1
    assert found.own[0] != found.source[0]
    assert [one.of for one in Folder(folder).drawn()] == crops.Crops(runs / "set").spread(5)


def test_nothing_is_measured_without_photos_or_judges(runs, tmp_path):
    folder = run.drive(small(tmp_path, "run"), MAY, quiet=True)
    with pytest.raises(DataError, match="cannot judge itself"):
        Bench(Finished(folder), 100, {})


def test_distances():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 20_000, 4))
    assert distances.frechet(first, second) == pytest.approx(0, abs=0.01)
    assert distances.frechet(first, second + np.array([2, 0, 0, 0])) == pytest.approx(4, rel=0.03)
    assert distances.frechet(first, second * [3, 1, 1, 1]) == pytest.approx(4, rel=0.05)
    one, other, moved = (unit(rng.normal(size=(300, 4)) + shift) for shift in (0, 0, [2, 0, 0, 0]))
    assert distances.kernel(one, other) == pytest.approx(0, abs=0.05)
    assert distances.kernel(one, moved) > 0.5


@pytest.mark.parametrize("name", ["invert", "invert-open"])
def test_shipped_configurations(name):
    whole = config.load(Path(__file__).parents[1] / "configs" / f"{name}.toml")
    section.refuse(whole)
    found = config.section(whole, "invert", section.Invert)
    assert (found.batch, found.steps, found.lr, found.prior) == (256, 20_000, 0.25, 0.05)


def test_a_right_must_be_told(tmp_path, capsys):
    (tmp_path / "c.toml").write_text(config.to_toml(small(tmp_path, "run")))
    for given in ([], ["--i-may", "yes"]):
        assert cli.main(["invert", "--config", str(tmp_path / "c.toml"), *given]) == 2
        assert "--i-may" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert cli.main(["invert", "--config", str(tmp_path / "c.toml"), "--i-may", MAY, "--quiet"]) == 0


def test_templates_of_another_dimension(tmp_path):
    whole = small(tmp_path, "run")
    feature_file.write(tmp_path / "t.bin", np.ones((2, 9)))
    whole.foreign["invert"]["target"]["templates"] = str(tmp_path / "t.bin")
    with pytest.raises(DataError, match=r"templates of 9 numbers, .* makes 8"):
        run.drive(whole, MAY, quiet=True)


@pytest.mark.parametrize("head", [{"kind": "triplet"}, {}])
def test_a_run_without_class_centres(head, tmp_path):
    table = {"model": {"backbone": "dense-xs", "dimension": 8}, "head": head}
    table["data"] = {"per_identity": 2} if head else {}
    (tmp_path / "net").mkdir()
    whole = config.from_table(table)
    checkpoint.save_model(tmp_path / "net" / "model.pt", backbones.build("dense-xs", 8).eval(), whole)
    with pytest.raises(DataError, match="no class centres"):
        run.drive(wanted(tmp_path, "run", 6, model="net", judges=()), MAY, quiet=True)


def test_classes_by_name(runs):
    own = attacked.load(Teacher(str(runs / "own")), CPU)
    found = target.find(section.Aim(classes=("set/p05", "set/p02")), own, 1)
    assert found.names == ["set/p05", "set/p02"]
    assert found.labels.tolist() == [5, 2]
    with pytest.raises(DataError, match="knows no identity nobody"):
        target.find(section.Aim(classes=("nobody",)), own, 1)
    with pytest.raises(DataError, match="knows 16 identities"):
        target.find(section.Aim(drawn=17), own, 1)


def test_a_judge_takes_no_part(runs):
    with pytest.raises(ConfigError, match="a judge takes no part"):
        run.drive(wanted(runs, "self", 6, judges=("own",)), MAY, quiet=True)


def test_sections_that_are_not_heeded(tmp_path):
    whole = small(tmp_path, "run")
    with pytest.raises(ConfigError, match=r"\[optim\]: invert does not know it"):
        run.drive(dataclasses.replace(whole, optim=config.Optim(lr=0.2)), MAY, quiet=True)


@pytest.mark.parametrize("text", ["", 'drawn = 3\ncrops = "x"', "drawn = -1"])
def test_one_target(text, tmp_path):
    with pytest.raises(ConfigError, match="wants one of"):
        run.drive(wanted(tmp_path, "run", 6, aim=text), MAY, quiet=True)


def published(path, side=112):
    """A small network as its authors leave it: BatchNorm not folded, normalisation in the graph, 0..255 taken."""
    rng = np.random.default_rng(2)
    values = {
        "mean": np.array([127.5], np.float32), "scale": np.array([1 / 128], np.float32),
        "w": rng.normal(0, 0.3, (4, 3, 7, 7)).astype(np.float32), "slope": np.full((4, 1, 1), 0.2, np.float32),
        "fc": rng.normal(0, 0.1, (8, 4 * 16 * 16)).astype(np.float32), "b": np.zeros(8, np.float32),
    }  # fmt: skip
    norms = (("n", 4), ("m", 8))
    for name, size in norms:
        for part, row in enumerate(rng.uniform(0.5, 1.5, (4, size))):
            values[f"{name}{part}"] = row.astype(np.float32)
    nodes = [
        helper.make_node("Sub", ["data", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "scale"], ["x"]),
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[7, 7], strides=[7, 7]),
        helper.make_node("BatchNormalization", ["c", *(f"n{n}" for n in range(4))], ["bn"], epsilon=1e-3),
        helper.make_node("PRelu", ["bn", "slope"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "fc", "b"], ["g"], transB=1),
        helper.make_node("BatchNormalization", ["g", *(f"m{n}" for n in range(4))], ["out"]),
    ]
    entry = helper.make_tensor_value_info("data", onnx.TensorProto.FLOAT, [1, 3, side, side])
    out = helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, [1, 8])
    stored = [numpy_helper.from_array(value, name) for name, value in values.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "net", [entry], [out], stored),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    onnx.save(model, path)
    return values


def test_batch_norm_of_a_published_file_is_heard(tmp_path):
    values = published(tmp_path / "net.onnx")
    found = graph.read(tmp_path / "net.onnx", crops.Preprocess((0.0,) * 3, (1.0,) * 3))
    prior, flatless = Prior(found), Prior(found, flat=False)
    inputs = torch.from_numpy(crops.to_input(crops.random(5)))
    found(inputs)
    taken = functional.conv2d(inputs, torch.from_numpy(values["w"]), stride=7)
    variance, mean = torch.var_mean(taken, (0, 2, 3), correction=0)
    running_mean, running_var = torch.from_numpy(values["n2"]), torch.from_numpy(values["n3"])
    by_hand = (mean - running_mean).square().sum() + (variance.sqrt() - running_var.sqrt()).square().sum()
    assert flatless.take().item() == pytest.approx(by_hand.item(), rel=1e-4)
    assert prior.take().item() > by_hand.item()
    prior.end()


def test_a_published_file_is_inverted_and_has_no_classes(tmp_path):
    published(tmp_path / "net.onnx")
    whole = small(tmp_path, "run")
    whole.foreign["invert"]["model"] = {"path": str(tmp_path / "net.onnx"), "mean": [0.0] * 3, "scale": [1.0] * 3}
    lines = metrics(run.drive(whole, MAY, quiet=True))
    assert lines[-1]["prior"] > 0
    whole = wanted(tmp_path, "other", 6, judges=())
    whole.foreign["invert"]["model"] = {"path": str(tmp_path / "net.onnx"), "mean": [0.0] * 3, "scale": [1.0] * 3}
    with pytest.raises(DataError, match="has no class centres"):
        run.drive(whole, MAY, quiet=True)


def test_a_network_without_batch_norm_has_no_prior():
    with pytest.raises(DataError, match=r"no BatchNorm.*invert\.prior = 0"):
        Prior(backbones.reparameterise(backbones.build("dense-xs", 8)))


def test_a_node_that_is_not_known(tmp_path):
    published(tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    model.graph.node[5].op_type = "Softplus"
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(NotPlainError, match="Softplus is not known here"):
        graph.read(tmp_path / "net.onnx", crops.Preprocess())


@pytest.mark.parametrize(
    "head",
    [{"m2": 0.5}, {"m2": 0.0, "m3": 0.35}, {"m1": 1.35, "m2": 0.0}, {"kind": "softmax"}, {"centres": 3}],
    ids=["arcface", "cosface", "sphereface", "softmax", "sub-centres"],
)
def test_each_loss_leads_to_its_class(head, tmp_path):
    built = heads.build(config.Head(scale=16.0, **head), 8, 5).requires_grad_(False).eval()
    built.weight.mul_(100.0)
    closed = target.Closed(built, np.array([3, 1]), ["c", "a"], tmp_path)
    embeddings = torch.randn(2, 8, generator=torch.Generator().manual_seed(1)).requires_grad_(True)
    before = closed.cosines(embeddings, slice(0, 2)).detach()
    optimiser = torch.optim.SGD([embeddings], 0.1)
    for _ in range(50):
        optimiser.zero_grad()
        closed.loss(embeddings, slice(0, 2)).backward()
        optimiser.step()
    assert closed.cosines(embeddings, slice(0, 2)).mean() > before.mean()


def test_smoothness_and_length():
    even, edge = torch.full((2, 3, 8, 8), 0.5), torch.zeros(2, 3, 8, 8)
    edge[..., 4:] = 1.0
    assert losses.variation(even).item() == pytest.approx(0, abs=1e-5)
    assert losses.variation(edge).item() == pytest.approx(24**0.5, abs=1e-5)
    assert losses.energy(even).item() == pytest.approx((192 / 4) ** 0.5)


def test_sizes_of_a_picture():
    wanted = section.Invert(Teacher("x"), section.Aim(drawn=1), steps=10, sides=(28, 56, 112), start=0.4)
    assert [wanted.side(step) for step in range(10)] == [28] * 2 + [56] * 2 + [112] * 6
    assert section.Invert(Teacher("x"), section.Aim(drawn=1), steps=10).side(0) == 112


@pytest.mark.parametrize(
    "bad", [{"sides": (64, 32)}, {"sides": ()}, {"lr": 0}, {"schedule": "no"}, {"looks": (0,)}, {"identity": 0.0}]
)
def test_settings_that_cannot_be(bad):
    with pytest.raises(ConfigError, match=r"^invert\."):
        section.Invert(Teacher("x"), section.Aim(drawn=1), **bad)


def test_flips_and_moves_are_drawn_by_their_place():
    pictures = torch.arange(2 * 3 * 8 * 8.0).reshape(2, 3, 8, 8)
    one = picture.varied(pictures, 0.5, 2, (1, 2, 3))
    assert torch.equal(one, picture.varied(pictures, 0.5, 2, (1, 2, 3)))
    assert not torch.equal(one, picture.varied(pictures, 0.5, 2, (1, 2, 4)))
    assert torch.equal(one.flatten(1).sort()[0], pictures.flatten(1).sort()[0])
    assert torch.equal(picture.varied(pictures, 0.0, 0, (1,)), pictures)


def test_a_file_is_marked_and_keeps_the_picture(tmp_path):
    image = crops.random(1)[0]
    marked.write(tmp_path / "a.png", image)
    assert np.array_equal(marked.read(tmp_path / "a.png"), image)
    with Image.open(tmp_path / "a.png") as file:
        assert file.text[marked.KEY] == "drawn from an embedding: shows nobody"
        strip = np.array(file)[-marked.STRIP :]
    assert (strip == 0).all(axis=2).mean() > 0.5
    assert (strip > 180).all(axis=2).mean() > 0.02
    Image.fromarray(image).save(tmp_path / "b.png")
    with pytest.raises(DataError, match="no picture that invert wrote"):
        marked.read(tmp_path / "b.png")
