"""Muon for the hidden matrices, fused AdamW for the rest, stepping as one."""

from typing import Any

import torch
from torch import Tensor

from model.training.muon import Muon
from model.training.parameters import is_correction_bias, is_matrix
from model.training.recipe import Recipe


class Optimisers:
    """Each owns its own weights; correction biases belong to neither (see `model.training.bias`)."""

    def __init__(self, masters: dict[str, Tensor], recipe: Recipe, *, dtype: torch.dtype) -> None:
        trained = {name: tensor for name, tensor in masters.items() if not is_correction_bias(name)}
        matrices = [tensor for name, tensor in trained.items() if is_matrix(name)]
        vectors = [tensor for name, tensor in trained.items() if not is_matrix(name)]
        self._muon = Muon(matrices, rate=recipe.matrix_rate, weight_decay=recipe.weight_decay, dtype=dtype)
        self._adamw = torch.optim.AdamW(vectors, lr=recipe.vector_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
        self._rate = recipe.vector_rate

    def step(self, share: float) -> None:
        """One update with every rate multiplied by `share`."""
        self._adamw.param_groups[0]["lr"] = self._rate * share
        self._adamw.step()
        self._muon.step(share)

    def state(self) -> list[dict[str, Any]]:
        """What `restore` needs."""
        return [self._muon.state_dict(), self._adamw.state_dict()]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Continue where `state` was taken."""
        self._muon.load_state_dict(state[0])
        self._adamw.load_state_dict(state[1])
