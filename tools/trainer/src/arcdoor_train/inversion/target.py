"""Whom pictures are drawn of: class centres of a run of ours, or templates."""

import dataclasses
import hashlib
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from arcdoor_train import checkpoint, config, crops, data, feature_file, heads, trained
from arcdoor_train.errors import CheckpointError, DataError
from arcdoor_train.inversion import cover
from arcdoor_train.inversion.attacked import Attacked
from arcdoor_train.inversion.section import Aim

#: Crops and pictures of one pass of the attacked network.
_PASS = 64
#: Photos of a person whom a picture is compared with, at most, evenly spaced.
MOST_PHOTOS = 16


class Closed:
    """The closed set: identities that the run was trained on, by its own loss to their centres."""

    def __init__(self, head: nn.Module, labels: np.ndarray, names: list[str], run: Path) -> None:
        """``labels`` (n,) of the classes whose ``names`` are given; ``run``: the checkpoint's folder."""
        self.head, self.names, self.run = head, names, run
        self.labels = torch.from_numpy(labels)

    def loss(self, embeddings: torch.Tensor, chosen: slice) -> torch.Tensor:
        """The training's loss, the mean over the batch."""
        return self.head(embeddings, self.labels[chosen].to(embeddings.device))

    def cosines(self, embeddings: torch.Tensor, chosen: slice) -> torch.Tensor:
        """(n,) to the classes' centres; a plain softmax's weights stand for them."""
        labels = self.labels[chosen].to(embeddings.device)
        if isinstance(self.head, heads.Softmax):
            return functional.cosine_similarity(embeddings, self.head.weight[labels])
        return self.head.cosines(embeddings).gather(1, labels[:, None])[:, 0]

    def digest(self) -> str:
        """A hash of whom."""
        return _hash(self.labels.numpy())


class Open:
    """The open set: templates of people whom the network may never have met."""

    def __init__(
        self,
        templates: np.ndarray,
        names: list[str],
        faces: crops.Crops | None = None,
        covered: list[str] | None = None,
    ) -> None:
        """``templates`` (n, d) of any length; ``faces``: the crops that they were made of, by ``names``; ``covered``:
        what lay over each."""
        self.names, self.faces = names, faces
        self.covered = covered or [cover.NOTHING] * len(names)
        self.templates = torch.from_numpy(feature_file.unit(templates).astype(np.float32))

    def loss(self, embeddings: torch.Tensor, chosen: slice) -> torch.Tensor:
        """|e - t|^2 of vectors made sqrt(d) long, about as BatchNorm leaves them: templates are stored at the length 1,
        and beside the other terms a distance of those would weigh nothing. The mean over the batch."""
        wanted = self.templates[chosen].to(embeddings.device)
        return (functional.normalize(embeddings) - wanted).square().sum(1).mean() * embeddings.shape[1]

    def cosines(self, embeddings: torch.Tensor, chosen: slice) -> torch.Tensor:
        """(n,) to the templates."""
        return functional.cosine_similarity(embeddings, self.templates[chosen].to(embeddings.device))

    def digest(self) -> str:
        """A hash of whom."""
        return _hash(self.templates.numpy())


Target = Closed | Open


def _hash(values: np.ndarray) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()


def find(aim: Aim, attacked: Attacked, seed: int) -> Target:
    """Raises ``DataError`` where the network has no such classes, or the templates are not its own."""
    if aim.classes or aim.drawn:
        return _closed(aim, attacked, seed)
    if aim.crops:
        return _of_crops(aim, attacked)
    templates = _table(config.expand(aim.templates))
    if templates.shape[1] != attacked.dimension:
        raise DataError(
            f"{aim.templates} holds templates of {templates.shape[1]} numbers, {attacked.path} makes "
            f"{attacked.dimension}: they are another network's"
        )
    return Open(templates, [f"template {row}" for row in range(len(templates))])


def _table(path: Path) -> np.ndarray:
    """(n, d) from an ``.npy`` or LFR's feature file."""
    if path.suffix != ".npy":
        return feature_file.read(path)
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    if found.ndim != 2 or not found.size or found.dtype.kind != "f" or not np.isfinite(found).all():
        raise DataError(f"{path} is no table of finite numbers, a template a row")
    return found


def _of_crops(aim: Aim, attacked: Attacked) -> Open:
    faces = crops.Crops(config.expand(aim.crops))
    names = faces.listed(config.expand(aim.listed)) if aim.listed else faces.names
    names = faces.spread(aim.most, names) if aim.most else names
    images = (cover.over(faces.read(name), kind) for kind in aim.covered for name in names)
    found = []
    with torch.no_grad():
        while part := list(islice(images, _PASS)):
            pixels = torch.from_numpy(crops.to_input(np.stack(part))).to(attacked.device)
            found.append(attacked.network(pixels).cpu().numpy())
    covered = [kind for kind in aim.covered for _ in names]
    return Open(np.concatenate(found), names * len(aim.covered), faces, covered)


def _closed(aim: Aim, attacked: Attacked, seed: int) -> Closed:
    if not attacked.ours:
        raise DataError(
            f"{attacked.path} has no class centres: a classifier's last layer is not published with it. Name "
            "target.templates or target.crops in place of classes"
        )
    folder = attacked.path.parent
    whole, identities = _trained(folder)
    labels = _labels(aim, identities, folder, seed)
    names = [identities[label] for label in labels]
    head = _head(folder, whole, len(identities)).to(attacked.device)
    return Closed(head, labels, names, folder)


def _trained(folder: Path) -> tuple[config.Config, list[str]]:
    """The configuration of a checkpoint with centres, and whose they are."""
    whole = config.from_table(checkpoint.load_tensors(folder / "model.pt")["config"])
    untaught = whole.foreign.get("distil", {}).get("labels") == 0
    if whole.head.kind in config.METRIC or untaught or not list(folder.glob("head-*-of-*.pt")):
        raise DataError(
            f"{folder} has no class centres that were learnt: only runs of train do, and of distil with labels. Name "
            "target.templates or target.crops in place of classes"
        )
    listed = folder.parents[1] / "identities.txt"
    try:
        return whole, listed.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {listed}, which says whose the centres are: {error}") from error


def _labels(aim: Aim, identities: list[str], folder: Path, seed: int) -> np.ndarray:
    if aim.drawn:
        if aim.drawn > len(identities):
            raise DataError(f"target.drawn = {aim.drawn}: {folder} knows {len(identities)} identities")
        return np.sort(np.random.default_rng(seed).permutation(len(identities))[: aim.drawn])
    place = {name: number for number, name in enumerate(identities)}
    unknown = [name for name in aim.classes if name not in place]
    if unknown:
        raise DataError(
            f"{folder} knows no identity {', '.join(unknown)}: its identities.txt lists those that it knows"
        )
    return np.array([place[name] for name in aim.classes])


def _head(folder: Path, whole: config.Config, classes: int) -> nn.Module:
    """The trained head, without the terms that concern other images of the batch."""
    alone = dataclasses.replace(whole.head, intra=0.0, inter=0.0, triplet=0.0, centre_pull=0.0)
    head = heads.build(alone, whole.model.dimension, classes)
    rows = checkpoint.read_head(folder, 0, classes)
    state = {name.removeprefix("whole."): tensor for name, tensor in rows.items()}
    try:
        head.load_state_dict({name: state[name] for name in head.state_dict()})
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(f"{folder} does not fit this trainer: {error}; take another checkpoint") from error
    return head.eval().requires_grad_(False)


def likeness(target: Target, attacked: Attacked, pictures: np.ndarray, first: int = 0) -> np.ndarray:
    """(n,) cosines of (n, 112, 112, 3) uint8, as a file holds them, to the targets ``first`` and on."""
    answer = []
    for start in range(0, len(pictures), _PASS):
        part = torch.from_numpy(crops.to_input(pictures[start : start + _PASS])).to(attacked.device)
        at = slice(first + start, first + start + len(part))
        with torch.no_grad():
            answer.append(target.cosines(attacked.network(part), at))
    return torch.cat(answer).cpu().numpy()


def photos(target: Target) -> dict[str, list[np.ndarray]] | None:
    """The real images of the people who are drawn, by the target's names: ``MOST_PHOTOS`` of the run's sets, or the
    crop that a template was made of. None where a template is all there is. Raises ``DataError`` where the run's sets
    are not at hand."""
    if isinstance(target, Open):
        return None if target.faces is None else {name: [target.faces.read(name)] for name in target.names}
    faces = dataset(target)
    labels = np.asarray(faces.labels)
    return {
        name: list(faces.readable(spread(np.flatnonzero(labels == label))))
        for name, label in zip(target.names, target.labels.tolist(), strict=True)
    }


def spread(numbers: np.ndarray) -> np.ndarray:
    """``MOST_PHOTOS`` of them at most, evenly spaced."""
    return numbers[np.linspace(0, len(numbers) - 1, min(len(numbers), MOST_PHOTOS)).astype(int)]


def dataset(target: Closed) -> data.Dataset:
    """What the attacked run was trained on. Raises ``DataError`` where that is not at hand."""
    return trained.read(target.run)[1]
