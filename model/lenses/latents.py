"""The KV cache of one layer as it was recorded, widened to float32 without changing a value. Torch-free."""

import numpy as np
from numpy.typing import NDArray

from model.caches import kept
from model.recording.recording import Recording


def latents(recording: Recording, *, layer: int, tokens: tuple[int, int]) -> tuple[NDArray[np.float32], ...]:
    """c_kv [n, C] after its norm and k_rope [n, R] after RoPE, in the checkpoint's order of pairs.

    Of a model without latents: k [n, G·(N+R)], in each head content before rotated, and v [n, G·V].
    """
    start, end = tokens
    return tuple(
        as_float32(recording.heavy(row.name, layer_row=layer, start=start, end=end))
        for row in kept(recording.info.config)
    )


def as_float32(values: NDArray[np.generic]) -> NDArray[np.float32]:
    """Values as float32; uint16 are the bits of bfloat16, the upper half of a float32's."""
    if values.dtype == np.uint16:
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32)
