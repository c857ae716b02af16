"""What a turn costs photos of real people: how much less alike a judge finds two photos of a person where one looks
aside. No turned picture can be asked to do better."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from arcdoor_train import config, crops
from arcdoor_train.errors import DataError
from arcdoor_train.inversion import attacked, finder, intervals, judges, pose, section
from arcdoor_train.inversion.intervals import Interval

#: A photo looks as asked within so many degrees to either side; a pitch may be anything.
NEAR = 5.0


@dataclass(frozen=True)
class Ceiling:
    """One judge's word on photos of people of whom there are two that look ahead, and one turned aside by ``yaw``."""

    judge: str
    #: To either side.
    yaw: float
    people: int
    photos: int
    #: Of two photos that look ahead, and of one such and a turned one: means over people.
    ahead: Interval
    turned: Interval
    share: Interval | None


def measure(run: Path, photos: Path) -> list[Ceiling]:
    """By the judges and the measuring network of a steered run, at the yaws that it asked for: of aligned crops, a
    folder a person. Raises ``DataError``."""
    whole = config.load(run / "config.toml")
    wanted = config.section(whole, "invert", section.Invert)
    if not wanted.steer or not wanted.steer.measured_by:
        raise DataError(
            f"{run} was not steered, or has no steer.measured_by: photos are measured beside faces that are"
        )
    faces, threads = crops.Crops(photos), whole.run.threads or 1
    seer = finder.Finder(config.expand(wanted.steer.measured_by), threads)
    yaws = np.concatenate([np.abs(pose.measured(seer(part).marks)[:, 0]) for part in _parts(faces)])
    asked = judges.gather(wanted.judges, attacked.load(wanted.model, torch.device("cpu")), threads)
    found = []
    for yaw in sorted({abs(yaw) for yaw in wanted.steer.yaw} - {0.0}):
        rows, groups = _chosen(yaws, crops.owners(faces.names), yaw)
        if len(groups) < 2:
            raise DataError(f"{photos} has no two people with two photos that look ahead and one at {yaw:g} degrees")
        images = [faces.read(faces.names[row]) for row in rows]
        found += [_told(judge.name, judge(images), groups, yaw) for judge in asked]
    return found


def _parts(faces: crops.Crops) -> list[np.ndarray]:
    for start in range(0, len(faces), 64):
        yield np.stack([faces.read(name) for name in faces.names[start : start + 64]])


def _chosen(yaws: np.ndarray, people: np.ndarray, yaw: float) -> tuple[np.ndarray, list[tuple[slice, slice]]]:
    """Rows of photos, and for each person which of these look ahead and which aside."""
    rows, groups = [], []
    for person in range(people.max() + 1):
        own = np.flatnonzero(people == person)
        ahead, turned = own[yaws[own] <= NEAR], own[np.abs(yaws[own] - yaw) <= NEAR]
        if len(ahead) > 1 and len(turned):
            first, middle = len(rows), len(rows) + len(ahead)
            groups.append((slice(first, middle), slice(middle, middle + len(turned))))
            rows += [*ahead, *turned]
    return np.array(rows, int), groups


def _told(judge: str, rows: np.ndarray, groups: list[tuple[slice, slice]], yaw: float) -> Ceiling:
    ahead, turned = [], []
    for level, aside in groups:
        table = rows[level] @ rows[level].T
        ahead.append(table[np.triu_indices(len(table), 1)].mean())
        turned.append((rows[level] @ rows[aside].T).mean())
    ahead, turned = np.array(ahead), np.array(turned)
    means = intervals.mean(ahead), intervals.mean(turned), intervals.share(turned, ahead)
    return Ceiling(judge, yaw, len(groups), len(rows), *means)


def table(found: list[Ceiling]) -> str:
    """For people: a row for each yaw and judge."""
    lines = [
        "| real photos, yaw | judge | people | photos | two that look ahead, cosine | one turned | as a share |",
        "|" + "---|" * 7,
    ]
    for one in found:
        cells = [
            f"{one.yaw:g}",
            one.judge,
            one.people,
            one.photos,
            *(intervals.told(of) for of in (one.ahead, one.turned)),
        ]
        lines.append("| " + " | ".join(map(str, [*cells, intervals.told(one.share, 1, 2)])) + " |")
    return "\n".join(lines)
