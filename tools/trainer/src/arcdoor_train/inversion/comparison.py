"""One judge's cosines of pictures to photos: their means, and how often they match; of all pictures or of some."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from arcdoor_train import scores
from arcdoor_train.errors import DataError
from arcdoor_train.inversion import cover, intervals, photos
from arcdoor_train.inversion.finished import Finished
from arcdoor_train.inversion.intervals import Interval
from arcdoor_train.inversion.judges import Judge
from arcdoor_train.inversion.section import UTKFACE

FMRS = (1e-3, 1e-4)
#: A judge's features by its hash and that of the images: several runs are measured against the same photos.
Known = dict[tuple[str, str], np.ndarray]


@dataclass(frozen=True)
class Rate:
    """How often pictures match at the threshold of one FMR among photos."""

    fmr: float
    threshold: float
    #: With the photo that the template was made of, and with other photos of the person: the wider of a bootstrap's
    #: interval and Wilson's.
    source: Interval | None
    own: Interval | None
    #: With photos of others.
    strangers: float
    #: Photos of one person with each other: as often as a picture could match at best. None where nobody has two.
    photos: float | None


@dataclass(frozen=True)
class Point:
    """The threshold of one FMR, and how often photos of one person match there."""

    fmr: float
    threshold: float
    photos: float | None


class Comparison:
    """Cosines (pictures, photos), whose the pictures and the photos are, and which photo each template is of."""

    def __init__(self, table: np.ndarray, real: photos.Photos, points: list[Point]) -> None:
        self.table, self.points, self.drawn, self._real = table, points, real.drawn, real
        self._same = real.drawn[:, None] == real.people[None]
        first = np.arange(len(real.people))[None] == real.source[:, None]
        self._pairs = {"source": first, "own": self._same & ~first}

    def of(self, chosen: np.ndarray) -> "Comparison":
        """Of the pictures of those numbers alone, at the same thresholds."""
        real = replace(self._real, drawn=self._real.drawn[chosen], source=self._real.source[chosen])
        return Comparison(self.table[chosen], real, self.points)

    def cosine(self, which: str) -> Interval | None:
        """To the photo that the template was made of ("source") or other photos of the person ("own")."""
        each = self._means(which)
        some = np.isfinite(each)
        return mean(each[some], self.drawn[some]) if some.any() else None

    def each(self) -> np.ndarray:
        """(pictures,) cosines to the template's photo; where there is none, means of those to the person's photos."""
        source = self._means("source")
        return np.where(np.isnan(source), self._means("own"), source)

    def _means(self, which: str) -> np.ndarray:
        """(pictures,) NaN where there is no such photo."""
        pairs = self._pairs[which]
        with np.errstate(invalid="ignore"):
            return np.where(pairs, self.table, 0).sum(axis=1) / pairs.sum(axis=1)

    def rates(self) -> tuple[Rate, ...]:
        """At each threshold."""
        found = []
        for point in self.points:
            hits = {which: self._share(which, point) for which in self._pairs}
            strangers = float((self.table[~self._same] >= point.threshold).mean())
            found.append(Rate(point.fmr, point.threshold, **hits, strangers=strangers, photos=point.photos))
        return tuple(found)

    def _share(self, which: str, point: Point) -> Interval | None:
        pairs = self._pairs[which]
        if not pairs.any():
            return None
        owner = np.broadcast_to(self.drawn[:, None], self.table.shape)[pairs]
        hits = self.table[pairs] >= point.threshold
        found = scores.operating(point.fmr, point.threshold, self.table[pairs], owner)
        # Of people who are all met, or none of whom is, the bootstrap has no width.
        _, person = np.unique(owner, return_inverse=True)
        low, high = scores.wilson(np.bincount(person, hits) / np.bincount(person))
        return found.tmr, min(found.low, low), max(found.high, high)


def mean(each: np.ndarray, people: np.ndarray) -> Interval:
    """The mean over people of their own means of ``each`` (n,); of one person the interval is all there is."""
    _, person = np.unique(people, return_inverse=True)
    own = np.bincount(person, each) / np.bincount(person)
    return intervals.mean(own) if len(own) > 1 else (float(own[0]), -1.0, 1.0)


class Bench:
    """A finished run beside photos, for all its judges."""

    def __init__(self, run: Finished, most: int, known: Known) -> None:
        """Up to ``most`` photos; ``known`` keeps what the next run may need. Raises ``DataError`` where the run has no
        judge or no photo."""
        if not run.judges:
            raise DataError(f"{run.path} has no [[invert.judges]]: the attacked network cannot judge itself")
        self.run, self._known = run, known
        self.real = photos.gather(run.target, most, run.section.target.labels == UTKFACE)
        self._points: dict[str, list[Point]] = {}
        self.images = [self.real.read(name) for name in self.real.names]

    def features(self, judge: Judge, images: Iterable[np.ndarray]) -> np.ndarray:
        """(n, d) of unit length."""
        images = np.stack(list(images))
        key = (judge.digest, hashlib.sha256(images.tobytes()).hexdigest())
        if key not in self._known:
            self._known[key] = judge(images).astype(np.float32)
        return self._known[key]

    def comparison(self, judge: Judge, steps: int) -> Comparison:
        """Of the run's pictures after so many steps."""
        rows = self.features(judge, self.images)
        if judge.digest not in self._points:
            best = {row.fmr: row.tmr for row in scores.all_pairs(rows, self.real.people, FMRS)}
            found = scores.thresholds(rows, self.real.people, FMRS)
            self._points[judge.digest] = [Point(*point, best.get(point[0])) for point in found]
        table = self.features(judge, self.run.shown(steps)) @ rows.T
        return Comparison(table, self.real, self._points[judge.digest])

    def covered(self, judge: Judge) -> np.ndarray | None:
        """(pictures, d) of the crops as they were when their templates were made; None where nothing lay over any."""
        aim = self.run.target
        if (self.real.source < 0).any() or set(aim.covered) == {cover.NOTHING}:
            return None
        return self.features(
            judge, [cover.over(aim.faces.read(name), kind) for name, kind in zip(aim.names, aim.covered, strict=True)]
        )
