"""The C library's memory allocator, told to keep what is freed: a training step on a CPU frees and asks for the same
large tensors again, and each return to the kernel costs a page fault for every 4 kB."""

import ctypes
import sys

import torch

#: mallopt's names (glibc's malloc.h), and what they are set to: freed memory is not trimmed off the heap, it grows by
#: 64 MB at once, and no block is mapped by itself.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_SETTINGS = ((_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 1 << 26), (_MMAP_MAX, 0))


def keep_freed(device: torch.device) -> bool:
    """Whether the allocator took it: on a CPU, where the C library is glibc. From then on the process stays as large as
    it ever was, so this is for steps that are all alike: the closed form of ``compress``, whose tensors differ, grew
    from 2.4 to 20 GB with it."""
    if device.type != "cpu" or not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(name, value) == 1 for name, value in _SETTINGS)
