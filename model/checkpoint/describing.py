"""From where tensors are to how they are stored: plain floats, FP8 with block scales, packed int4; or a refusal."""

from dataclasses import dataclass
from math import prod
from typing import NoReturn

import torch

from model.checkpoint.formats.floats import FLOATS, SCALES, Scales, StoredFloats
from model.checkpoint.formats.fp8 import StoredFp8
from model.checkpoint.formats.int4 import ShapeAgain, StoredInt4
from model.checkpoint.formats.scheme import BlockFp8, PackedInt4, Scheme
from model.checkpoint.mapped import MappedFile
from model.checkpoint.names import PACKED, Located, Source
from model.checkpoint.shards import Shard
from model.checkpoint.stored import Stored
from model.problems import Problem
from model.shapes import Shape

_FP8 = "F8_E4M3"
_WHOLE_NUMBERS = {"I32": torch.int32, "I64": torch.int64}


def describe(shards: tuple[Shard, ...], located: Located, scheme: Scheme | None) -> dict[str, Stored]:
    """Every located tensor as it is stored. Raises Problem for what is not supported or does not fit together.

    Which tensors are quantised is for the tensors to say: those that have a scale.
    """
    files = tuple(_mapped(shard) for shard in shards)
    describing = _Describing(shards, files, located.companions, scheme)
    return {name: describing.stored(source, located.shapes[name]) for name, source in located.sources.items()}


def _mapped(shard: Shard) -> MappedFile:
    header = shard.header
    return MappedFile(shard.path, file_bytes=header.file_bytes, head=(8, header.data_start), digest=header.digest)


@dataclass(frozen=True, slots=True)
class _Describing:
    """What is the same for all tensors of a checkpoint."""

    shards: tuple[Shard, ...]
    files: tuple[MappedFile, ...]
    companions: dict[str, Source]
    scheme: Scheme | None

    def stored(self, source: Source, shape: Shape) -> Stored:
        dtype = source.entry.dtype
        if source.stored.endswith(PACKED):
            return self._int4(source, shape)
        scale = self.companions.get(source.stored + "_scale_inv")
        if dtype == _FP8:
            return self._fp8(source, shape, scale)
        if dtype not in FLOATS:
            self._refuse(source, f"is stored as {dtype}, which is not supported; use a bf16 copy")
        if scale is not None:
            self._refuse(source, f"has a scale but is stored as {dtype} instead of {_FP8}; download it again")
        return StoredFloats(self.files[source.shard], self._start(source, FLOATS[dtype].itemsize), shape, dtype)

    def _fp8(self, source: Source, shape: Shape, scale: Source | None) -> StoredFp8:
        if not isinstance(self.scheme, BlockFp8):
            self._refuse(source, f"is stored as {_FP8}, but config.json describes no such quantisation; get both again")
        if scale is None or len(shape) != 2:
            self._refuse(source, "is stored as FP8 without a scale for each block; download the folder again")
        rows, columns = source.entry.shape[-2:]
        blocks = (-(-rows // self.scheme.rows), -(-columns // self.scheme.columns))
        return StoredFp8(
            self.files[source.shard],
            self._start(source, 1),
            shape,
            source.rows[0] if source.rows is not None else 0,
            self._scales(source, scale, blocks),
            self.scheme,
        )

    def _int4(self, source: Source, shape: Shape) -> StoredInt4:
        base = source.stored.removesuffix(PACKED)
        scale, repeated = (self.companions.get(base + ending) for ending in ("_scale", "_shape"))
        if not isinstance(self.scheme, PackedInt4):
            self._refuse(source, "is packed, but config.json describes no such quantisation; get both again")
        if any(base + ending in self.companions for ending in ("_zero_point", "_g_idx")):
            self._refuse(source, "has zero points or reordered columns, which are not supported; use a bf16 copy")
        if source.entry.dtype != "I32" or len(shape) != 2 or scale is None or repeated is None:
            self._refuse(source, "is not int32 words with a scale and a shape beside them; download the folder again")
        if repeated.entry.dtype not in _WHOLE_NUMBERS or repeated.entry.shape != (2,):
            self._refuse(repeated, "is not two whole numbers; download the folder again")
        blocks = (shape[0], -(-shape[1] // self.scheme.group))
        return StoredInt4(
            self.files[source.shard],
            self._start(source, 4),
            shape,
            self._scales(source, scale, blocks),
            self.scheme.group,
            ShapeAgain(self.files[repeated.shard], self._start(repeated, 0), _WHOLE_NUMBERS[repeated.entry.dtype]),
        )

    def _scales(self, source: Source, scale: Source, blocks: tuple[int, int]) -> Scales:
        """Those of the source's own expert where experts are stored as one tensor."""
        due = blocks if source.expert is None else (source.entry.shape[0], *blocks)
        if scale.entry.shape != due or scale.entry.dtype not in SCALES:
            self._refuse(
                scale,
                f"is {scale.entry.dtype} {list(scale.entry.shape)} where scales {list(due)} are due; get it again",
            )
        dtype = scale.entry.dtype
        start = self._start(scale, 0) + (source.expert or 0) * prod(blocks) * SCALES[dtype].itemsize
        return Scales(self.files[scale.shard], start, *blocks, dtype)

    def _start(self, source: Source, itemsize: int) -> int:
        """The first byte in the file, of the expert's own rows where experts are stored as one tensor."""
        start = self.shards[source.shard].header.data_start + source.entry.start
        if source.expert is None or source.rows is None:
            return start
        _, rows, columns = source.entry.shape
        return start + (source.expert * rows + source.rows[0]) * columns * itemsize

    def _refuse(self, source: Source, what: str) -> NoReturn:
        raise Problem(f"{source.stored} in {self.shards[source.shard].path} {what}.")
