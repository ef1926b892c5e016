"""Attention scores of one layer, rebuilt from what a recording keeps: latents, query sources, two projections.

A score has two parts that MLA keeps in separate dimensions: content (q · W_UK c_kv) and position
(q_rope · k_rope). Everything is computed in float32, in blocks of query rows, so no T × T array ever
exists. With few query rows W_UK is moved into the queries (absorbed), with many the keys are restored.
Without latents (MHA, GQA, MQA) a head's keys are those cached for it or for its group.
"""

from collections.abc import Generator, Iterator
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from model.caches import kept
from model.config import RopeConfig
from model.network.pieces import Pieces
from model.network.rope import RotaryTable, query_temperature, rotate, softmax_scale
from model.recording.bits import as_tensor
from model.recording.projections import Projections
from model.recording.recording import Recording

Range = tuple[int, int]

BLOCK_SCORES = 2**19  # scores of one block: 2 MB for each of a few intermediate arrays
BLOCK_PRODUCTS = 2**28  # multiplications of one block: some 10 ms on one core
READ_NUMBERS = 2**22  # latents widened to float32, or keys restored, in one go


class Block(NamedTuple):
    """Scores of one head for some query rows, [q, k] in float32, scaled, not masked, keys from `first_key` on."""

    content_QK: Tensor
    position_QK: Tensor
    first_query: int
    first_key: int

    def hide(self, values_QK: Tensor) -> Tensor:
        """Put −inf, in place, where a key comes after its query; returns the same tensor."""
        # Keys up to the first query are seen by the whole block, so only the others need a mask.
        start = max(self.first_query + 1 - self.first_key, 0)
        late_QK = values_QK[:, start:]
        query_Q = torch.arange(late_QK.shape[0], device=late_QK.device) + self.first_query
        key_K = torch.arange(late_QK.shape[1], device=late_QK.device) + self.first_key + start
        late_QK.masked_fill_(key_K > query_Q.unsqueeze(1), -torch.inf)
        return values_QK

    def probabilities(self) -> Tensor:
        """Softmax over the keys each query sees, float32 [q, k]; only right when the block has all of them."""
        return self.hide(self.content_QK + self.position_QK).softmax(dim=-1)


class Layer:
    """One layer's cached rows of keys a … b − 1 in float32, on the projections' device, and how to score them."""

    def __init__(self, recording: Recording, projections: Projections, *, layer: int, keys: Range) -> None:
        self._recording, self._layer = recording, layer
        self._config = recording.info.config
        self._scale = softmax_scale(self._config)
        self.keys = keys
        weights = projections.layer(layer)
        self._q_HXS = weights.q_weight.unflatten(0, (self._config.heads, -1))
        if weights.kv_b is not None:
            self._w_uk_HNC = weights.kv_b.unflatten(0, (self._config.heads, -1))[:, : self._config.qk_nope_head_dim]
        # What scoring reads of the cache: both rows of MLA, of the others the keys.
        self._rows = kept(self._config)[: 2 if self._config.kv_heads is None else 1]
        shapes = ((keys[1] - keys[0], row.width) for row in self._rows)
        self._cached = [torch.empty(shape, device=weights.q_weight.device) for shape in shapes]

    def read(self) -> Pieces[None]:
        """Read the cached rows, piece by piece; to be exhausted before anything is scored."""
        for a, b in _pieces(len(self._cached[0]), READ_NUMBERS // self._rows[0].width):
            tokens = self.keys[0] + a, self.keys[0] + b
            for row, values in zip(self._rows, self._cached, strict=True):
                values[a:b] = self._read(row.name, tokens)
            yield

    def absorbs(self, rows: int) -> bool:
        """Whether moving W_UK into `rows` queries is less work than restoring the keys' content parts."""
        if self._config.kv_heads is not None:
            return False
        nope, rank = self._config.qk_nope_head_dim, self._config.kv_lora_rank
        return rows * (rank - nope) <= rank * nope

    def content_keys(self, head: int, *, rows: int) -> Generator[None, None, Tensor | None]:
        """W_UK c_kv of one head, [k, N], piece by piece; None when `rows` queries are better absorbed.

        Without latents they are in the cache already.
        """
        if self.absorbs(rows):
            return None
        if self._config.kv_heads is not None:
            return self._group(head)[:, : self._config.qk_nope_head_dim]
        w_uk_NC = self._w_uk_HNC[head].float()
        c_kv_KC = self._cached[0]
        keys_KN = c_kv_KC.new_empty((len(c_kv_KC), len(w_uk_NC)))
        for a, b in _pieces(len(keys_KN), BLOCK_PRODUCTS // w_uk_NC.numel()):
            with torch.no_grad():
                torch.mm(c_kv_KC[a:b], w_uk_NC.T, out=keys_KN[a:b])
            yield
        return keys_KN

    def query_blocks(self, queries: Range) -> Iterator[Range]:
        """Cut a query range into blocks of bounded work, each of at least one row."""
        keys = len(self._cached[0])
        products = keys * max(self._config.kv_lora_rank, self._config.qk_nope_head_dim)
        rows = min(BLOCK_SCORES // max(keys, 1), BLOCK_PRODUCTS // max(products, 1))
        return ((queries[0] + a, queries[0] + b) for a, b in _pieces(queries[1] - queries[0], rows))

    @torch.no_grad()
    def block(
        self, head: int, queries: Range, *, keys: Range | None = None, content_keys: Tensor | None = None
    ) -> Block:
        """Scores of queries a … b − 1 against `keys` (all by default); absorbed unless `content_keys` are given."""
        first, last = keys or self.keys
        rows = slice(first - self.keys[0], last - self.keys[0])
        content_QN, rope_QR = self._queries(head, queries)
        if self._config.kv_heads is not None:
            content_KN, rope_KR = self._group(head)[rows].split(self._widths, dim=-1)
            return Block(torch.mm(content_QN, content_KN.T), torch.mm(rope_QR, rope_KR.T), queries[0], first)
        c_kv_KC, k_rope_KR = self._cached
        if content_keys is None:
            content_QK = torch.mm(torch.mm(content_QN, self._w_uk_HNC[head].float()), c_kv_KC[rows].T)
        else:
            content_QK = torch.mm(content_QN, content_keys[rows].T)
        return Block(content_QK, torch.mm(rope_QR, k_rope_KR[rows].T), queries[0], first)

    @property
    def _widths(self) -> list[int]:
        return [self._config.qk_nope_head_dim, self._config.qk_rope_head_dim]

    def _group(self, head: int) -> Tensor:
        """The cached keys [k, N+R] that one head reads: its own, or its group's."""
        k_KGX = self._cached[0].unflatten(-1, (-1, self._config.qk_head_dim))
        keys_KX: Tensor = k_KGX[:, head * k_KGX.shape[1] // self._config.heads]
        return keys_KX

    def _queries(self, head: int, queries: Range) -> tuple[Tensor, Tensor]:
        """Content [q, N] and rotated part [q, R] of one head's queries, scaled, as the model had them."""
        config = self._config
        q_QX = torch.mm(self._read("query_source", queries), self._q_HXS[head].float().T) * self._scale
        if config.query_temperature is not None:
            position_Q = torch.arange(*queries, device=q_QX.device)
            q_QX *= query_temperature(config.query_temperature, position_Q).unsqueeze(1)
        if config.kv_heads is None:
            content_QN, rope_QR = q_QX.split(self._widths, dim=-1)
        else:  # such checkpoints have the rotated part first
            rope_QR, content_QN = q_QX.split(self._widths[::-1], dim=-1)
        table = rotations(config.rope, config.qk_rope_head_dim, q_QX.device)
        rotation_QR = table.rows(*queries, length=self._recording.info.prompt_tokens)
        rope_QR = rotate(rope_QR.unsqueeze(1), rotation_QR, interleaved=config.rope.interleaved).squeeze(1)
        return content_QN, rope_QR

    def _read(self, name: str, tokens: Range) -> Tensor:
        values = self._recording.heavy(name, layer_row=self._layer, start=tokens[0], end=tokens[1])
        return as_tensor(values).to(self._q_HXS.device).float()


def _pieces(length: int, size: int) -> Iterator[Range]:
    size = max(size, 1)
    return ((start, min(start + size, length)) for start in range(0, length, size))


@lru_cache(maxsize=4)
def rotations(rope: RopeConfig, width: int, device: torch.device) -> RotaryTable:
    """The table of a model's rotations, made once."""
    return RotaryTable(rope, width, device)
