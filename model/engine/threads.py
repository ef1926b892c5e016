"""How many CPU threads each kind of work gets."""

import torch

from model.config import DTYPE_BYTES, DtypeName, ModelConfig
from model.shapes import parameters_active

# Below this the weights of one step come mostly from the processor's caches, and starting and joining
# threads some hundred times a token eats what they gain; one thread is also steadier beside a live window.
ONE_THREAD_BYTES = 256 * 2**20

ALL = torch.get_num_threads()


def decode_threads(config: ModelConfig, dtype: DtypeName) -> int:
    """Threads for steps of one token."""
    return 1 if parameters_active(config) * DTYPE_BYTES[dtype] <= ONE_THREAD_BYTES else ALL


def use(threads: int) -> None:
    """Set the count, when it is another: setting it costs more than asking."""
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
