"""From a described checkpoint to a Decoder: weights mapped from the files, converted once where they must be."""

import time
from collections.abc import Generator, Iterator
from typing import Literal

import torch
from torch import Tensor

from model.checkpoint.folder import Checkpoint
from model.checkpoint.names import Source
from model.config import DtypeName
from model.network.decoder import Decoder
from model.network.weights import bind
from model.problems import Problem
from model.tensorfile import TensorFile

DtypeChoice = DtypeName | Literal["auto"]
TORCH_DTYPES: dict[DtypeName, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_STORED: dict[str, torch.dtype] = {
    "F32": torch.float32,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F64": torch.float64,
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
    files = _open(checkpoint)
    stored = list(dict.fromkeys((source.shard, source.stored) for source in checkpoint.location.values()))
    total = sum(len(files[shard].raw(name)) for shard, name in stored)
    values: dict[tuple[int, str], Tensor] = {}
    done = 0
    yield done, total
    last = time.monotonic()
    for shard, name in stored:
        source = _mapped(files[shard], name)
        wanted = torch.float32 if name.endswith(_ALWAYS_FLOAT32) else target
        values[shard, name] = _destination(source, dtype=wanted, device=device)
        for moved in _fill(values[shard, name], source):
            done += moved
            if time.monotonic() - last > _YIELD_SECONDS:
                yield done, total
                last = time.monotonic()
    yield total, total
    tensors = {name: _part(values, source) for name, source in checkpoint.location.items()}
    return Decoder(checkpoint.config, bind(checkpoint.config, tensors))


def _open(checkpoint: Checkpoint) -> list[TensorFile]:
    files = [TensorFile(shard.path) for shard in checkpoint.shards]
    for file, shard in zip(files, checkpoint.shards, strict=True):
        if file.header.digest != shard.header.digest:
            raise Problem(f"{shard.path} has changed since it was described; open the folder again.")
    return files


def _mapped(file: TensorFile, name: str) -> Tensor:
    """A stored tensor in the file's own pages."""
    entry = file.header.entries[name]
    dtype, raw = _STORED[entry.dtype], file.raw(name)
    if raw.ctypes.data % dtype.itemsize:
        raw = raw.copy()  # a header of odd length: torch wants elements at multiples of their size
    return torch.from_numpy(raw).view(dtype).view(entry.shape)


def _destination(source: Tensor, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    if source.dtype == dtype and device.type == "cpu":
        return source
    return torch.empty(source.shape, dtype=dtype, device=device)


def _fill(destination: Tensor, source: Tensor) -> Iterator[int]:
    """Convert and move piece by piece; yields the bytes of the source that each piece took."""
    if destination is source:
        yield source.nbytes
        return
    pieces = zip(destination.flatten().split(_PIECE), source.flatten().split(_PIECE), strict=True)
    for to_piece, from_piece in pieces:
        to_piece.copy_(from_piece)
        yield from_piece.nbytes


def _part(values: dict[tuple[int, str], Tensor], source: Source) -> Tensor:
    """One tensor by the network's name: a stored one, or rows of one expert of a fused one, as a view."""
    tensor = values[source.shard, source.stored]
    if source.expert is None or source.rows is None:
        return tensor
    return tensor[source.expert, source.rows[0] : source.rows[1]]
