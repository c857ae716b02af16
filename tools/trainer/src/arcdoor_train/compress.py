"""``compress``: a teacher's network made smaller. Channels are removed and layers refit in closed form; then it is
tuned to the teacher's own answers. No labels are needed."""

import argparse
from pathlib import Path
from typing import Any

from arcdoor_train import config
from arcdoor_train.compression.tuning import Tuner
from arcdoor_train.errors import ConfigError
from arcdoor_train.loop import drive
from arcdoor_train.train import add_arguments, configured


def run(whole: config.Config, resume: bool = False, quiet: bool = False, tune: bool = True) -> Path:
    """A whole run; its folder. Without ``tune`` the closed form's network is exported as it is. Raises
    ``TrainError``."""
    if "compress" not in whole.foreign:
        raise ConfigError("there is no section [compress]: it names the teacher and what the network may cost")
    return drive(whole, Tuner, resume, quiet, learn=tune)


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train compress``."""
    parser = subparsers.add_parser("compress", help="a teacher's network made smaller, and tuned to its answers")
    add_arguments(parser, "a TOML file with a section [compress]")
    parser.add_argument("--closed-form", action="store_true", help="export the closed form's network, untuned")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    whole = configured(options)
    print(f"done: {run(whole, options.resume, options.quiet, tune=not options.closed_form)}")
    return 0
