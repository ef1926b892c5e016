"""Which tokens a step trains on: a pure function of the seed and the step's number."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from model.training.generated import Exercises
from model.training.recipe import DOCUMENT_END_ID

# Rare kinds of text are seen more often than their size says, the many small languages less often.
SIZE_EXPONENT = 0.6
EMPHASIS = {"synth_struct": 1.5, "udhr_world": 0.6}


class Batch(NamedTuple):
    """Sequences laid end to end and what follows each token, int64 [B·T]."""

    ids_T: Tensor
    targets_T: Tensor
    sequences: int

    def parts(self, count: int) -> list["Batch"]:
        """The batch in equal parts of whole sequences."""
        pairs = zip(self.ids_T.chunk(count), self.targets_T.chunk(count), strict=True)
        return [Batch(ids_T, targets_T, self.sequences // count) for ids_T, targets_T in pairs]

    def to(self, device: torch.device) -> "Batch":
        """The batch on another device, without waiting for it."""
        return Batch(self.ids_T.to(device, non_blocking=True), self.targets_T.to(device, non_blocking=True), self[2])


class Batches:
    """Draws sequences at random places of the domains' token streams, and exercises between them."""

    def __init__(self, streams: Mapping[str, np.ndarray], *, seed: int, exercises: Exercises | None = None) -> None:
        self._streams = list(streams.values())
        weights = np.array([len(ids) ** SIZE_EXPONENT * EMPHASIS.get(name, 1.0) for name, ids in streams.items()])
        self._shares = weights / weights.sum()
        self._seed = seed
        self._exercises = exercises

    def draw(self, step: int, *, tokens: int, length: int, exercises: float = 0.0) -> Batch:
        """Sequences start with `<|endoftext|>`, as a prompt does, wherever in a document they come from.

        A share of `exercises` of them is made up.
        """
        random = np.random.default_rng((self._seed, step))
        sequences = tokens // length
        rows = np.empty((sequences, length + 1), dtype=np.int64)
        rows[:, 0] = DOCUMENT_END_ID
        # Even strides through the shares: few sequences a step, yet every step sees most domains.
        places = (random.random() + np.arange(sequences)) / sequences
        for row, domain in zip(rows, np.searchsorted(self._shares.cumsum(), places), strict=True):
            if self._exercises is not None and random.random() < exercises:
                row[1:] = self._exercises.draw(random, length)
                continue
            stream = self._streams[min(domain, len(self._streams) - 1)]
            start = int(random.integers(0, len(stream) - length))
            row[1:] = stream[start : start + length]
        ids_BT = torch.from_numpy(rows)
        return Batch(ids_BT[:, :-1].flatten(), ids_BT[:, 1:].flatten(), sequences)
