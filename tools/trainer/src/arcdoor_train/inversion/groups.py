"""The figures of a run's last pictures by group: by what a table or UTKFace's names say of people, by the pose of their
photos, by what lay over these."""

from dataclasses import dataclass

import numpy as np

from arcdoor_train.inversion.comparison import Bench, Rate, mean
from arcdoor_train.inversion.intervals import Interval, told
from arcdoor_train.inversion.judges import Judge
from arcdoor_train.inversion.labels import COVERED, Column


@dataclass(frozen=True)
class Group:
    """One judge's word on the pictures of one group."""

    run: str
    steps: int
    judge: str
    column: str
    value: str
    pictures: int
    people: int
    #: To the targets, by the attacked network: a group may be drawn less well, or be judged otherwise.
    attacked: Interval
    #: To the photo that the template was made of, and to other photos of the person.
    source: Interval | None
    own: Interval | None
    rates: tuple[Rate, ...]
    #: To the photo as it was covered when its template was made; and the covered photo's own to the uncovered one. None
    #: where nothing was covered.
    hidden: Interval | None
    left: Interval | None


def measure(bench: Bench, columns: list[Column]) -> list[Group]:
    """Of each value of each column."""
    run, found = bench.run, []
    cosines = np.array([one.cosine for one in run.drawn])
    for judge in run.judges if columns else []:
        compared, covered = bench.comparison(judge, run.looks[-1]), bench.covered(judge)
        for column in columns:
            values = np.array(column.values)
            for value in column.order:
                chosen = np.flatnonzero(values == value)
                if not len(chosen):
                    continue
                part, beside = compared.of(chosen), (None, None)
                if covered is not None and column.name == COVERED:
                    beside = _beside(bench, judge, chosen, covered[chosen])
                about = (run.path.name, run.looks[-1], judge.name, column.name, value)
                sizes = (len(chosen), len(np.unique(part.drawn)), mean(cosines[chosen], part.drawn))
                found.append(Group(*about, *sizes, part.cosine("source"), part.cosine("own"), part.rates(), *beside))
    return found


def _beside(bench: Bench, judge: Judge, chosen: np.ndarray, covered: np.ndarray) -> tuple[Interval, Interval]:
    people = bench.real.drawn[chosen]
    pictures = bench.features(judge, bench.run.shown(bench.run.looks[-1]))[chosen]
    photos = bench.features(judge, bench.images)[bench.real.source[chosen]]
    return mean((pictures * covered).sum(axis=1), people), mean((photos * covered).sum(axis=1), people)


def table(found: list[Group]) -> str:
    """For people: a row for each judge, column and value. Groups whose intervals overlap are not told apart."""
    fmrs = [rate.fmr for rate in max((one.rates for one in found), key=len)]
    hidden = any(one.hidden for one in found)
    heads = [
        "run",
        "judge",
        "by",
        "group",
        "pictures",
        "people",
        "attacked",
        "cosine to the template's photo",
        "to other own ones",
    ]
    heads += [text for fmr in fmrs for text in (f"the template's photo at {fmr:.0e} %", "own %", "strangers %")]
    heads += ["to the covered photo", "covered photo to uncovered"] if hidden else []
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for one in found:
        cells = [one.run, one.judge, one.column, one.value, str(one.pictures), str(one.people)]
        cells += [told(one.attacked), told(one.source), told(one.own)]
        for rate in one.rates:
            cells += [told(rate.source, 100, 1), told(rate.own, 100, 1), f"{100 * rate.strangers:.2f}"]
        cells += ["-"] * 3 * (len(fmrs) - len(one.rates))
        cells += [told(one.hidden), told(one.left)] if hidden else []
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
