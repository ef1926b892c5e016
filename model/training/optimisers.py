"""torch's Muon for the hidden matrices, AdamW for the rest, the work shared between two threads."""

from concurrent.futures import Executor
from typing import Any

import torch
from torch import Tensor

from model.training.parameters import is_matrix
from model.training.recipe import Recipe

THREADS = 2


class Optimisers:
    """Several torch optimisers stepping as one; each owns its own weights, so they may run side by side."""

    def __init__(self, masters: dict[str, Tensor], recipe: Recipe) -> None:
        matrices = [tensor for name, tensor in masters.items() if is_matrix(name)]
        vectors = [tensor for name, tensor in masters.items() if not is_matrix(name)]
        # One Newton-Schulz iteration per matrix, so matrices are dealt out like cards.
        self._members: list[torch.optim.Optimizer] = [
            torch.optim.Muon(
                matrices[part::THREADS],
                lr=recipe.matrix_rate,
                weight_decay=recipe.weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
            for part in range(THREADS)
        ]
        self._members.append(torch.optim.AdamW(vectors, lr=recipe.vector_rate, betas=(0.9, 0.98), weight_decay=0.0))
        self._rates = [member.param_groups[0]["lr"] for member in self._members]

    def step(self, share: float, workers: Executor) -> None:
        """One update with every rate multiplied by `share`."""
        for member, rate in zip(self._members, self._rates, strict=True):
            member.param_groups[0]["lr"] = rate * share
        list(workers.map(lambda member: member.step(), self._members))

    def state(self) -> list[dict[str, Any]]:
        """What `restore` needs."""
        return [member.state_dict() for member in self._members]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Continue where `state` was taken."""
        for member, saved in zip(self._members, state, strict=True):
            member.load_state_dict(saved)
