"""``plant``: label noise of a known share, as a list for ``data.list``, to count what ``clean`` finds of it. Sets stay
as they are."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from arcdoor_train import checkpoint, config, data
from arcdoor_train.data import lists
from arcdoor_train.data.sets import unambiguous
from arcdoor_train.errors import UsageError


def plant(labels: np.ndarray, classes: int, flips: float, strangers: float, seed: int) -> np.ndarray:
    """(n,) labels with noise, of ``classes`` identities. The images of a share ``strangers`` of the identities, who are
    then nobody, go to others at random (theirs are numbers that come no more); of those that stay, a share ``flips`` of
    the images goes to another identity each. The first image of each that stays is left where it is."""
    random = np.random.default_rng(seed)
    gone = random.permutation(classes)[: round(strangers * classes)]
    left = np.setdiff1d(np.arange(classes), gone)
    if len(left) < 2:
        raise UsageError(f"--strangers {strangers} leaves {len(left)} of {classes} identities; two are needed")
    place = np.full(classes, -1)
    place[left] = np.arange(len(left))
    mine = place[labels]
    first = np.unique(labels, return_index=True)[1]
    flipped = (random.random(len(labels)) < flips) & (mine >= 0)
    flipped[first] = False
    found = np.where(flipped, (mine + random.integers(1, len(left), len(labels))) % len(left), mine)
    return left[np.where(mine < 0, random.integers(0, len(left), len(labels)), found)]


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train plant``."""
    parser = subparsers.add_parser("plant", help="a list with label noise of a known share, to try `clean` with")
    parser.add_argument("--config", required=True, type=Path, help="a TOML file with [data]")
    parser.add_argument("--flips", type=float, default=0.3, help="share of the images that go to another identity")
    parser.add_argument("--strangers", type=float, default=0.1, help="share of the identities spread over the others")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="where the list goes, for data.list")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if not (0 <= options.flips < 1 and 0 <= options.strangers < 1):
        raise UsageError("--flips and --strangers are shares: 0 or more, below 1")
    whole = config.load(options.config)
    faces, _ = data.gather(whole.data, whole.run.seed)
    unambiguous(faces)
    labels = plant(faces.labels, len(faces.identities), options.flips, options.strangers, options.seed)
    left, numbers = np.unique(labels, return_inverse=True)
    names = [faces.identities[label] for label in left]
    text = lists.lines(faces.origin, faces.keys, numbers, np.ones(len(faces)), names)
    checkpoint.write_file(options.out, lambda file: file.writelines(text))
    wrong = int((labels != faces.labels).sum())
    print(f"{wrong} of {len(faces)} images have another identity's name: {options.out}, {len(left)} identities")
    return 0
