"""Which tokens a step trains on: a pure function of the seed and the step's number."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from model.training.recipe import DOCUMENT_END_ID

# Rare kinds of text are seen more often than their size says, the many small languages less often.
SIZE_EXPONENT = 0.7
EMPHASIS = {"synth_struct": 2.0, "udhr_world": 0.5}
# Texts this short seldom repeat themselves, and without repetition no head learns to look for it.
REPEATED_SHARE = 0.2
PERIODS = (8, 128)  # tokens


class Batch(NamedTuple):
    """Sequences laid end to end and what follows each token, int64 [B·T]."""

    ids_T: Tensor
    targets_T: Tensor
    sequences: int

    def parts(self, count: int) -> list["Batch"]:
        """The batch in equal parts of whole sequences."""
        pairs = zip(self.ids_T.chunk(count), self.targets_T.chunk(count), strict=True)
        return [Batch(ids_T, targets_T, self.sequences // count) for ids_T, targets_T in pairs]


class Batches:
    """Draws sequences at random places of the domains' token streams."""

    def __init__(self, streams: Mapping[str, np.ndarray], *, seed: int) -> None:
        self._streams = list(streams.values())
        weights = np.array([len(ids) ** SIZE_EXPONENT * EMPHASIS.get(name, 1.0) for name, ids in streams.items()])
        self._shares = weights / weights.sum()
        self._seed = seed

    def draw(self, step: int, *, tokens: int, length: int) -> Batch:
        """Sequences start with `<|endoftext|>`, as a prompt does, wherever in a document they come from."""
        random = np.random.default_rng((self._seed, step))
        sequences = tokens // length
        rows = np.empty((sequences, length + 1), dtype=np.int64)
        rows[:, 0] = DOCUMENT_END_ID
        # Even strides through the shares: few sequences a step, yet every step sees most domains.
        places = (random.random() + np.arange(sequences)) / sequences
        for row, domain in zip(rows, np.searchsorted(self._shares.cumsum(), places), strict=True):
            stream = self._streams[min(domain, len(self._streams) - 1)]
            start = int(random.integers(0, len(stream) - length))
            row[1:] = stream[start : start + length]
            if random.random() < REPEATED_SHARE:
                row[1:] = _repeated(row[1:], random)
        ids_BT = torch.from_numpy(rows)
        return Batch(ids_BT[:, :-1].flatten(), ids_BT[:, 1:].flatten(), sequences)


def _repeated(ids_T: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The start of a text over and over, every second time with its tokens shuffled first."""
    period = int(random.integers(*PERIODS))
    part = random.permutation(ids_T[:period]) if random.random() < 0.5 else ids_T[:period]
    return np.resize(part, len(ids_T))
