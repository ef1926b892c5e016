"""One token's step in memory that never moves: the same operations on the same addresses, whatever the position.

A CUDA graph repeats what was captured with the pointers and shapes of that moment. So token, position and rotation
are put into small tensors beforehand, attention goes over all rows that the cache has room for, those not reached
yet masked, and experts are taken by number. Nothing here needs CUDA.
"""

from dataclasses import replace

import torch
from torch import Tensor

from model.network.cache import KvCache
from model.network.decoder import Decoder, Step, new_probe
from model.network.pieces import whole
from model.network.side_by_side import SideBySide
from model.network.weights import LayerWeights


class StaticStep:
    """The step behind one cache as long as its tensors stay where they are. Fills `probe`, leaves the cache's length.

    `decoder` must come from `side_by_side`. A step is `place`, then `run` or a graph captured of it.
    """

    def __init__(self, decoder: Decoder, cache: KvCache) -> None:
        self.probe = new_probe(decoder, 1)
        self._decoder = decoder
        self._rows = _PlacedRows(cache, torch.zeros(1, dtype=torch.int64, device=decoder.device))
        self._id_1 = torch.zeros_like(self._rows.position_1)
        self._rotation_1R = decoder.rotations.rows(0, 1, length=1).clone()
        temperature_1 = decoder.temperature(0, 1)
        self._temperature_1 = None if temperature_1 is None else temperature_1.clone()
        self._key_1K = torch.arange(cache.capacity, device=decoder.device).unsqueeze(0)
        # A masked row counts with weight 0, and 0 times what happens to lie in fresh memory may be no number.
        for tensor in self._rows.tensors:
            tensor[:, cache.length :] = 0

    def serves(self, cache: KvCache) -> bool:
        """Whether this is the cache, and it has not grown since."""
        first_LTX, second_LTY = self._rows.tensors
        return cache.first_LTX is first_LTX and cache.second_LTY is second_LTY

    def place(self, ids_T: Tensor, position: int) -> None:
        """Say which token comes next, and where; the cache has room for it."""
        decoder = self._decoder
        self._id_1.copy_(ids_T)
        self._rows.position_1.fill_(position)
        self._rotation_1R.copy_(decoder.rotations.rows(position, position + 1, length=position + 1))
        if self._temperature_1 is not None:
            temperature_1 = decoder.temperature(position, position + 1)
            assert temperature_1 is not None
            self._temperature_1.copy_(temperature_1)

    def run(self) -> Tensor:
        """The step: writes the cache's row, fills the probe, returns float32 logits [1, V]."""
        step = Step(
            rotation_TR=self._rotation_1R,
            mask_TK=self._key_1K <= self._rows.position_1,
            cache=self._rows,
            absorbed=True,
            temperature_T=self._temperature_1,
        )
        return self._decoder.logits(whole(self._decoder.layers(self._id_1, step, self.probe)))


class _PlacedRows:
    """A cache's tensors, written at `position_1`, read whole."""

    def __init__(self, cache: KvCache, position_1: Tensor) -> None:
        self.tensors = cache.first_LTX, cache.second_LTY
        self.position_1 = position_1

    def write(self, layer: int, first_TX: Tensor, second_TY: Tensor) -> tuple[Tensor, Tensor]:
        first_KX, second_KY = (tensor[layer] for tensor in self.tensors)
        return first_KX.index_copy_(0, self.position_1, first_TX), second_KY.index_copy_(0, self.position_1, second_TY)


def side_by_side(decoder: Decoder) -> Decoder | None:
    """The same decoder with each layer's experts in one piece; None where some are not in memory, or have biases."""
    layers: list[LayerWeights] = []
    for layer in decoder.weights.layers:
        moe = layer.moe
        if moe is not None:
            experts = moe.experts
            if not isinstance(experts, tuple) or any(part.bias is not None for one in experts for part in one):
                return None
            layer = replace(layer, moe=replace(moe, experts=SideBySide(experts)))
        layers.append(layer)
    return Decoder(decoder.config, replace(decoder.weights, layers=tuple(layers)))
