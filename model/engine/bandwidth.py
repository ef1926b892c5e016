"""How fast this machine reads memory: the limit of decoding, since every weight a token uses is read once.

torch adds up one gigabyte of float32, with the threads that the step runs on; the best of several passes counts.
No way of reading tried here was faster: its sum is plain loads, wide enough to keep the memory busy.
"""

import time

import torch

from model.engine import threads

SIZE = 2**30  # bytes, beyond any cache
PASSES = 9


def read_bandwidth(count: int, *, size: int = SIZE, passes: int = PASSES) -> float:
    """Bytes per second that `count` threads read together."""
    values = torch.ones(size // 4)
    threads.use(count)
    seconds = []
    for _ in range(passes):
        began = time.perf_counter()
        values.sum()
        seconds.append(time.perf_counter() - began)
    return values.nbytes / min(seconds)
