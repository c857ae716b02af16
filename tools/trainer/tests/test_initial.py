"""What a run begins with: another run's weights, where it names one."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from arcdoor_train import checkpoint, config, crops, data, initial, train
from arcdoor_train.backbones.chain import Chain, Layer, Shape
from arcdoor_train.errors import CheckpointError, ConfigError
from arcdoor_train.plots import angles
from arcdoor_train.trainer import Trainer
from arcdoor_train.world import World

PEOPLE = 6
TEXT = """
[run]
folder = "{folder}"
device = "cpu"
keep = 9
checkpoint_steps = 1
[data]
workers = 0
drawn = {{ identities = {people}, images = 4 }}
[model]
backbone = "dense-xs"
dimension = {dimension}
{model}
[head]
{head}
[optim]
epochs = 1
batch = 8
lr = 0.001
"""


def settings(folder, people=PEOPLE, dimension=16, model="", head=""):
    return config.parse(TEXT.format(folder=folder, people=people, dimension=dimension, model=model, head=head))


def begun(whole):
    source, _ = data.gather(whole.data, whole.run.seed)
    return Trainer(whole, World(0, 1, torch.device("cpu")), source)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A run that learnt something, with its last checkpoint's network."""
    return train.train(settings(tmp_path_factory.mktemp("first") / "run"), quiet=True)


def centres(run):
    return checkpoint.read_head(checkpoint.resolve(run), 0, PEOPLE)["weight"]


def test_a_run_begins_with_anothers_network_and_centres_of_its_own(first, tmp_path):
    trainer = begun(settings(tmp_path, people=3, model=f'init = "{first}"'))
    wanted = checkpoint.load_model(first)[0].state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in trainer.backbone.state_dict().items())
    drawn = begun(settings(tmp_path, people=3))
    assert torch.equal(trainer.head.weight, drawn.head.weight)
    assert not torch.equal(trainer.backbone[0].weight, drawn.backbone[0].weight)


def test_of_another_dimension_all_but_the_last_layer_is_taken(first, tmp_path):
    mine = begun(settings(tmp_path, dimension=8, model=f'init = "{first}"')).backbone.state_dict()
    theirs = checkpoint.load_model(first)[0].state_dict()
    drawn = begun(settings(tmp_path, dimension=8)).backbone.state_dict()
    last = {name for name in mine if mine[name].shape != theirs[name].shape}
    assert {name.partition(".")[2] for name in last} == {"weight", "bias", "running_mean", "running_var"}
    assert len({name.partition(".")[0] for name in last}) == 2, "a linear layer and its BatchNorm"
    for name, tensor in mine.items():
        assert torch.equal(tensor, drawn[name] if name in last else theirs[name]), name


@pytest.mark.parametrize("sharded", ["", "sharded = true"])
def test_centres_are_taken_by_the_identities_names(first, tmp_path, sharded):
    whole = settings(tmp_path, people=PEOPLE + 2, model=f'init = "{first}"', head=f"init = 'run'\n{sharded}")
    trainer, drawn = begun(whole), begun(settings(tmp_path, people=PEOPLE + 2)).head.weight
    found = trainer.sharded.weight if sharded else trainer.head.weight
    assert trainer.taken == PEOPLE
    assert torch.equal(found[:PEOPLE], centres(first))
    assert torch.equal(found[PEOPLE:], drawn[PEOPLE:])
    reverse = {"weight": torch.zeros(2, 16)}
    assert initial.centres(whole, ["drawn/drawn-0004", "nobody"], reverse) == 1
    assert torch.equal(reverse["weight"], torch.stack([centres(first)[4], torch.zeros(16)]))
    assert initial.centres(whole, ["nobody"], {"weight": torch.zeros(1, 16)}) == 0


def test_the_start_that_is_drawn_is_the_one_that_the_run_had(first, tmp_path):
    whole = settings(tmp_path, model=f'init = "{first}"', head="init = 'run'")
    trainer = begun(whole)
    model, weight = angles._start(whole, trainer.source)
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in trainer.backbone.state_dict().items())
    assert torch.equal(torch.from_numpy(weight[:, 0]), centres(first))


def test_a_run_goes_on_without_what_it_began_with(first, tmp_path):
    (tmp_path / "begun.pt").write_bytes((checkpoint.resolve(first) / "model.pt").read_bytes())
    whole = settings(tmp_path / "run", model=f'init = "{tmp_path}/begun.pt"')
    run = train.train(whole, quiet=True)
    (tmp_path / "begun.pt").unlink()
    shutil.rmtree(checkpoint.list_steps(run)[-1])
    train.train(whole, resume=True, quiet=True)
    with pytest.raises(CheckpointError, match=r"model\.init"):
        train.train(settings(tmp_path / "run"), resume=True, quiet=True)
    assert len(checkpoint.list_steps(run)) == 3


def test_a_start_that_does_not_fit_is_named(first, tmp_path):
    with pytest.raises(CheckpointError, match="neither a checkpoint"):
        begun(settings(tmp_path, model=f'init = "{tmp_path}/nothing"'))
    other = settings(tmp_path, model=f'init = "{first}"')
    with pytest.raises(ConfigError, match="has a network 'dense-xs'"):
        begun(dataclasses.replace(other, model=dataclasses.replace(other.model, backbone="dense-s")))
    with pytest.raises(ConfigError, match="its layers are those of a run of compress"):
        begun(dataclasses.replace(other, model=config.Model("chain")))
    chain = Chain(Shape((Layer(3, 4, 4, 4), Layer(4, 4, 28, 28)), 16))
    checkpoint.save_model(tmp_path / "chain.pt", chain, config.Config(model=config.Model("chain", 16)))
    cut = initial.network(config.Config(model=config.Model("chain", 8, init=str(tmp_path / "chain.pt"))))
    assert torch.equal(cut.layers[1][0].weight, chain.layers[1][0].weight)
    assert cut.fc.weight.shape == (8, 4)
    content = checkpoint.load_tensors(checkpoint.resolve(first) / "model.pt")
    del content["model"][next(iter(content["model"]))]
    checkpoint.save_tensors(tmp_path / "less.pt", content)
    with pytest.raises(CheckpointError, match=r"less\.pt does not fit"):
        begun(settings(tmp_path, model=f'init = "{tmp_path}/less.pt"'))


@pytest.mark.parametrize(
    ("head", "dimension", "said"),
    [("init = 'run'\ncentres = 3", 16, "another head"), ("init = 'run'", 8, "another head"),
     ("init = 'run'\nkind = 'softmax'", 16, "another head")],
)  # fmt: skip
def test_centres_of_another_head_are_refused(first, tmp_path, head, dimension, said):
    with pytest.raises(ConfigError, match=said):
        begun(settings(tmp_path, dimension=dimension, model=f'init = "{first}"', head=head))
    with pytest.raises(ConfigError, match="name that"):
        settings(tmp_path, head=head)
    (tmp_path / "begun.pt").write_bytes((checkpoint.resolve(first) / "model.pt").read_bytes())
    with pytest.raises(CheckpointError, match="neither"):
        begun(settings(tmp_path, model=f'init = "{tmp_path}/begun.pt"', head="init = 'run'"))


def test_a_name_that_two_centres_have_is_refused(first, tmp_path):
    twice = shutil.copytree(first, tmp_path / "twice")
    names = (twice / "identities.txt").read_text().splitlines()
    (twice / "identities.txt").write_text("\n".join([names[0], *names[:-1]]) + "\n")
    with pytest.raises(ConfigError, match=r"identities\.txt names some identity twice"):
        begun(settings(tmp_path / "run", model=f'init = "{twice}"', head="init = 'run'"))


def test_means_stand_for_the_centres_that_a_network_of_compress_lacks(first, tmp_path):
    whole = settings(tmp_path, people=PEOPLE + 1, model=f'init = "{first}"', head="init = 'means'")
    trainer = begun(whole)
    model = trainer.backbone.eval()
    of_one = [
        image for image, owner in zip(range(len(trainer.source)), trainer.source.labels, strict=True) if owner == 2
    ]
    inputs = torch.from_numpy(crops.to_input(np.stack([trainer.source.read(number) for number in of_one])))
    with torch.no_grad():
        wanted = torch.nn.functional.normalize(model(inputs)).sum(dim=0)
    assert torch.allclose(trainer.head.weight[2], wanted / wanted.norm(), atol=1e-5)
    assert trainer.taken == PEOPLE + 1
    assert torch.equal(torch.from_numpy(angles._start(whole, trainer.source)[1][:, 0]), trainer.head.weight)


@pytest.mark.parametrize("head", ["centres = 3", "kind = 'softmax'", "sharded = true", "sample = 0.5"])
def test_means_are_one_centre_of_length_1(first, tmp_path, head):
    with pytest.raises(ConfigError, match=r"head\.init"):
        settings(tmp_path, model=f'init = "{first}"', head=f"init = 'means'\n{head}")
