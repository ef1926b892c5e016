"""Up to CHUNK_TOKENS tokens of a recording, growing in memory. Torch-free."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.recording.columns import CHUNK_TOKENS, TEXTS, TOP_TOKENS, Column, StepRow

Values = NDArray[np.generic]


class Chunk(Protocol):
    """What the reader needs of a chunk, wherever it is."""

    tokens: int
    steps: int

    def array(self, name: str) -> Values:
        """One column, shaped as `Column.stored_shape` says."""

    def texts(self, name: str) -> list[str]:
        """One column of texts."""


class MemoryChunk:
    """Preallocated arrays; the first `tokens` tokens and `steps` steps are filled."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self.columns = columns
        self.tokens = 0
        self.steps = 0
        self.buffers: dict[str, Values] = {
            name: np.empty(column.stored_shape(CHUNK_TOKENS), column.numpy_dtype) for name, column in columns.items()
        }
        self._texts: dict[str, list[str]] = {name: [] for name in TEXTS}
        self._pending: list[tuple[StepRow, int]] = []

    @property
    def nbytes(self) -> int:
        """Private memory of the arrays."""
        return sum(values.nbytes for values in self.buffers.values())

    def clear(self) -> None:
        """Forget everything, keep the arrays."""
        self.tokens = self.steps = 0
        self._texts = {name: [] for name in TEXTS}
        self._pending = []

    def array(self, name: str) -> Values:
        """One column; a view, good until `clear`."""
        kind, values = self.columns[name].kind, self.buffers[name]
        self._settle()
        if kind == "heavy":
            return values[:, : self.tokens]
        return values[: self.steps if kind == "step" else self.tokens]

    def texts(self, name: str) -> list[str]:
        """One column of texts."""
        self._settle()
        return list(self._texts[name])

    def add_texts(self, texts: Sequence[str]) -> None:
        """The texts of the tokens about to be added."""
        self._texts["texts"] += texts

    def add_step(self, step: StepRow, tokens: int) -> None:
        """One finished step, after which `tokens` tokens have been fed in all."""
        self._pending.append((step, tokens))  # into the arrays only when read, away from the decode step
        self.steps += 1

    def _settle(self) -> None:
        first = self.steps - len(self._pending)
        for at, (step, tokens) in enumerate(self._pending, first):
            self._write_step(at, step, tokens)
        self._pending = []

    def _write_step(self, at: int, step: StepRow, tokens: int) -> None:
        to = self.buffers
        to["tokens"][at] = tokens
        to["decode"][at] = step.decode
        to["measured_bytes"][at] = step.measured_bytes
        to["used_bytes"][at] = step.used_bytes
        to["seconds"][at] = step.seconds
        to["expert_hits"][at] = step.expert_hits
        to["expert_misses"][at] = step.expert_misses
        to["bytes_read"][at] = step.bytes_read
        to["chosen_ids"][at] = step.chosen_id
        to["chosen_log_probability"][at] = step.chosen_log_probability
        to["top_ids"][at] = -1
        to["top_log_probability"][at] = np.nan
        to["top_ids"][at, : len(step.top_ids)] = step.top_ids
        to["top_log_probability"][at, : len(step.top_log_probability)] = step.top_log_probability
        self._texts["chosen_texts"].append(step.chosen_text)
        self._texts["top_texts"] += [*step.top_texts, *("",) * (TOP_TOKENS - len(step.top_texts))]
