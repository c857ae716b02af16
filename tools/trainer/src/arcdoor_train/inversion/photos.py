"""The real photos that drawn pictures are measured against."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from arcdoor_train import crops
from arcdoor_train.errors import DataError
from arcdoor_train.inversion.target import Closed, Open, Target, dataset, spread


@dataclass(frozen=True)
class Photos:
    """Photos of the people who are drawn, and of others."""

    #: (112, 112, 3) uint8 of a photo's name. Raises ``DataError``.
    read: Callable[[str], np.ndarray]
    names: list[str]
    #: (photos,) whose each is.
    people: np.ndarray
    #: (pictures,) of whom each picture is drawn, among the same people.
    drawn: np.ndarray
    #: (pictures,) the photo that the picture's template was made of; -1 where there is no such one.
    source: np.ndarray


def gather(target: Target, most: int, alone: bool = False) -> Photos:
    """Up to 16 photos of everybody who is drawn, and evenly spaced ones of others, ``most`` in all unless those drawn
    have more. Crops are of one person where they lie in one folder; ``alone``: of none other. Raises ``DataError``
    where there are none."""
    if isinstance(target, Closed):
        return _of_run(target, most)
    if target.faces is None:
        raise DataError("templates alone show nobody: what is drawn of them can be compared with no photo")
    return _of_crops(target, most, alone)


def _of_run(target: Closed, most: int) -> Photos:
    faces = dataset(target)
    labels, drawn = np.asarray(faces.labels), target.labels.numpy()
    chosen = _chosen(labels, drawn, most)
    place = {str(number): int(number) for number in chosen}
    return Photos(lambda name: faces.read(place[name]), list(place), labels[chosen], drawn, np.full(len(drawn), -1))


def _of_crops(target: Open, most: int, alone: bool) -> Photos:
    every = target.faces.names
    people = np.arange(len(every)) if alone else crops.owners(every)
    place = {name: number for number, name in enumerate(every)}
    own = np.array([place[name] for name in target.names])
    chosen = np.union1d(_chosen(people, people[own], most), own)
    return Photos(
        target.faces.read, [every[n] for n in chosen], people[chosen], people[own], np.searchsorted(chosen, own)
    )


def _chosen(people: np.ndarray, drawn: np.ndarray, most: int) -> np.ndarray:
    own = np.concatenate([spread(np.flatnonzero(people == one)) for one in np.unique(drawn)])
    others = np.flatnonzero(~np.isin(people, drawn))
    left = min(max(most - len(own), 0), len(others))
    return np.sort(np.concatenate([own, others[np.linspace(0, len(others) - 1, left).astype(int)]])).astype(int)
