"""A KV cache that counts how often each of its entries is read, and by how many queries of its own token."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config import ModelConfig
from model.network.cache import KvCache


class CountedCache(KvCache):
    """Counts where the rows are handed to attention: each query reads every entry up to its own token once.

    `reads_LT` int64 [L, length]: readings of each entry in each layer, by its own token's query and by later ones;
    `queries_LT` int64 [L, length]: for how many steps each token's query was used.
    """

    def __init__(self, config: ModelConfig, *, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__(config, dtype=dtype, device=device)
        self.reads_LT = self.queries_LT = np.zeros((config.layers, 0), np.int64)

    def write(self, layer: int, first_TX: Tensor, second_TY: Tensor) -> tuple[Tensor, Tensor]:
        """As every cache does, and count."""
        rows = super().write(layer, first_TX, second_TY)
        start, end = self.length, len(rows[0])
        self.reads_LT, self.queries_LT = _grown(self.reads_LT, end), _grown(self.queries_LT, end)
        self.reads_LT[layer, :start] += end - start
        self.reads_LT[layer, start:end] += np.arange(end - start, 0, -1)
        self.queries_LT[layer, start:end] += 1
        return rows


def _grown(counts_LT: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    missing = length - counts_LT.shape[1]
    return counts_LT if missing <= 0 else np.pad(counts_LT, ((0, 0), (0, missing)))
