"""The limits of LFR's light track that a training can keep: ``light_track.toml``, which ``arcdoor-lab gate`` reads too.

What a network is made of (its dimension, its training data, how its weights are stored) is the gate's to judge."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("light_track.toml")


@dataclass(frozen=True)
class Limits:
    """For one image, and one file."""

    #: At most, by the organisers' counting (``macs.Cost.flops``).
    flops: int
    #: A file stays below.
    below_bytes: int


def read(file: Path = FILE) -> Limits:
    """The limits of the file."""
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    return Limits(table["flops"]["at_most"], table["file"]["below_bytes"])


LIMITS = read()
