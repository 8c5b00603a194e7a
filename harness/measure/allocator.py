"""Keep large freed blocks in the process, so that activations don't page-fault anew every frame.

glibc maps each large block from the kernel and gives it back when it is freed; the next frame's
activations then fault page by page, and the kernel zeroes every page. Told to map none and to trim
late, it keeps freed blocks on the heap. Peak memory is about the same; what was freed is kept.
"""

from __future__ import annotations

import ctypes
import platform
import sys

_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_TRIM_THRESHOLD = 2**30


def keep_large_blocks() -> bool:
    """Have glibc take large blocks from the heap in this process; False where there is no glibc.

    Call it before the first network runs. Raising the threshold of mapping would not do: its
    largest value is 32 MiB, and a level of a large frame takes more.
    """
    if not _glibc():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD))


def give_free_memory_back() -> bool:
    """Have glibc give the pages of freed blocks back, so that what is resident is what is in use.

    Without it, a process that has freed much before can grow for long and show nothing of it.
    False where there is no glibc.
    """
    if not _glibc():
        return False
    trim = ctypes.CDLL(None).malloc_trim
    trim.argtypes, trim.restype = (ctypes.c_size_t,), ctypes.c_int
    trim(0)  # its answer says only whether there was something to give
    return True


def _glibc() -> bool:
    return sys.platform == "linux" and platform.libc_ver()[0] == "glibc"
