"""What is known of those who are drawn, by which figures are told apart: a column of values for each thing known."""

from dataclasses import dataclass

import numpy as np

from arcdoor_train import config, hold_out
from arcdoor_train.errors import DataError
from arcdoor_train.inversion import cover, pose
from arcdoor_train.inversion.finder import Finder
from arcdoor_train.inversion.finished import Finished
from arcdoor_train.inversion.section import UTKFACE
from arcdoor_train.inversion.target import Target

COVERED = "covered"
#: Degrees at which one band of yaw ends and the next begins.
YAWS = (10, 25)


@dataclass(frozen=True)
class Column:
    """One thing known of each picture's person or photo; "" where it is not."""

    name: str
    values: list[str]
    #: The values in the order in which they are told.
    order: list[str]


def gather(run: Finished, source: np.ndarray, images: list[np.ndarray]) -> list[Column]:
    """All that is known. ``source``: of each picture the photo among ``images`` that its template was made of, -1
    where there is none. Raises ``DataError``."""
    wanted, target, found = run.section.target, run.target, []
    if wanted.labels == UTKFACE:
        found = _by_names(target.names)
    elif wanted.labels:
        found = _by_table(wanted.labels, target.names)
    if wanted.pose_by and (source >= 0).all():
        found.append(_by_pose(Finder(config.expand(wanted.pose_by), run.threads), source, images))
    kinds = covered(target)
    return found + ([Column(COVERED, kinds, [kind for kind in cover.KINDS if kind in kinds])] if kinds else [])


def covered(target: Target) -> list[str]:
    """What lay over the crop of each template; nothing where nothing lay over any."""
    kinds = getattr(target, "covered", [])
    return [] if set(kinds) <= {cover.NOTHING} else kinds


def _by_names(names: list[str]) -> list[Column]:
    """Of UTKFace's, by its own codes."""
    ends = [f"{first + 1} to {last}" for first, last in zip(hold_out.BANDS, hold_out.BANDS[1:], strict=False)]
    ages = [f"to {hold_out.BANDS[0]}", *ends, f"{hold_out.BANDS[-1] + 1} and older"]
    groups = [hold_out.group(name) for name in names]
    found = [Column("age", [ages[age] for age, _, _ in groups], ages)]
    for place, column in ((1, "gender code"), (2, "race code")):
        values = [str(group[place]) for group in groups]
        found.append(Column(column, values, sorted(set(values))))
    return found


def _by_table(given: str, names: list[str]) -> list[Column]:
    """Of a target the row of its own name, or else that of its folder."""
    path = config.expand(given)
    try:
        lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    if len(lines) < 2 or len(lines[0]) < 2 or any(len(line) != len(lines[0]) for line in lines):
        raise DataError(
            f"{path} is no table with tabs: a line of titles, then one for each name, all of as many fields"
        )
    rows = {line[0]: line[1:] for line in lines[1:]}
    if len(rows) < len(lines) - 1:
        raise DataError(f"{path} has two lines of one name")
    nothing = [""] * (len(lines[0]) - 1)
    each = [rows.get(name) or rows.get(name.rpartition("/")[0]) or nothing for name in names]
    if all(row is nothing for row in each):
        raise DataError(f"{path} has no line of any target, such as {names[0]}")
    columns = zip(*each, strict=True)
    return [
        Column(title, list(values), sorted(set(values) - {""}))
        for title, values in zip(lines[0][1:], columns, strict=True)
    ]


def _by_pose(finder: Finder, source: np.ndarray, images: list[np.ndarray]) -> Column:
    """The photos' yaw, either way, as the device measures it."""
    order = [f"below {YAWS[0]}", f"{YAWS[0]} to {YAWS[1]}", f"above {YAWS[1]}", "no face found"]
    own, place = np.unique(source, return_inverse=True)
    yaw = np.abs(pose.measured(finder(np.stack([images[number] for number in own])).marks)[:, 0])
    bands = np.where(np.isnan(yaw), len(YAWS) + 1, np.digitize(yaw, YAWS))
    return Column("photo's yaw", [order[band] for band in bands[place]], order)
