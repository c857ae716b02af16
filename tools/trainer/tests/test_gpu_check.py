"""gpu_check.sh runs to its end at a tiny length, and says where there is no GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[1] / "gpu_check.sh"


def check(**given):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHON": sys.executable, "SECONDS_LEFT": "400", **given}
    return subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, check=False)


def test_it_runs_to_its_end():
    done = check(
        TINY="1", PARTS="joined rounded speeds million inverted leaked", PACK="none"
    )  # compiling takes a minute
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("|")][2:]
    assert [row[2].strip() for row in rows] == ["yes", "yes", "yes", "-", "-", "yes", "yes"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so():
    done = check(TINY="")
    assert done.returncode == 1
    assert "finds no GPU here" in done.stderr
