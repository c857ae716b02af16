"""``hold-out``: crops that no run trains on, drawn evenly over groups of people. Which ones depends on their names
alone: not on their order in the set, nor on a seed."""

import argparse
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from arcdoor_train import checkpoint, data
from arcdoor_train.errors import DataError

#: The oldest of each age band but the last.
BANDS = (17, 29, 44, 59)
#: At most this share of a group is held out: of the rare ones some must be left to train on.
SHARE = 0.5

Group = tuple[int, int, int]


def group(key: str) -> Group:
    """Age band, gender and race by UTKFace's name ``AGE_GENDER_RACE_DATE.jpg``. Raises ``DataError``."""
    fields = _name(key).split("_")
    if len(fields) != 4 or not all(field.isdecimal() for field in fields[:3]):
        raise DataError(f"{key}: its name is not AGE_GENDER_RACE_DATE, as UTKFace's are")
    age, gender, race = (int(field) for field in fields[:3])
    return sum(age > oldest for oldest in BANDS), gender, race


def choose(keys: Iterable[str], wanted: int) -> list[str]:
    """``wanted`` keys, as many of each group as ``SHARE`` of it allows, those whose names' SHA-256 come first. Sorted.
    Raises ``DataError`` where there are too few, or none is wanted."""
    members: dict[Group, list[str]] = {}
    for key in keys:
        members.setdefault(group(key), []).append(key)
    room = {name: int(SHARE * len(found)) for name, found in members.items()}
    if not 0 < wanted <= sum(room.values()):
        raise DataError(f"{wanted} crops are wanted; the groups allow {sum(room.values())} (half of each)")
    taken = dict.fromkeys(sorted(members), 0)
    left = wanted
    while left:
        for name in taken:
            if left and taken[name] < room[name]:
                taken[name] += 1
                left -= 1
    return sorted(key for name, count in taken.items() for key in sorted(members[name], key=_hash)[:count])


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _hash(key: str) -> str:
    return hashlib.sha256(_name(key).encode()).hexdigest()


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train hold-out``."""
    parser = subparsers.add_parser("hold-out", help="a list of crops for data.held_out, evenly over UTKFace's groups")
    parser.add_argument("set", type=Path, help="UTKFace's crops: a folder or .zip")
    parser.add_argument("--alignment", default=data.ALIGNMENT, help="what the set itself does not say")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--out", type=Path, required=True, help="where the list goes: a name a line")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    faces = data.open(options.set, options.alignment)
    chosen = choose(faces.keys, options.count)
    text = "".join(f"{key}\n" for key in chosen)
    checkpoint.write_file(options.out, lambda file: file.write(text.encode()))
    groups = [group(key) for key in chosen]
    sizes = sorted(groups.count(name) for name in set(groups))
    print(f"{len(chosen)} of {len(faces)} crops in {options.out}: {len(sizes)} groups of {sizes[0]} to {sizes[-1]}")
    return 0
