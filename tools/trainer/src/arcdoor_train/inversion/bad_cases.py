"""The pictures of a run that its judges find least alike to their people, on a sheet."""

from dataclasses import replace
from pathlib import Path

from arcdoor_train.inversion import sheet
from arcdoor_train.inversion.comparison import Bench
from arcdoor_train.inversion.labels import Column

FILE = "bad-cases.png"


def write(bench: Bench, columns: list[Column]) -> Path:
    """``FILE`` in the run's folder: the worst, and for scale the best, each with its cosines to the photo that its
    template was made of (or to the class's photos), its file's name and what is known of it. Raises ``DiskError``."""
    run, steps = bench.run, bench.run.looks[-1]
    found = {judge.name: bench.comparison(judge, steps).each() for judge in run.judges}
    drawn = [
        replace(one, judges={name: float(each[number]) for name, each in found.items()})
        for number, one in enumerate(run.drawn)
    ]
    notes = [[one.file, ", ".join(column.values[number] for column in columns)] for number, one in enumerate(drawn)]
    path = run.path / FILE
    sheet.bad_cases(path, list(run.pictures(steps)), drawn, notes)
    return path
