"""What a head's rows add up to: frozen, as plain arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from widgets.attention.data import Stage


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sums:
    """received float64 [T] is the attention each key got from the queries looked at, seen int64 [T] how many see it.

    entropy float32 [n], nats, of queries int64 [n]; distance float64 [b] shares on edges[i] … edges[i + 1] − 1
    tokens; sinks int64: keys with the most mean attention.
    """

    layer: int
    head: int
    queries: NDArray[np.int64]
    received: NDArray[np.float64]
    seen: NDArray[np.int64]
    entropy: NDArray[np.float32]
    distance: NDArray[np.float64]
    edges: NDArray[np.int64]
    sinks: NDArray[np.int64]
    stage: Stage

    def mean_received(self) -> NDArray[np.float32]:
        """Mean attention of each key over the queries that see it, float32 [T]; NaN where none was looked at."""
        mean = np.full(len(self.received), np.nan)
        np.divide(self.received, self.seen, out=mean, where=self.seen > 0)
        return mean.astype(np.float32)
