"""From a described checkpoint to a Decoder: weights mapped from the files, converted once where they must be."""

import time
from collections.abc import Generator, Iterator
from typing import Literal

import torch
from torch import Tensor

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.stored import Stored
from model.config import DtypeName
from model.network.decoder import Decoder
from model.network.weights import bind

DtypeChoice = DtypeName | Literal["auto"]
TORCH_DTYPES: dict[DtypeName, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
# Routing is decided in float32, whatever the rest runs in.
_ALWAYS_FLOAT32 = ("mlp.gate.weight", "mlp.gate.e_score_correction_bias")
_PIECE = 4 * 2**20  # elements converted at once: a few milliseconds
_YIELD_SECONDS = 0.02


def load(checkpoint: Checkpoint, *, dtype: DtypeChoice = "auto", device: torch.device) -> Decoder:
    """Load to the end. Raises Problem when a file has changed since it was described."""
    steps = loading(checkpoint, dtype=dtype, device=device)
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            decoder: Decoder = finished.value
            return decoder


def loading(
    checkpoint: Checkpoint, *, dtype: DtypeChoice = "auto", device: torch.device
) -> Generator[tuple[int, int], None, Decoder]:
    """Load in pieces of some 20 ms; yields (bytes done, bytes in all), returns the Decoder. Drop it to cancel.

    On the CPU a tensor that already has the run's dtype stays in the file's pages: nothing is copied.
    Any other becomes a contiguous tensor of its own. Raises Problem like `load`.
    """
    target = TORCH_DTYPES[checkpoint.dtype if dtype == "auto" else dtype]
    total = sum(stored.stored_bytes for stored in checkpoint.tensors.values())
    tensors: dict[str, Tensor] = {}
    done = 0
    yield done, total
    last = time.monotonic()
    for name, stored in checkpoint.tensors.items():
        source = _source(stored, target)
        wanted = torch.float32 if name.endswith(_ALWAYS_FLOAT32) else target
        tensors[name] = _destination(source, dtype=wanted, device=device)
        before = done
        for share in _fill(tensors[name], source):
            done = before + int(share * stored.stored_bytes)
            if time.monotonic() - last > _YIELD_SECONDS:
                yield done, total
                last = time.monotonic()
    yield total, total
    return Decoder(checkpoint.config, bind(checkpoint.config, tensors))


def _source(stored: Stored, target: torch.dtype) -> Tensor:
    """In the file's own pages, or expanded from a format that torch has no dtype for."""
    return stored.values(stored.mapped_dtype or target)


def _destination(source: Tensor, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    if source.dtype == dtype and device.type == "cpu":
        return source
    return torch.empty(source.shape, dtype=dtype, device=device)


def _fill(destination: Tensor, source: Tensor) -> Iterator[float]:
    """Convert and move piece by piece; yields the share of the source that is done."""
    if destination is source:
        yield 1.0
        return
    done = 0
    for to_piece, from_piece in zip(destination.flatten().split(_PIECE), source.flatten().split(_PIECE), strict=True):
        to_piece.copy_(from_piece)
        done += from_piece.numel()
        yield done / source.numel()
