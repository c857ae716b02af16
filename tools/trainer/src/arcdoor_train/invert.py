"""``invert``: face images out of a model. Pictures are drawn whose embedding is that of a class, or a template; other
networks say how alike they are."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from arcdoor_train import checkpoint
from arcdoor_train.errors import UsageError
from arcdoor_train.inversion import bad_cases, ceiling, figures, groups, labels, reached, run
from arcdoor_train.inversion.comparison import Bench, Known
from arcdoor_train.inversion.finished import Finished
from arcdoor_train.train import configured

#: Letters of a sentence that says by what right, at least.
LEAST = 12


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train invert``."""
    parser = subparsers.add_parser(
        "invert", help="draw pictures from class centres or templates, to see what an embedding gives away"
    )
    parser.add_argument("--config", type=Path, help="a TOML file with a section [invert], such as configs/invert.toml")
    parser.add_argument("--run", dest="folder", metavar="DIR", help="the run's folder, in place of the configuration's")
    parser.add_argument(
        "--i-may", metavar="TEXT", help="by what right: who agreed, or why nobody need; kept in the run's consent.txt"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run, if it has begun")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument(
        "--measure", nargs="+", type=Path, metavar="RUN", help="draw nothing; what finished runs' judges say of them"
    )
    parser.add_argument("--photos", type=int, default=1000, help="that thresholds and distances come from [1000]")
    parser.add_argument(
        "--turned-photos",
        type=Path,
        metavar="CROPS",
        help="with --measure of one steered run: also what a turn costs real photos, a folder a person",
    )
    parser.add_argument("--json", type=Path, help="with --measure: also write the figures here")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if options.turned_photos and len(options.measure or ()) != 1:
        raise UsageError("--turned-photos goes with --measure of one steered run, by whose judges photos are compared")
    if options.measure:
        return _measure(options)
    if not options.config:
        raise UsageError("--config names a TOML file with a section [invert], such as configs/invert.toml")
    may = " ".join((options.i_may or "").split())
    if len(may) < LEAST:
        raise UsageError(
            "a picture drawn from a person's embedding is personal data: say by what right with --i-may, such as "
            '--i-may "Jo Doe agreed in writing on 1 May", or "nobody: the identities are invented"'
        )
    print(f"done: {run.drive(configured(options), may, options.resume, options.quiet)}")
    return 0


def _measure(options: argparse.Namespace) -> int:
    if options.config or options.i_may or options.folder or options.resume:
        raise UsageError("--measure draws nothing: it takes finished runs, --photos, --turned-photos and --json alone")
    # First, since it refuses what is no such run or no such photos: the rest takes minutes.
    photos = ceiling.measure(options.measure[0], options.turned_photos) if options.turned_photos else []
    known: Known = {}
    found, parts, turned, sheets = [], [], [], []
    for folder in options.measure:
        bench = Bench(Finished(folder), options.photos, known)
        columns = labels.gather(bench.run, bench.real.source, bench.images)
        found += figures.measure(bench)
        parts += groups.measure(bench, columns)
        turned += reached.measure(bench.run)
        sheets.append(str(bad_cases.write(bench, columns)))
    print(figures.table(found))
    if parts:
        print(f"\n{groups.table(parts)}")
    if turned:
        print(f"\n{reached.table(turned)}")
    if photos:
        print(f"\n{ceiling.table(photos)}")
    print(f"bad cases: {', '.join(sheets)}", file=sys.stderr)
    if options.json:
        whole = [*figures.plain([*found, *parts]), *reached.plain(turned), *figures.plain(photos)]
        text = json.dumps(whole, indent=1) + "\n"
        checkpoint.write_file(options.json, lambda file: file.write(text.encode()))
    return 0
