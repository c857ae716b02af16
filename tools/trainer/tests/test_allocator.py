"""The allocator that keeps what is freed."""

import subprocess
import sys

import pytest

#: Frees and asks for a large tensor again, and prints the page faults that this cost.
STEPS = """
import resource
import torch
from arcdoor_train import allocator
kept = allocator.keep_freed(torch.device("cpu")) if {keep} else True
for _ in range(12):
    torch.empty(16_000_000).fill_(1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    torch.empty(16_000_000).fill_(1)
print(int(kept), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_memory_that_was_freed_is_not_faulted_in_again() -> None:
    def faults(keep: bool) -> tuple[int, int]:
        done = subprocess.run(
            [sys.executable, "-c", STEPS.format(keep=keep)], capture_output=True, text=True, check=True
        )
        kept, count = map(int, done.stdout.split())
        return kept, count

    (_, without), (kept, with_it) = faults(False), faults(True)
    if not kept:
        pytest.skip("this C library is not glibc")
    assert with_it * 10 < without
