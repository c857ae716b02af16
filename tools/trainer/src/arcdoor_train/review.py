"""The review: pairs that may be one person, a line each, in which a person writes what is to be done."""

import csv
import dataclasses
from dataclasses import dataclass
from pathlib import Path

from arcdoor_train import figure
from arcdoor_train.errors import DataError

#: Why a pair is listed: two identities have one id string but are unlike; their centres are alike; a centre is like an
#: evaluation person.
WHY = ("names", "alike", "evaluation")
#: ``join`` makes one identity of two; ``drop`` takes the second away, or the identity like an evaluation person;
#: ``apart`` and nothing leave both.
VERDICTS = ("", "apart", "join", "drop")


@dataclass(frozen=True)
class Row:
    """A line: two identities, or an identity and an evaluation person, and how many images each has."""

    verdict: str
    why: str
    cosine: float
    first: str
    first_images: int
    second: str
    second_images: int

    @property
    def pair(self) -> tuple[str, str, str]:
        """What it is about."""
        return self.why, self.first, self.second


_HEAD = [item.name for item in dataclasses.fields(Row)]


def write(path: Path, rows: list[Row], judged: list[Row]) -> None:
    """``rows`` with the verdicts of ``judged``, and those of ``judged`` that are not among them; the most alike first.
    Raises ``DiskError``."""
    verdicts = {row.pair: row.verdict for row in judged}
    rows = sorted({row.pair: row for row in [*judged, *rows]}.values(), key=lambda row: -row.cosine)
    columns = {name: [getattr(row, name) for row in rows] for name in _HEAD}
    columns["verdict"] = [verdicts.get(row.pair, row.verdict) for row in rows]
    figure.table(path, columns, "\t")


def read(path: Path, identities: list[str]) -> list[Row]:
    """The lines that have a verdict. Raises ``DataError`` for what is no review, names nobody, or says what cannot be
    done."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            lines = csv.reader(file, delimiter="\t")
            if next(lines, None) != _HEAD:
                raise ValueError(f"its first line is not {', '.join(_HEAD)}")
            rows = [Row(v, why, float(c), first, int(n), second, int(m)) for v, why, c, first, n, second, m in lines]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"cannot read {path} as a review of `arcdoor-train merge`: {error}") from error
    known = set(identities)
    for number, row in enumerate(rows, start=2):
        if row.verdict not in VERDICTS or row.why not in WHY or (row.verdict == "join" and row.why == "evaluation"):
            raise DataError(
                f"{path}, line {number}: the verdict {row.verdict!r} on {row.why}: join, drop, apart or none"
            )
        if row.first not in known or (row.why != "evaluation" and row.second not in known):
            raise DataError(f"{path}, line {number}: data.sets have no such identities; it was made of other sets")
    return [row for row in rows if row.verdict]
