"""Which pages of a mapped tensor are in memory, and asking the kernel for those that are not.

Every page is looked at, not a sample: mincore takes some 3 µs for a tensor of 6 MB that was used before. Where
the system has no mincore, or does not tell (files of another user), everything counts as in memory.
"""

import ctypes
import mmap
from collections.abc import Callable

import numpy as np
from torch import Tensor

_PAGE = mmap.PAGESIZE
_WILL_NEED = getattr(mmap, "MADV_WILLNEED", 3)
_Call = Callable[..., int]


def bring_in(tensor: Tensor) -> int:
    """Have the kernel start to read what is missing of a mapped tensor; returns the bytes of those pages."""
    if _CALLS is None:
        return 0
    mincore, madvise = _CALLS
    start = tensor.data_ptr() // _PAGE * _PAGE
    length = tensor.data_ptr() + tensor.nbytes - start
    pages = -(-length // _PAGE)
    seen = np.empty(pages, np.uint8)
    if mincore(start, length, seen.ctypes.data) != 0:
        return 0
    missing = pages - int(np.count_nonzero(seen & 1))
    if missing:
        madvise(start, length, _WILL_NEED)
    return missing * _PAGE


def _calls() -> tuple[_Call, _Call] | None:
    """mincore and madvise of the C library; None on systems without them."""
    try:
        library = ctypes.CDLL(None)
        mincore, madvise = library.mincore, library.madvise
    except (OSError, TypeError, AttributeError):
        return None
    mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return mincore, madvise


_CALLS = _calls()
