"""Scores of one head, block by block, with what pays to be kept: its expanded keys and its rows' normalisers."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.lens_messages import Arithmetic
from model.lenses.arithmetic import DTYPES
from model.lenses.kept import Kept
from model.lenses.reader import HeadReader, Positions
from model.lenses.workers import ALL, Room, scratch, shares, together
from model.message import Quantity

KEY_BLOCK = 1024  # keys of one product: with 256 queries its scores stay in the processor's caches
QUERY_BLOCK = 256
ROW_BYTES = 48 * 2**20  # of whole rows of scores in work at a time, on all threads
ALONE = 32  # queries that one thread may as well project
EXPANDED = 2048  # keys expanded in one go on each thread: some 10 ms


class Growing:
    """Rows that are filled from the front, in an array that doubles."""

    def __init__(self, width: int, dtype: torch.dtype, device: torch.device) -> None:
        self.rows = torch.empty((0, width), dtype=dtype, device=device)
        self.length = 0

    @property
    def nbytes(self) -> int:
        """Of the whole array."""
        return self.rows.numel() * self.rows.element_size()

    def reserve(self, length: int) -> None:
        """Make room. A first reservation is exact, later ones leave room for growth."""
        have = len(self.rows)
        if length > have:
            rows = self.rows.new_empty((length if not have else max(length, have + have // 4), self.rows.shape[1]))
            if self.length:
                rows[: self.length] = self.rows[: self.length]
            self.rows = rows


class Normalisers:
    """ln Σ exp(score) of every query of a head, float64, NaN where not known yet."""

    def __init__(self) -> None:
        self._values: NDArray[np.float64] = np.empty(0)

    @property
    def nbytes(self) -> int:
        """Of the array."""
        return self._values.nbytes

    def of(self, tokens: Positions) -> NDArray[np.float64] | None:
        """Those of some queries; None when one is missing."""
        if not len(tokens) or tokens[-1] >= len(self._values):
            return None
        values = self._values[tokens]
        return None if np.isnan(values).any() else values

    def keep(self, tokens: Positions, values: NDArray[np.float64]) -> None:
        """Remember those of some queries."""
        if tokens[-1] >= len(self._values):
            more = np.full(int(tokens[-1]) + 1 + len(self._values) // 4, np.nan)
            more[: len(self._values)] = self._values
            self._values = more
        self._values[tokens] = values


class Scorer:
    """One head whose scores are wanted, in one arithmetic."""

    def __init__(self, reader: HeadReader, kept: Kept, *, arithmetic: Arithmetic) -> None:
        self.reader, self.arithmetic = reader, arithmetic
        self._dtype = DTYPES[arithmetic]
        self.kept = kept
        self._have = Growing(reader.width, self._dtype, reader.device)
        self._name = (reader.recording.info.run, reader.layer, reader.head, arithmetic)
        self.absorbed = True
        self.room = Room()

    @property
    def normalisers(self) -> Normalisers:
        """Those of this head, kept for later views."""
        return self.kept.get((*self._name, "normalisers"), Normalisers)

    def prepare(self, quantity: Quantity, *, rows: int, keys: int) -> Iterator[None]:
        """Get ready for so many query rows over keys 0 … keys − 1: expand keys when that pays; piece by piece."""
        have = self._have = self.kept.get((*self._name, "keys"), lambda: self._have)
        self.absorbed = have.length < keys and (quantity == "position" or self.reader.absorbs(rows))
        if self.absorbed or not self._fits(keys):
            return
        have.reserve(keys)
        while have.length < keys:
            end = min(have.length + EXPANDED * ALL, keys)
            blocks = range(have.length, end, KEY_BLOCK)
            parts = [self._expansion(have, blocks[a:b], end) for a, b in shares(len(blocks))]
            together(parts)
            have.length = end
            yield
        self.kept.shrink()

    def _expansion(self, have: Growing, starts: range, last: int) -> Callable[[], None]:
        def expand() -> None:
            for start in starts:
                end = min(start + KEY_BLOCK, last)
                self.reader.keys(start, end, out=have.rows[start:end], latents=self._latents())

        return expand

    def queries(self, tokens: Positions, quantity: Quantity) -> Tensor:
        """Rows to be multiplied with keys, in this scorer's arithmetic."""
        if len(tokens) < ALONE:
            return self.projected(tokens, quantity)
        parts = [partial(self.projected, tokens[a:b], quantity) for a, b in shares(len(tokens))]
        rows: list[Tensor] = together(parts)
        if self.reader.device.type != "cpu":
            return torch.cat(rows)
        # torch's own would share these few numbers among its threads, which then spin in the way of ours.
        joined = np.concatenate([part.view(torch.int16).numpy() for part in rows])
        return torch.from_numpy(joined).view(rows[0].dtype)

    @torch.no_grad()
    def projected(self, tokens: Positions, quantity: Quantity) -> Tensor:
        """`queries` on the calling thread."""
        q_QX = self.reader.queries(tokens, self._dtype)
        if self.absorbed and quantity != "position":
            if quantity == "content":
                q_QX[:, self.reader.content_width :] = 0
            q_QX = self.reader.absorbed(q_QX)
        else:
            q_QX = q_QX[:, self.reader.columns(quantity)]
        return q_QX.to(self._dtype)

    @property
    def content_columns(self) -> int:
        """Columns of queries and keys that make content scores; the rest make position scores."""
        return self.reader.latent_width - self.reader.rope_width if self.absorbed else self.reader.content_width

    @torch.no_grad()
    def scores(self, q_QX: Tensor, start: int, end: int, quantity: Quantity, *, first: int = 0) -> Tensor:
        """Scores [k, q] of keys start … end − 1, float32 or bfloat16, in scratch of the calling thread.

        Queries before `first` are left out: what stands in their columns means nothing.
        """
        keys_KX = self.keys(start, end, quantity)
        shape = (max(end - start, KEY_BLOCK), len(q_QX))
        out = scratch("scores", shape, dtype=self._dtype, device=self.reader.device)[: end - start]
        torch.mm(keys_KX, q_QX[first:].T, out=out[:, first:])
        return out

    def keys(self, start: int, end: int, quantity: Quantity) -> Tensor:
        """What queries are multiplied with: latents when absorbed, else the columns of expanded keys."""
        reader = self.reader
        if end <= self._have.length and not self.absorbed:
            return self._have.rows[start:end, reader.columns(quantity)]
        if self.absorbed:
            latents_KX = reader.latents(start, end, out=self._latents())
            return latents_KX[:, -reader.rope_width :] if quantity == "position" else latents_KX
        out = scratch("keys", (KEY_BLOCK, reader.width), dtype=self._dtype, device=reader.device)
        return reader.keys(start, end, out=out, latents=self._latents())[:, reader.columns(quantity)]

    def rest(self) -> None:
        """Let go of expanded keys, unless they are kept for the next view anyway, and of what was in work."""
        self.room = Room()
        self._have = Growing(self.reader.width, self._dtype, self.reader.device)

    def _latents(self) -> Tensor:
        shape = (KEY_BLOCK, self.reader.latent_width)
        return scratch("latents", shape, dtype=self._dtype, device=self.reader.device)

    def _fits(self, keys: int) -> bool:
        return keys * self.reader.width * self._dtype.itemsize <= self.kept.limit
