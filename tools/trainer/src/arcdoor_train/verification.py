"""Verification during training: every so many steps the network is judged on pairs, and the best one is kept in
``RUN/best/model.pt``. What is trained does not depend on it, so that a run goes on with other sets, or without."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from arcdoor_train import bin_file, checkpoint, config, crops, evaluate, journal, scores
from arcdoor_train.errors import DataError
from arcdoor_train.feature_file import unit
from arcdoor_train.trainer import normalise
from arcdoor_train.world import World

#: Images in one forward pass; twice as many with their mirror images.
BATCH = 64
#: The rate at which crops without a list of pairs are judged.
FMR = 1e-3


class JudgedSet:
    """The images of a set, encoded, and what its figure is."""

    def __init__(self, wanted: config.Judged) -> None:
        """Raises ``DataError`` where the set cannot be read; images are met when they are decoded."""
        path = config.expand(wanted.path)
        self.name = wanted.name or path.stem
        self._figure: Callable[[np.ndarray], float]
        if path.suffix == ".bin":
            images, flags = bin_file.read(path)
            same = np.array(flags)
            places = np.arange(2 * len(same)).reshape(-1, 2)
            pairs = (places[:, 0], places[:, 1], same, np.arange(len(same)) * 10 // len(same))
            self.count, self._read = len(images), lambda n: crops.decode(images[n], f"{path}, image {n}")
            self._figure = lambda found: _folds(found, pairs)
            return
        faces = crops.Crops(path)
        names = faces.names
        if wanted.pairs:
            list_of_pairs = config.expand(wanted.pairs)
            first, second, _, _ = evaluate.read_pairs(list_of_pairs, names)
            met = np.unique(np.concatenate([first, second]))
            names = [names[n] for n in met if n >= 0]
            if not names:
                raise DataError(f"verification.sets: {list_of_pairs} names no crop of {path}")
            listed = evaluate.read_pairs(list_of_pairs, names)
            self._figure = lambda found: _folds(found, listed)
        else:
            people = crops.owners(names)
            self._figure = lambda found: _accepted(found, people)
        self.count, self._read = len(names), lambda n: faces.read(names[n])

    def features(self, backbone: nn.Module, world: World, channels_last: bool = False) -> torch.Tensor:
        """(2, n, d): of the images, and of their mirror images. Each process computes its share and has all."""
        table: torch.Tensor | None = None
        mine = range(world.rank, self.count, world.size)
        for start in range(0, len(mine), BATCH):
            numbers = list(mine[start : start + BATCH])
            images = torch.from_numpy(np.stack([self._read(n) for n in numbers]))
            pixels = normalise(images, world.device, channels_last)
            found = backbone(torch.cat([pixels, pixels.flip(3)])).float()
            if table is None:
                table = torch.zeros((2, self.count, found.shape[1]), device=world.device)
            table[:, numbers] = found.view(2, len(numbers), -1)
        if table is None:  # fewer images than processes
            with torch.no_grad():
                size = backbone(torch.zeros((2, 3, crops.SIDE, crops.SIDE), device=world.device)).shape[1]
            table = torch.zeros((2, self.count, size), device=world.device)
        return world.sum(table)

    def figures(self, features: np.ndarray) -> dict[str, float]:
        """By name: as insightface does, with the raw features of an image and its mirror image summed, and as the
        device does, of the image alone."""
        plain, mirrored = features
        name = journal.VERIFIED + self.name
        return {name: self._figure(unit(plain + mirrored)), f"{name}/plain": self._figure(unit(plain))}


def _folds(found: np.ndarray, pairs: evaluate.Pairs) -> float:
    """The mean accuracy over folds; without folds, that at the pairs' own best threshold."""
    cosines, same, groups = evaluate.pair_scores(found, pairs), pairs[2], pairs[3]
    if len(np.unique(groups)) < 2:
        return scores.accuracy(cosines, same, scores.best_threshold(cosines, same))
    return float(scores.folds(cosines, same, groups).mean())


def _accepted(found: np.ndarray, people: np.ndarray) -> float:
    rows = scores.all_pairs(found, people, (FMR,))
    if not rows:
        raise DataError(f"verification.sets: an FMR of {FMR} wants 1,000 impostor pairs and a genuine one; name pairs")
    return rows[0].tmr


class Verifier:
    """Looks at what ``trainer`` trains: a ``Trainer``, or what has its attributes."""

    def __init__(self, trainer: Any, book: journal.Journal | None, per_epoch: int, total: int) -> None:
        """``book`` is the first process's; the steps of an epoch and of the run."""
        self.trainer, self.book, self.per_epoch, self.total = trainer, book, per_epoch, total
        self.every = trainer.config.verification.every or per_epoch
        self.sets = [JudgedSet(wanted) for wanted in trainer.config.verification.sets]
        self.file: Path = trainer.run / "best" / "model.pt"
        self.best = -math.inf
        if trainer.step and book and self.file.is_file():
            self.best = float(checkpoint.load_tensors(self.file).get("figure", -math.inf))

    def due(self) -> bool:
        """Whether to look after the step that was taken."""
        return self.trainer.step % self.every == 0 or self.trainer.step == self.total

    def look(self) -> None:
        """Judges the network as it is; the first process writes a line of metrics, and the network where the mean over
        the sets, mirror images summed, is above all before."""
        trainer = self.trainer
        backbone: nn.Module = trainer.backbone
        training = backbone.training
        backbone.eval()
        with torch.no_grad():
            last = trainer.config.optim.channels_last
            tables = [one.features(backbone, trainer.world, last).cpu().numpy() for one in self.sets]
        backbone.train(training)
        if self.book is None:
            return
        found: dict[str, float] = {}
        for one, table in zip(self.sets, tables, strict=True):
            found |= one.figures(table)
        self.book.add({"step": trainer.step, "epoch": trainer.step / self.per_epoch, **found})
        figure = float(np.mean([found[journal.VERIFIED + one.name] for one in self.sets]))
        if figure > self.best:
            self.best = figure
            self._keep(found)

    def _keep(self, found: dict[str, float]) -> None:
        trainer = self.trainer
        checkpoint.make(self.file.parent)
        checkpoint.save_model(
            self.file, trainer.backbone, trainer.config,
            identities=len(trainer.source.identities), data=trainer.source.fingerprint, step=trainer.step,
            figure=self.best, verification=found,
        )  # fmt: skip
