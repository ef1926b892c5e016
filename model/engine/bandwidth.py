"""How fast this machine reads memory: the limit of decoding, since every weight a token uses is read once.

A kernel adds up the numbers of one gigabyte, each thread its own part; the best of several passes counts.
Where numba is missing numpy does it.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE = 2**30  # bytes, beyond any cache
PASSES = 7

Adder = Callable[[NDArray[np.float32]], Any]


def read_bandwidth(threads: int, *, size: int = SIZE, passes: int = PASSES) -> float:
    """Bytes per second that `threads` threads read together."""
    add = _adder()
    values = np.ones(size // 4, dtype=np.float32)
    parts = np.array_split(values, threads)
    add(values[:1024])  # compiled before the clock runs
    with ThreadPoolExecutor(threads) as pool:
        return values.nbytes / min(_pass(pool, add, parts) for _ in range(passes))


def _pass(pool: ThreadPoolExecutor, add: Adder, parts: Sequence[NDArray[np.float32]]) -> float:
    began = time.perf_counter()
    total = sum(pool.map(add, parts))
    seconds = time.perf_counter() - began
    assert total > 0
    return seconds


def _adder() -> Adder:
    if find_spec("numba") is None:
        return lambda values: float(values.sum())
    compiled: Adder = import_module("numba").njit(nogil=True, fastmath=True)(_add)
    return compiled


def _add(values: NDArray[np.float32]) -> Any:
    total = np.float32(0)
    for value in values:
        total += value
    return total
