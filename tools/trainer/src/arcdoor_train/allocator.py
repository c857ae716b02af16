"""The C library's memory allocator, told to keep what is freed: a training step on a CPU frees and asks for the same
large tensors again, and each return to the kernel costs a page fault for every 4 kB."""

import ctypes
import sys

#: mallopt's names (glibc's malloc.h), and what they are set to: freed memory is not trimmed off the heap, it grows by
#: 64 MB at once, and no block is mapped by itself.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_SETTINGS = ((_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 1 << 26), (_MMAP_MAX, 0))


def keep_freed() -> bool:
    """Whether the allocator took it; one that is not glibc's has no such switch. The process stays as large as it ever
    was."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(name, value) == 1 for name, value in _SETTINGS)
