"""The bins of keys that some query rows' scores are folded into, by compiled kernels where they apply."""

import importlib
import threading
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.lenses import fold_plain
from model.lenses.workers import Room, scratch
from model.recording.bits import as_array

_made: dict[str, Any] = {}
_making = threading.Lock()


def kernels() -> Any:
    """The compiled kernels for blocks, or their plain counterparts where numba is missing."""
    return _module("fold")


def row_kernels() -> Any:
    """The compiled kernels for whole rows, or their plain counterparts."""
    return _module("fold_rows")


def _module(name: str) -> Any:
    with _making:
        if name not in _made:
            try:
                _made[name] = importlib.import_module(f"model.lenses.{name}")
            except ImportError:
                _made[name] = importlib.import_module(f"model.lenses.{name}_plain")
        return _made[name]


class Bins:
    """`most` and `total` [bins, queries] of scores, see `model.lenses.fold`; bin b holds keys from edges[b] on.

    The arrays lie in `room` until other bins are made there.
    """

    def __init__(
        self,
        edges: NDArray[np.int64],
        query_Q: NDArray[np.int64],
        *,
        softmax: bool,
        adds: bool,
        device: torch.device,
        room: Room,
    ) -> None:
        self.edges, self.query_Q = edges, query_Q
        self.count = int(np.searchsorted(edges[:-1], query_Q[-1], side="right"))  # bins that some query sees
        self._softmax, self._adds = softmax, adds
        self._compiled = None if device.type != "cpu" or kernels() is fold_plain else kernels()
        shape = (self.count, len(query_Q))
        self._most = room.array("most", shape, dtype=torch.float32, device=device)
        self._total = room.array("total", shape if softmax or adds else (1, 1), dtype=torch.float32, device=device)
        if device.type == "cpu":
            self._most.numpy().fill(fold_plain.NOTHING)
            self._total.numpy().fill(0)
        else:
            self._most.fill_(float(fold_plain.NOTHING))
            self._total.zero_()
        self._query = torch.from_numpy(query_Q).to(device)
        self.most_BQ: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self.total_BQ = self.most_BQ
        if device.type == "cpu":
            self.most_BQ, self.total_BQ = self._most.numpy(), self._total.numpy()

    def fold(self, scores_KQ: Tensor, first_key: int, first_bin: int) -> None:
        """Fold the scores [k, q] of keys from `first_key` on, the first of them in bin `first_bin`."""
        if self._compiled is None:
            tensors = (self.edges, first_bin, self._most, self._total)
            fold_plain.fold(scores_KQ, first_key, self._query, *tensors, softmax=self._softmax, adds=self._adds)
            return
        kernel, scores = self._compiled, as_array(scores_KQ)
        if self._softmax:
            before = scratch("before", (len(self.query_Q),), dtype=torch.float32, device=scores_KQ.device).numpy()
            bins = (self.edges[: self.count + 1], first_bin, self.most_BQ, self.total_BQ)
            kernel.fold_softmax(scores, first_key, self.query_Q, *bins, before)
        else:
            bins = (self.edges[: self.count + 1], first_bin, self.most_BQ, self.total_BQ)
            kernel.fold_scores(scores, first_key, self.query_Q, *bins, self._adds)

    def normalisers(self) -> NDArray[np.float64]:
        """ln Σ exp(score) of every query; only right when the bins hold all keys that it sees."""
        self.arrive()
        result_Q = np.empty(len(self.query_Q))
        kernels().normalisers(self.most_BQ, self.total_BQ, self.count, result_Q)
        return result_Q

    def arrive(self) -> None:
        """Bring the bins to the processor's memory, once everything is folded in."""
        if self._most.device.type != "cpu":
            self.most_BQ, self.total_BQ = self._most.cpu().numpy(), self._total.cpu().numpy()
