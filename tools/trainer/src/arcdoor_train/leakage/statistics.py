"""Means and deviations of a network's maps: those that a BatchNorm of the file remembers, or, where it is folded, those
that anybody can estimate anew from crops that are at hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from arcdoor_train.leakage.victim import Victim

#: Under a square root.
_LEAST = 1e-8

Maps = list[torch.Tensor]


class _Ear(TorchFunctionMode):
    """Keeps what every convolution gives, or what every BatchNorm takes, with what that remembers."""

    def __init__(self, norms: bool) -> None:
        super().__init__()
        self.norms, self.maps, self.remembered = norms, [], []

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if not self.norms and func in (functional.conv2d, torch.conv2d):
            self.maps.append(found)
        if self.norms and func is functional.batch_norm and args[0].dim() == 4:
            self.maps.append(args[0])
            self.remembered.append((args[1], args[2]))
        return found


@contextmanager
def heard(norms: bool) -> Iterator[_Ear]:
    """Listens to what is computed inside."""
    with _Ear(norms) as ear:
        yield ear


@dataclass(frozen=True)
class Statistics:
    """By map: (channels,) means and deviations."""

    means: tuple[torch.Tensor, ...]
    deviations: tuple[torch.Tensor, ...]
    #: Whether they came with the weights.
    shipped: bool

    def distance(self, maps: Maps) -> torch.Tensor:
        """Of a batch's own: squares of differences in deviations, the mean over channels, the sum over maps."""
        return sum(self._one(n, one, (0, 2, 3)) for n, one in enumerate(maps))

    def each(self, maps: Maps) -> torch.Tensor:
        """(n,) the same of each picture's own."""
        return sum(self._one(n, one, (2, 3)) for n, one in enumerate(maps))

    def _one(self, number: int, one: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
        wanted = self.deviations[number]
        variance, mean = torch.var_mean(one, axes, correction=0)
        apart = ((mean - self.means[number]) / wanted).square()
        apart = apart + (((variance + _LEAST).sqrt() - wanted) / wanted).square()
        return apart.mean(-1)


def estimated(victim: Victim, images: np.ndarray) -> Statistics:
    """From public crops."""
    sums, squares, count = [], [], 0
    with torch.no_grad():
        for part in victim.inputs(images):
            with heard(norms=False) as ear:
                victim.answers(part)
            sums.append([one.double().mean((2, 3)).sum(0) for one in ear.maps])
            squares.append([one.double().square().mean((2, 3)).sum(0) for one in ear.maps])
            count += len(part)
    means = [torch.stack(column).sum(0) / count for column in zip(*sums, strict=True)]
    second = [torch.stack(column).sum(0) / count for column in zip(*squares, strict=True)]
    deviations = [(b - a.square()).clamp_min(_LEAST).sqrt() for a, b in zip(means, second, strict=True)]
    return Statistics(tuple(one.float() for one in means), tuple(one.float() for one in deviations), False)


def shipped(victim: Victim) -> Statistics | None:
    """Those of the file's own BatchNorms; None where they are folded."""
    if not victim.norms:
        return None
    with torch.no_grad(), heard(norms=True) as ear:
        victim.answers(torch.zeros(1, 3, 112, 112, device=victim.device))
    means, variances = zip(*ear.remembered, strict=True)
    return Statistics(tuple(means), tuple((one + _LEAST).sqrt() for one in variances), True)


def distances(victim: Victim, known: Statistics, images: np.ndarray) -> np.ndarray:
    """(n,) of each crop."""
    found = []
    with torch.no_grad():
        for part in victim.inputs(images):
            with heard(known.shipped) as ear:
                victim.answers(part)
            found.append(known.each(ear.maps).cpu().numpy())
    return np.concatenate(found)
