"""``arcdoor-train``: one subcommand a module; each module adds its own parser and names its function."""

import argparse
import importlib
import os
import sys

from arcdoor_train.errors import TrainError

#: Modules with ``add_parser(subparsers)``, in the order of the help text; ``evaluate`` is ``eval`` there.
COMMANDS = ("train", "distil", "compress", "qat", "export", "quantise", "verify", "evaluate", "clean", "ablate")
COMMANDS += (
    "plant",
    "merge",
    "plot",
    "burst",
    "hold_out",
    "shift",
    "bench",
    "rec_bench",
    "merge_bench",
    "noise_study",
    "invert",
    "leak",
)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    main_parser = argparse.ArgumentParser(prog="arcdoor-train", description=__doc__.split(":")[0])
    main_parser.description = "Trains, distils, compresses, quantises and exports arcdoor's face embedders."
    subparsers = main_parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(f"arcdoor_train.{name}").add_parser(subparsers)
    return main_parser


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. Exit codes: 0 done, 2 wrong usage, 3 bad input, 5 device or file trouble."""
    options = parser().parse_args(arguments)
    try:
        code = options.run(options)
    except TrainError as error:
        print(f"error: {error}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        print("stopped; the last checkpoint is whole: resume with --resume", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
