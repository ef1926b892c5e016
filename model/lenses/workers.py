"""Threads that each do a part of one piece of work, with products on one thread each.

Parts that never wait for one another keep their speed beside other programs; products spread over all processors
meet at a barrier each time, and cost up to ten times as much as soon as one processor is busy otherwise.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

ALL = torch.get_num_threads()

_here = threading.local()
_pools: dict[int, ThreadPoolExecutor] = {}


def together(parts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Do all parts at the same time and wait for them. Raises what a part raised."""
    pool = _pools.get(ALL)
    if pool is None:
        pool = _pools[ALL] = ThreadPoolExecutor(ALL, "lens", initializer=lambda: torch.set_num_threads(1))
    futures = [pool.submit(part) for part in parts]
    return [future.result() for future in futures]


class Room:
    """Arrays that are used again and again, since fresh memory often costs more than what is done with it."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Any, ...], Tensor] = {}

    def array(self, name: str, shape: tuple[int, ...], *, dtype: torch.dtype, device: torch.device) -> Tensor:
        """An array whose content lasts until the name is used again; another width replaces it."""
        key = (name, shape[1:], dtype, device)
        have = self._kept.get(key)
        if have is None or have.shape[0] < shape[0]:
            for other in [other for other in self._kept if other[0] == name]:
                del self._kept[other]
            have = self._kept[key] = torch.empty(shape, dtype=dtype, device=device)
        return have[: shape[0]]


def scratch(name: str, shape: tuple[int, ...], *, dtype: torch.dtype, device: torch.device) -> Tensor:
    """An array of the calling thread's own, for use within one piece of work: the next piece may be another's."""
    room: Room = _here.__dict__.setdefault("room", Room())
    return room.array(name, shape, dtype=dtype, device=device)


def shares(count: int) -> list[tuple[int, int]]:
    """Ranges that cut `count` things, in order, into one share for each thread, about equal."""
    ends = [-(-count * worker // ALL) for worker in range(ALL + 1)]
    return [(start, end) for start, end in pairwise(ends) if end > start]
