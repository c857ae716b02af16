"""``leak``: what a pack and a gallery give away to a thief, measured; a report with a figure for each kind of thief."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from arcdoor_train import config
from arcdoor_train.errors import UsageError
from arcdoor_train.invert import LEAST
from arcdoor_train.leakage import pack, run


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train leak``."""
    parser = subparsers.add_parser("leak", help="measure what a pack and a gallery give away to a thief")
    parser.add_argument("pack", type=Path, metavar="PACK", help="a pack's folder, such as ../../models/packs/doornet")
    parser.add_argument(
        "--config", required=True, type=Path, help="a TOML file with a section [leak], such as configs/leak.toml"
    )
    parser.add_argument("--out", metavar="DIR", help="the report's folder, in place of the configuration's run.folder")
    parser.add_argument(
        "--i-may", metavar="TEXT", help="by what right the photos are used so; kept in the folder's consent.txt"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[], help=f"of {', '.join(run.SECTIONS)}")
    parser.add_argument("--resume", action="store_true", help="go on with the report, if it has begun")
    parser.add_argument("--keep-pictures", action="store_true", help="keep what is drawn, marked; else none stays")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    unknown = [name for name in options.only if name not in run.SECTIONS]
    if unknown:
        raise UsageError(f"--only {' '.join(unknown)}: the sections are {', '.join(run.SECTIONS)}")
    may = " ".join((options.i_may or "").split())
    if len(may) < LEAST:
        raise UsageError(
            "templates are made of people's photos, and pictures are drawn from them: say by what right with --i-may, "
            'such as --i-may "Jo Doe agreed in writing on 1 May", or "a research set, for figures alone"'
        )
    whole = config.load(options.config)
    if options.out:
        whole = dataclasses.replace(whole, run=dataclasses.replace(whole.run, folder=options.out))
    own = pack.read(options.pack)
    path = run.drive(
        own, whole, may, tuple(options.only), resume=options.resume, quiet=options.quiet, keep=options.keep_pictures
    )
    print(f"done: {path / 'report.md'}")
    return 0
