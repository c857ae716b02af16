"""Batches in an order that depends on the seed and the epoch alone: not on workers, not on processes.

The order of epoch e is a permutation drawn from (seed, e); step t takes the next ``batch`` of it (the rest of an
epoch that fills no batch is left out), and process r of W the r-th of W equal parts. An image's augmentation is drawn
from (seed, e, its index).
"""

from collections.abc import Iterator

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


class _Samples(TorchDataset):
    """Reads by (epoch, index); another image of the same identity stands in for one that cannot be read."""

    def __init__(self, source: Dataset, wanted: Data, seed: int) -> None:
        self.source, self.wanted, self.seed = source, wanted, seed
        self._by_label = np.argsort(source.labels, kind="stable")
        self._first = np.searchsorted(source.labels[self._by_label], np.arange(len(source.identities) + 1))

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
        mine = self._by_label[self._first[label] : self._first[label + 1]]
        at = int(np.searchsorted(mine, index))
        for n in range(1, len(mine)):
            yield int(mine[(at + n) % len(mine)])


class _Places:
    """The sampler: lists of (epoch, index) of one process, from a step on to the end of the run."""

    def __init__(self, seed: int, images: int, batch: int, epochs: int, start: int, part: int, parts: int) -> None:
        self.seed, self.images, self.batch, self.epochs = seed, images, batch, epochs
        self.start, self.part, self.parts = start, part, parts

    def __len__(self) -> int:
        return self.epochs * (self.images // self.batch) - self.start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        per_epoch = self.images // self.batch
        share = self.batch // self.parts
        for epoch in range(self.start // per_epoch, self.epochs):
            first = self.start % per_epoch if epoch == self.start // per_epoch else 0
            permutation = order(self.seed, epoch, self.images)
            for step in range(first, per_epoch):
                low = step * self.batch + self.part * share
                yield [(epoch, int(index)) for index in permutation[low : low + share]]


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
    ) -> None:
        if batch > len(source):
            raise DataError(f"optim.batch = {batch} is more than the {len(source)} images there are")
        if source.labels.min() < 0 or source.labels.max() >= len(source.identities):
            raise DataError(
                f"labels reach from {source.labels.min()} to {source.labels.max()}, "
                f"but there are {len(source.identities)} identities"
            )
        self.steps_per_epoch = len(source) // batch
        self._loader = DataLoader(
            _Samples(source, wanted, seed),
            batch_sampler=_Places(seed, len(source), batch, epochs, start, part, parts),
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
