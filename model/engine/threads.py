"""How many CPU threads each kind of work gets."""

import torch

from model.config import DtypeName, ModelConfig
from model.shapes import step_bytes

# Up to here a step takes about a millisecond, and starting and joining threads eats most of what they gain; one thread
# is also steadier beside a live window.
ONE_THREAD_BYTES = 28 * 2**20
# Up to here the weights of one step come mostly from the processor's caches, and two threads are enough: 17 M
# parameters decode 1.15 times as fast as by one after 64 tokens, 1.4 times after 2,048.
CACHED_BYTES = 256 * 2**20

ALL = torch.get_num_threads()


def decode_threads(config: ModelConfig, dtype: DtypeName, *, context: int = 0) -> int:
    """Threads for steps of one token behind `context` others: by the bytes that a step reads, weights and latents."""
    read = step_bytes(config, dtype, context)
    if read <= ONE_THREAD_BYTES:
        return 1
    return min(2, ALL) if read <= CACHED_BYTES else ALL


def use(threads: int) -> None:
    """Set the count, when it is another: setting it costs more than asking."""
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
