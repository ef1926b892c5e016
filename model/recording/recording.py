"""A Recording: what one run did, in columns that only grow; one reader for live and opened runs. Torch-free."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.messages import Array, RunInfo, StepBatch, TokenBatch
from model.recording.chunk import Chunk, MemoryChunk
from model.recording.chunk_file import FileChunk
from model.recording.columns import CHUNK_TOKENS, TOP_TOKENS, Column, columns
from model.recording.folder import open_folder
from model.recording.manifest import Finish

Piece = tuple[Chunk, int, int]  # a chunk, and the range of its tokens (or steps) that is wanted


class Recording:
    """Read access to a run; `notes` says in sentences what is not as it should be.

    Every chunk but the last holds exactly CHUNK_TOKENS tokens. A live run's recorder owns `chunks`
    and appends to them; whoever reads gets copies, so nothing that was read ever changes.
    """

    def __init__(
        self,
        info: RunInfo,
        chunks: Sequence[Chunk],
        *,
        keep_logits: bool = False,
        notes: list[str] | None = None,
        finish: Finish | None = None,
        fingerprint: str = "",
    ) -> None:
        self.info = info
        self.chunks = chunks
        self.columns: dict[str, Column] = columns(info.config, dtype=info.dtype, keep_logits=keep_logits)
        self.notes: list[str] = [] if notes is None else notes
        self.finish = finish
        self.fingerprint = fingerprint

    @classmethod
    def open(cls, folder: str | Path) -> "Recording":
        """A run folder from anywhere, checked in full. Raises Problem when nothing in it can be used."""
        opened = open_folder(Path(folder))
        manifest = opened.manifest
        return cls(
            manifest.info,
            opened.chunks,
            keep_logits=manifest.keep_logits,
            notes=[*manifest.notes, *opened.notes],
            finish=manifest.finish,
            fingerprint=manifest.fingerprint,
        )

    @property
    def tokens(self) -> int:
        """Tokens fed through the model."""
        return CHUNK_TOKENS * (len(self.chunks) - 1) + self.chunks[-1].tokens if self.chunks else 0

    @property
    def steps(self) -> int:
        """Prefill chunks and decoded tokens."""
        return sum(chunk.steps for chunk in self.chunks)

    @property
    def memory_bytes(self) -> int:
        """Private memory of the columns; what is mapped from disk does not count."""
        return sum(chunk.nbytes for chunk in self.chunks if isinstance(chunk, MemoryChunk))

    @property
    def disk_bytes(self) -> int:
        """Bytes of the chunk files."""
        return sum(chunk.file_bytes for chunk in self.chunks if isinstance(chunk, FileChunk))

    def light(self, name: str, start: int = 0, end: int | None = None) -> NDArray[np.generic]:
        """A light or step column of tokens (or steps) start … end − 1: [n, …] as `model.recording.columns` says."""
        return self._joined(name, self._pieces(start, end, step=self.columns[name].kind == "step"))

    def _joined(self, name: str, pieces: list[Piece]) -> NDArray[np.generic]:
        column = self.columns[name]
        parts = [chunk.array(name)[a:b] for chunk, a, b in pieces]
        return np.concatenate(parts) if parts else np.empty(column.stored_shape(0), column.numpy_dtype)

    def heavy(self, name: str, *, layer_row: int, start: int = 0, end: int | None = None) -> NDArray[np.generic]:
        """One layer's rows of a heavy column: [n, width] of tokens start … end − 1; bfloat16 as uint16 bits.

        `layer_row` counts attention layers, for router_scores MoE layers; logits have the one row 0.
        """
        parts = [values for _, values in self.heavy_parts(name, layer_row=layer_row, start=start, end=end)]
        return (
            np.concatenate(parts)
            if parts
            else np.empty((0, self.columns[name].shape[1]), self.columns[name].numpy_dtype)
        )

    def heavy_parts(
        self, name: str, *, layer_row: int, start: int = 0, end: int | None = None
    ) -> Iterator[tuple[int, NDArray[np.generic]]]:
        """The rows of `heavy` as they lie, uncopied: views [n, width], each with its first row's place in `heavy`.

        Views of a live run are good only until it goes on.
        """
        column, at = self.columns[name], 0
        if not 0 <= layer_row < column.shape[0]:
            raise IndexError(f"row {layer_row} of {name}, which has {column.shape[0]}")
        for chunk, a, b in self._pieces(start, end):
            yield at, chunk.array(name)[layer_row, a:b]
            at += b - a

    def heavy_at(self, name: str, tokens: NDArray[np.int64], *, layer_row: int) -> NDArray[np.generic]:
        """The rows of `heavy` [n, width] of single tokens, in ascending order, wherever they lie."""
        column = self.columns[name]
        result = np.empty((len(tokens), column.shape[1]), column.numpy_dtype)
        chunk_of = tokens // CHUNK_TOKENS
        starts = np.flatnonzero(np.diff(chunk_of, prepend=-1))
        for a, b in zip(starts, [*starts[1:], len(tokens)], strict=True):
            values = self.chunks[int(chunk_of[a])].array(name)[layer_row]
            rows = tokens[a:b] - chunk_of[a] * CHUNK_TOKENS
            together = rows[-1] - rows[0] == b - a - 1  # neighbours lie in one piece, which is copied much faster
            result[a:b] = values[rows[0] : rows[-1] + 1] if together else values[rows]
        return result

    def texts(self, start: int = 0, end: int | None = None) -> list[str]:
        """The texts of tokens start … end − 1."""
        return [text for chunk, a, b in self._pieces(start, end) for text in chunk.texts("texts")[a:b]]

    def token_batch(self, start: int = 0, end: int | None = None) -> TokenBatch:
        """The light columns of tokens start … end − 1, ready to travel."""
        pieces = self._pieces(start, end)
        names = ("ids", "log_probability", "expert_ids", "expert_weights", "margins")
        columns = {name: Array.of(self._joined(name, pieces)) for name in names}
        return TokenBatch(first=start, texts=self.texts(start, end), **columns)

    def step_batch(self, start: int = 0, end: int | None = None) -> StepBatch:
        """The columns of steps start … end − 1, ready to travel."""
        pieces = self._pieces(start, end, step=True)

        def packed(name: str) -> Array:
            return Array.of(self._joined(name, pieces))

        top = [text for chunk, a, b in pieces for text in chunk.texts("top_texts")[TOP_TOKENS * a : TOP_TOKENS * b]]
        return StepBatch(
            first=start,
            tokens=packed("tokens"),
            decode=Array.of(self._joined("decode", pieces) != 0),
            measured_bytes=packed("measured_bytes"),
            used_bytes=packed("used_bytes"),
            seconds=packed("seconds"),
            expert_hits=packed("expert_hits"),
            expert_misses=packed("expert_misses"),
            bytes_read=packed("bytes_read"),
            chosen_ids=packed("chosen_ids"),
            chosen_texts=[text for chunk, a, b in pieces for text in chunk.texts("chosen_texts")[a:b]],
            chosen_log_probability=packed("chosen_log_probability"),
            top_ids=packed("top_ids"),
            top_texts=[top[row : row + TOP_TOKENS] for row in range(0, len(top), TOP_TOKENS)],
            top_log_probability=packed("top_log_probability"),
        )

    def _pieces(self, start: int, end: int | None, *, step: bool = False) -> list[Piece]:
        """The chunks that hold a range, each with the part of it that belongs to the range."""
        if step:
            firsts = [0, *accumulate(chunk.steps for chunk in self.chunks)]
            last, index = firsts[-1], bisect_right(firsts, start) - 1
        else:
            last, index = self.tokens, start // CHUNK_TOKENS
        end = last if end is None else min(end, last)
        if start < 0 or start >= end:
            return []
        pieces: list[Piece] = []
        first = firsts[index] if step else index * CHUNK_TOKENS
        while first < end:
            chunk = self.chunks[index]
            count = chunk.steps if step else chunk.tokens
            a, b = max(start - first, 0), min(end - first, count)
            if a < b:
                pieces.append((chunk, a, b))
            first, index = first + count, index + 1
        return pieces
