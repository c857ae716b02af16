"""What a run begins with: a network and class centres drawn by chance, or those of another run (``model.init``), from
whose weights ``train`` goes on with other people, another loss, another dimension, or after ``compress``."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from arcdoor_train import backbones, checkpoint, config, data, embedding, heads, overlap
from arcdoor_train.backbones.chain import CHAIN, Chain, Shape
from arcdoor_train.errors import CheckpointError, ConfigError


def network(whole: config.Config, own: Path | None = None) -> nn.Module:
    """The backbone of ``[model]`` as the run begins. ``own`` is a checkpoint of the run itself, whose weights are
    loaded afterwards: then ``model.init`` may be gone. Raises ``ConfigError``, ``CheckpointError``."""
    torch.manual_seed(whole.run.seed)
    wanted = whole.model
    chain = wanted.backbone == CHAIN
    if chain and not wanted.init:
        raise ConfigError(f"model.backbone = {CHAIN!r}: its layers are those of a run of compress; name it, model.init")
    if not wanted.init or (own and not chain):
        return backbones.build(wanted.backbone, wanted.dimension, wanted.dropout)
    path = checkpoint.model_file(own or config.expand(wanted.init))
    content = checkpoint.load_tensors(path)
    try:
        theirs = config.from_table(content["config"]).model
        weights = content["model"]
        shape = Shape.of(content["shape"]) if chain and theirs.backbone == CHAIN else None
    except (KeyError, ConfigError) as error:
        raise CheckpointError(f"{path} does not fit this trainer: {error}") from error
    if theirs.backbone != wanted.backbone:
        raise ConfigError(
            f"model.init = {wanted.init!r} has a network {theirs.backbone!r}, model.backbone is {wanted.backbone!r}: "
            "name the same"
        )
    if shape:
        built = Chain(replace(shape, dimension=wanted.dimension))
    else:
        built = backbones.build(wanted.backbone, wanted.dimension, wanted.dropout)
    if not own:
        _take(built, weights, path, theirs.dimension == wanted.dimension)
    return built


def _take(built: nn.Module, weights: dict[str, torch.Tensor], path: Path, whole: bool) -> None:
    """All weights; but for ``whole``, the layer that makes the embedding stays as it was drawn where it has another
    size."""
    mine = built.state_dict()
    fitting = {name: weight for name, weight in weights.items() if name in mine and mine[name].shape == weight.shape}
    if mine.keys() != weights.keys() or (whole and len(fitting) < len(mine)):
        raise CheckpointError(f"{path} does not fit this trainer: its layers are others than {type(built).__name__}'s")
    built.load_state_dict(fitting, strict=False)


def head(whole: config.Config, model: nn.Module, faces: data.Dataset, goes_on: bool = False) -> tuple[nn.Module, int]:
    """The head of ``[head]`` as the run begins with the network ``model``, and for how many identities ``head.init``
    gave it centres; none where the run's own weights come afterwards. Raises ``ConfigError``, ``CheckpointError``,
    ``DataError``."""
    identities = faces.identities
    built = heads.build(whole.head, whole.model.dimension, len(identities), whole.run.seed)
    if goes_on or not whole.head.init:
        return built, 0
    inner = heads.inner(built)
    if whole.head.init == "run":
        return built, centres(whole, identities, dict(inner.named_parameters()))
    was_training = model.training
    found, labels = embedding.embed(model.eval(), faces, np.arange(len(faces)))
    model.train(was_training)
    means = torch.from_numpy(overlap.centres(found, labels, len(identities)))
    has_one = means.any(dim=1)
    # Of an identity without an image that can be read the centre stays as it was drawn.
    inner.weight.data[has_one] = means[has_one]
    return built, int(has_one.sum())


def centres(whole: config.Config, identities: list[str], into: dict[str, torch.Tensor]) -> int:
    """Takes the class centres of ``model.init`` over for those of ``identities`` that have the same names there:
    ``into`` are the head's tensors, with as many rows for each identity. How many. Raises ``ConfigError``,
    ``CheckpointError``."""
    folder = checkpoint.resolve(config.expand(whole.model.init))
    listed = folder.parents[1] / "identities.txt"
    try:
        names = listed.read_text(encoding="utf-8").splitlines()
        theirs = config.from_table(checkpoint.load_tensors(folder / "model.pt")["config"])
    except (OSError, UnicodeDecodeError, KeyError, ConfigError) as error:
        raise CheckpointError(f"head.init: {whole.model.init} does not tell whose its centres are: {error}") from error
    alike = (theirs.model.dimension, theirs.head.centres) == (whole.model.dimension, whole.head.centres)
    found = checkpoint.read_head(folder, 0, len(names))
    if not alike or not into.keys() <= found.keys():
        raise ConfigError("head.init: model.init was trained with another head.kind, head.centres or model.dimension")
    place = {name: row for row, name in enumerate(names)}
    if len(place) < len(names):
        raise ConfigError(f"head.init: {listed} names some identity twice: whose centre it is cannot be told")
    mine = [row for row, name in enumerate(identities) if name in place]
    rows = [place[identities[row]] for row in mine]
    for name, tensor in into.items():
        tensor.data.view(len(identities), -1)[mine] = found[name].view(len(names), -1)[rows].to(tensor)
    return len(mine)
