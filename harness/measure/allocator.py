"""Keep large freed blocks in the process, so that activations don't page-fault anew every frame.

glibc maps each large block from the kernel and gives it back when it is freed; the next frame's
activations then fault page by page, and the kernel zeroes every page. With the thresholds raised,
freed blocks stay on the heap. Peak memory is about the same; what was freed is kept.
"""

from __future__ import annotations

import ctypes
import platform
import sys

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_MMAP_THRESHOLD = 32 * 2**20
"""The largest that glibc takes on 64-bit machines."""
_TRIM_THRESHOLD = 2**30


def keep_large_blocks() -> bool:
    """Raise glibc's mmap and trim thresholds for this process; False where there is no glibc.

    Call it before the first network runs. Elsewhere nothing happens.
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    mapped = mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD)
    return bool(mapped and mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD))
