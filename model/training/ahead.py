"""Batches drawn ahead by other processes, so that the device never waits for text.

The processes are forked and share the corpus with their parent; a batch is a pure function of its step, so who drew
it makes no difference.
"""

import multiprocessing
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import numpy as np
import torch

from model.training.batches import Batch, Batches

Arrays = tuple[np.ndarray, np.ndarray, int]  # travel as plain bytes, tensors as shared memory

STEPS_AHEAD = 12

_batches: Batches | None = None


class Ahead:
    """Draws batch after batch; without workers on the spot."""

    def __init__(self, batches: Batches, *, workers: int) -> None:
        self._batches = batches
        self._coming: dict[tuple[int, tuple[tuple[str, Any], ...]], Future[Arrays]] = {}
        self._pool: ProcessPoolExecutor | None = None
        if workers:
            fork = multiprocessing.get_context("fork")
            self._pool = ProcessPoolExecutor(workers, mp_context=fork, initializer=_take, initargs=(batches,))

    def draw(self, step: int, **how: Any) -> Batch:
        """`Batches.draw` of this step. The next steps are expected to be drawn alike."""
        if self._pool is None:
            return self._batches.draw(step, **how)
        kind = tuple(sorted(how.items()))
        for coming in range(step, step + STEPS_AHEAD):
            if (coming, kind) not in self._coming:
                self._coming[coming, kind] = self._pool.submit(_draw, coming, how)
        self._coming = {key: batch for key, batch in self._coming.items() if key[0] >= step}
        ids_T, targets_T, sequences = self._coming.pop((step, kind)).result()
        return Batch(torch.from_numpy(ids_T), torch.from_numpy(targets_T), sequences)

    def close(self) -> None:
        """Let the processes go."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _take(batches: Batches) -> None:
    global _batches
    _batches = batches


def _draw(step: int, how: Mapping[str, Any]) -> Arrays:
    assert _batches is not None
    torch.set_num_threads(1)  # a forked process may not use its parent's thread pool
    batch = _batches.draw(step, **how)
    return batch.ids_T.numpy(), batch.targets_T.numpy(), batch.sequences
