"""``train``: from a configuration to checkpoints and an export.

Everything drawn by chance is drawn from (seed, step or epoch, place), never from a stream that runs on: so a run goes
on from a checkpoint as if it had not stopped.
"""

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any

from arcdoor_train import config
from arcdoor_train.loop import drive
from arcdoor_train.trainer import Trainer


def train(whole: config.Config, resume: bool = False, quiet: bool = False) -> Path:
    """A whole run in this process (one of torchrun's, or the only one); the run's folder. Raises ``TrainError``."""
    return drive(whole, Trainer, resume, quiet)


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train train``."""
    parser = subparsers.add_parser("train", help="train a backbone and a head from a configuration")
    add_arguments(parser, "the TOML file, such as configs/smoke.toml")
    parser.set_defaults(run=_run)


def add_arguments(parser: argparse.ArgumentParser, file: str) -> None:
    """What a command takes that ``drive`` runs; ``file`` says what its configuration is. ``configured`` reads it."""
    parser.add_argument("--config", required=True, type=Path, help=file)
    parser.add_argument("--run", dest="folder", metavar="DIR", help="the run's folder, in place of the configuration's")
    parser.add_argument("--resume", action="store_true", help="go on from the run's newest checkpoint, if it has one")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def configured(options: argparse.Namespace) -> config.Config:
    """The configuration of ``--config``, in the folder of ``--run``."""
    whole = config.load(options.config)
    if options.folder:
        whole = dataclasses.replace(whole, run=dataclasses.replace(whole.run, folder=options.folder))
    return whole


def _run(options: argparse.Namespace) -> int:
    run = train(configured(options), options.resume, options.quiet)
    if os.environ.get("RANK", "0") == "0":
        print(f"done: {run}")
    return 0
