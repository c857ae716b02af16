"""Batches in an order that depends on the seed and the epoch alone: not on workers, not on processes.

The order of epoch e is a permutation drawn from (seed, e); step t takes the next ``batch`` of it (the rest of an
epoch that fills no batch is left out), and process r of W the r-th of W equal parts. An image's augmentation is drawn
from (seed, e, its index).

With ``data.per_identity`` (P x K) micro-batch m of epoch e is drawn from (seed, e, m) instead: P identities, and of
each K of its images; one with fewer gives some of them twice.
"""

import functools
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from arcdoor_train.config import Data
from arcdoor_train.data.augment import augment
from arcdoor_train.data.sets import Dataset
from arcdoor_train.errors import DataError


def order(seed: int, epoch: int, images: int) -> np.ndarray:
    """The permutation of an epoch."""
    return np.random.default_rng([seed, epoch]).permutation(images)


class ByIdentity:
    """The images of each identity."""

    def __init__(self, source: Dataset) -> None:
        self._sorted = np.argsort(source.labels, kind="stable")
        self._first = np.searchsorted(source.labels[self._sorted], np.arange(len(source.identities) + 1))

    def __len__(self) -> int:
        return len(self._first) - 1

    def __getitem__(self, label: int) -> np.ndarray:
        return self._sorted[self._first[label] : self._first[label + 1]]

    def alone(self) -> int:
        """How many identities have one image."""
        return int((np.diff(self._first) == 1).sum())

    def draw(self, random: np.random.Generator, people: int, each: int) -> np.ndarray:
        """(people * each,) images of so many identities."""
        found = []
        for label in random.choice(len(self), people, replace=False):
            mine = random.permutation(self[label])
            found.append(np.resize(mine, each))  # repeats them where they are fewer
        return np.concatenate(found)


class _Samples(TorchDataset):
    """Reads by (epoch, index); another image of the same identity stands in for one that cannot be read."""

    def __init__(self, source: Dataset, wanted: Data, seed: int, people: ByIdentity) -> None:
        self.source, self.wanted, self.seed, self._people = source, wanted, seed, people

    def __getitem__(self, place: tuple[int, int]) -> tuple[np.ndarray, int, list[tuple[str, str]]]:
        epoch, index = place
        skipped: list[tuple[str, str]] = []
        for candidate in self._candidates(index):
            try:
                image = self.source.read(candidate)
            except DataError as error:
                skipped.append((self.source.keys[candidate], str(error)))
                continue
            random = np.random.default_rng([self.seed, epoch, index])
            image = augment(image, self.wanted.augment, random)
            return np.ascontiguousarray(image), int(self.source.labels[candidate]), skipped
        raise DataError(
            f"no image of the identity {self.source.identities[self.source.labels[index]]} can be read, the last: "
            f"{skipped[-1][1]}; remove the identity or restore its images"
        )

    def _candidates(self, index: int) -> Iterator[int]:
        yield index
        label = self.source.labels[index]
        mine = self._people[label]
        at = int(np.searchsorted(mine, index))
        for n in range(1, len(mine)):
            yield int(mine[(at + n) % len(mine)])


class _Places:
    """The sampler: lists of (epoch, index) of one process, from a step on to the end of the run."""

    def __init__(self, draw: Callable[[int, int], np.ndarray], per_epoch: int, epochs: int, start: int) -> None:
        """``draw(epoch, step)`` gives the indices of a step."""
        self.draw, self.per_epoch, self.epochs, self.start = draw, per_epoch, epochs, start

    def __len__(self) -> int:
        return self.epochs * self.per_epoch - self.start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for at in range(self.start, self.epochs * self.per_epoch):
            epoch, step = divmod(at, self.per_epoch)
            yield [(epoch, int(index)) for index in self.draw(epoch, step)]


def _at_random(seed: int, images: int, batch: int, part: int, parts: int) -> Callable[[int, int], np.ndarray]:
    """A process's share of each step of an epoch's permutation."""
    share = batch // parts
    permutation = functools.lru_cache(1)(lambda epoch: order(seed, epoch, images))

    def draw(epoch: int, step: int) -> np.ndarray:
        low = step * batch + part * share
        return permutation(epoch)[low : low + share]

    return draw


def _by_identity(
    seed: int, people: ByIdentity, each: int, micro: int, batch: int, part: int, parts: int
) -> Callable[[int, int], np.ndarray]:
    """A process's share of each step, P x K in each micro-batch."""
    count = batch // parts // micro

    def draw(epoch: int, step: int) -> np.ndarray:
        first = step * (batch // micro) + part * count
        randoms = (np.random.default_rng([seed, epoch, number]) for number in range(first, first + count))
        return np.concatenate([people.draw(random, micro // each, each) for random in randoms])

    return draw


def _collate(samples: list) -> tuple[torch.Tensor, torch.Tensor, list[tuple[str, str]]]:
    images = torch.from_numpy(np.stack([sample[0] for sample in samples]))
    labels = torch.tensor([sample[1] for sample in samples])
    return images, labels, [skip for sample in samples for skip in sample[2]]


class Batches:
    """Iterates (images (n, 112, 112, 3) uint8, labels (n,) int64, skipped images) for process ``part`` of ``parts``."""

    def __init__(
        self,
        source: Dataset,
        wanted: Data,
        seed: int,
        batch: int,
        epochs: int,
        *,
        start: int = 0,
        part: int = 0,
        parts: int = 1,
        micro: int = 0,
    ) -> None:
        """``micro``: the images of a micro-batch, for ``data.per_identity``; 0 makes it the process's share."""
        if batch > len(source):
            raise DataError(f"optim.batch = {batch} is more than the {len(source)} images there are")
        if source.labels.min() < 0 or source.labels.max() >= len(source.identities):
            raise DataError(
                f"labels reach from {source.labels.min()} to {source.labels.max()}, "
                f"but there are {len(source.identities)} identities"
            )
        self.steps_per_epoch = len(source) // batch
        people, each = ByIdentity(source), wanted.per_identity
        if each:
            micro = micro or batch // parts
            _check_identities(people, each, micro)
            draw = _by_identity(seed, people, each, micro, batch, part, parts)
        else:
            draw = _at_random(seed, len(source), batch, part, parts)
        self._loader = DataLoader(
            _Samples(source, wanted, seed, people),
            batch_sampler=_Places(draw, self.steps_per_epoch, epochs, start),
            num_workers=wanted.workers,
            collate_fn=_collate,
            timeout=wanted.timeout_s if wanted.workers else 0,
            pin_memory=torch.cuda.is_available(),
            multiprocessing_context="fork" if wanted.workers else None,
            worker_init_fn=_quiet_worker,
        )

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, list[tuple[str, str]]]]:
        try:
            yield from self._loader
        except RuntimeError as error:
            raise explain(error) or error from error


def _check_identities(people: ByIdentity, each: int, micro: int) -> None:
    if people.alone():
        raise DataError(
            f"data.per_identity = {each}, but {people.alone()} of {len(people)} identities have one image, which makes "
            "no pair: data.min_images = 2 leaves them out"
        )
    if micro // each > len(people):
        raise DataError(
            f"data.per_identity = {each} wants {micro // each} identities in a micro-batch of {micro}, but there are "
            f"{len(people)}: a smaller optim.micro_batch, or more images of each"
        )


def explain(error: RuntimeError) -> DataError | None:
    """What torch's error about its workers means; it may rise anywhere in the training process. None for others."""
    text = str(error)
    if "DataLoader timed out" in text:
        return DataError("no batch came within data.timeout_s: a stuck disk? The last checkpoint is whole")
    if "DataLoader worker" in text:
        return DataError(
            f"a data worker died ({text.splitlines()[0].strip()}): out of memory? Fewer data.workers need less; "
            "the last checkpoint is whole"
        )
    return None


def _quiet_worker(_worker: int) -> None:
    torch.set_num_threads(1)
