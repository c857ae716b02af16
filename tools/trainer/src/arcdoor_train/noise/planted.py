"""Features of real faces with label noise of four kinds, whose truth is known."""

from dataclasses import dataclass

import numpy as np

from arcdoor_train import plant

#: Of all noise: images of somebody else's, of people who are nobody here, of no face, and copies under another name.
SHARES = {"swapped": 0.4, "strangers": 0.2, "junk": 0.2, "duplicates": 0.2}


@dataclass(frozen=True)
class Planted:
    """A set with noise."""

    #: (n,) rows of the features of faces and junk, one after the other.
    rows: np.ndarray
    #: (n,) labels as they are given; without gaps.
    labels: np.ndarray
    #: (n,) whether the label is wrong.
    noisy: np.ndarray
    #: The identity that each label is, in the set without noise.
    people: np.ndarray

    def only(self, keep: np.ndarray) -> "Planted":
        """The images of ``keep`` (n,), identities without any left out."""
        left, labels = np.unique(self.labels[keep], return_inverse=True)
        return Planted(self.rows[keep], labels, self.noisy[keep], self.people[left])


def planted(labels: np.ndarray, junk: int, share: float, seed: int) -> Planted:
    """``share`` of the images are noise, as ``SHARES`` divides it; ``labels`` (n,) of 0, 1, ... without gaps are the
    truth, and ``junk`` images without a face stand behind them."""
    random = np.random.default_rng([seed, 1])
    classes, count = int(labels.max()) + 1, len(labels)
    # Junk and duplicates are added, so that the whole is larger than what there was.
    whole = count / (1 - share * (SHARES["junk"] + SHARES["duplicates"]))
    strangers = share * SHARES["strangers"] * whole / count
    flips = share * SHARES["swapped"] * whole / (count * (1 - strangers))
    given = plant.plant(labels, classes, flips, strangers, seed)
    left = np.unique(given)
    added = {kind: round(share * SHARES[kind] * whole) for kind in ("junk", "duplicates")}
    copied = random.choice(np.flatnonzero(given == labels), added["duplicates"])
    other = (np.searchsorted(left, given[copied]) + random.integers(1, len(left), len(copied))) % len(left)
    rows = [np.arange(count), count + random.integers(0, junk, added["junk"]) if added["junk"] else [], copied]
    every = [given, left[random.integers(0, len(left), added["junk"])], left[other]]
    noisy = np.concatenate([given != labels, np.ones(len(every[1]) + len(every[2]), bool)])
    _, numbers = np.unique(np.concatenate(every), return_inverse=True)
    return Planted(np.concatenate(rows).astype(int), numbers, noisy, left)
