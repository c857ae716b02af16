"""Figures with their 95 % intervals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from arcdoor_train import scores

ROUNDS = 1000
Z = 1.959964


@dataclass(frozen=True)
class Figure:
    """A value, and where it lies in 95 of 100 such measurements."""

    value: float
    low: float
    high: float
    #: What it is over: people, mostly.
    count: int

    def percent(self) -> str:
        """A share for people."""
        return f"{100 * self.value:.1f} [{100 * self.low:.1f}, {100 * self.high:.1f}]"

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def share(hits: np.ndarray, owners: np.ndarray) -> Figure:
    """Of comparisons (n,) that match, ``owners`` (n,) whose each is: the wider of a bootstrap's interval over people
    and Wilson's of people as single trials, for where all are met, or nobody is, the bootstrap has no width."""
    point = scores.operating(0.0, 0.5, hits.astype(np.float64), owners)
    _, person = np.unique(owners, return_inverse=True)
    low, high = scores.wilson(np.bincount(person, hits) / np.bincount(person))
    return Figure(point.tmr, min(point.low, float(low)), max(point.high, float(high)), len(np.unique(person)))


def mean(values: np.ndarray) -> Figure:
    """Of one value a person; of one person the interval is all there is."""
    return over_people(len(values), lambda rows: float(values[rows].mean()), (-1.0, 1.0))


def over_people(count: int, figure: Callable[[np.ndarray], float], widest: tuple[float, float]) -> Figure:
    """``figure`` of people's numbers, and its bootstrap over them."""
    value = figure(np.arange(count))
    if count < 2:
        return Figure(value, *widest, count)
    rng = np.random.default_rng(1)
    found = [figure(rng.integers(0, count, count)) for _ in range(ROUNDS)]
    low, high = np.quantile(found, [0.025, 0.975])
    return Figure(value, min(float(low), value), max(float(high), value), count)


def area(inside: np.ndarray, outside: np.ndarray) -> Figure:
    """The area under the ROC curve: how often a value of ``inside`` is above one of ``outside``. DeLong's interval
    (Biometrics 44, 1988)."""
    order = np.sort(outside)
    above = (np.searchsorted(order, inside, "left") + np.searchsorted(order, inside, "right")) / (2 * len(outside))
    order = np.sort(inside)
    below = 1 - (np.searchsorted(order, outside, "left") + np.searchsorted(order, outside, "right")) / (2 * len(inside))
    value = float(above.mean())
    error = Z * float(np.sqrt(above.var(ddof=1) / len(inside) + below.var(ddof=1) / len(outside)))
    return Figure(value, max(value - error, 0.0), min(value + error, 1.0), len(inside) + len(outside))
