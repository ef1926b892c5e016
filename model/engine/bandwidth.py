"""How fast this machine reads memory: the limit of decoding, since every weight a token uses is read once.

torch adds up one gigabyte of float32, with the threads that the step runs on; the best of several passes counts.
No way of reading tried here was faster: its sum is plain loads, wide enough to keep the memory busy. On CUDA it is
the device's memory.
"""

import time

import torch

from model.engine import threads

SIZE = 2**30  # bytes, beyond any cache
PASSES = 9
CPU = torch.device("cpu")


def read_bandwidth(count: int, *, device: torch.device = CPU, size: int = SIZE, passes: int = PASSES) -> float:
    """Bytes per second that `count` threads, or a CUDA device, read together."""
    values = torch.ones(size // 4, device=device)
    threads.use(count)
    seconds = []
    for _ in range(passes):
        began = time.perf_counter()
        values.sum().item()  # waits for the device
        seconds.append(time.perf_counter() - began)
    return values.nbytes / min(seconds)
