"""Memory that Python and torch have freed, given back to the system."""

import ctypes
from collections.abc import Callable


def _trimmer() -> Callable[[int], int] | None:
    """glibc's `malloc_trim`; None where the C library has none."""
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return trim


_trim = _trimmer()


def give_back() -> None:
    """Return whole free pages. A cache that grows leaves its old storages in the heap, where glibc would keep them."""
    if _trim is not None:
        _trim(0)
