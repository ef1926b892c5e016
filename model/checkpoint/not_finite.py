"""Weights that are NaN or infinite: looked for where that is cheap, and told in a note."""

from collections.abc import Generator

import torch

from model.checkpoint.checkpoint import Checkpoint

# The smallest tensors first: all of a small model, the norms and routers of a large one, never a large one whole.
LOOKED_AT_BYTES = 256 * 2**20
_SHOWN = 4


def note_not_finite(checkpoint: Checkpoint) -> Generator[None, None, str]:
    """One sentence about tensors with NaN or Inf among the plainly stored ones looked at, "" when there is none.

    A generator that pauses every few milliseconds. Raises Problem when a file has changed since it was described.
    """
    found: list[str] = []
    room = LOOKED_AT_BYTES
    for name, stored in sorted(checkpoint.tensors.items(), key=lambda item: item[1].stored_bytes):
        if stored.mapped_dtype is None:  # expanded only when asked for
            continue
        room -= stored.stored_bytes
        if room < 0:
            break
        values = stored.values(stored.mapped_dtype)
        # The sum is finite where everything is, but for an overflow, and three times as fast to tell.
        if not values.sum(dtype=torch.float64 if values.dtype == torch.float64 else torch.float32).isfinite():
            yield None
            if not values.isfinite().all():
                found.append(name)
        yield None
    if not found:
        return ""
    names = ", ".join(found[:_SHOWN]) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
    verb = "tensor contains" if len(found) == 1 else "tensors contain"
    return f"{len(found)} {verb} NaN or Inf ({names}): results that depend on them are no numbers."
