"""Muon (Jordan 2024, kellerjordan.github.io/posts/muon) on stacks: all matrices of one shape in one iteration.

The update is torch.optim.Muon's with `adjust_lr_fn="match_rms_adamw"`, to which a test holds it. torch takes one
matrix at a time: three hundred small ones are three hundred Newton-Schulz iterations a step. Here experts are
stacked already, and other matrices of one shape are stacked for the iteration.
"""

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
MOMENTUM = 0.95


class Muon:
    """Momentum and update of matrices [a, b] or stacks of them [n, a, b]; rates and decay as in AdamW."""

    def __init__(self, matrices: list[Tensor], *, rate: float, weight_decay: float, dtype: torch.dtype) -> None:
        self._matrices, self._rate, self._decay, self._dtype = matrices, rate, weight_decay, dtype
        self._momenta = [torch.zeros_like(matrix) for matrix in matrices]
        self._alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for index, matrix in enumerate(matrices):
            self._alike[tuple(matrix.shape[-2:])].append(index)

    @torch.no_grad()
    def step(self, share: float) -> None:
        """One update from the matrices' gradients with the rate times `share`."""
        grads = [matrix.grad for matrix in self._matrices if matrix.grad is not None]
        assert len(grads) == len(self._matrices)
        torch._foreach_lerp_(self._momenta, grads, 1 - MOMENTUM)
        looked_ahead = torch._foreach_lerp(grads, self._momenta, MOMENTUM)
        torch._foreach_mul_(self._matrices, 1 - self._rate * share * self._decay)
        for (rows, columns), members in self._alike.items():
            stacks = [looked_ahead[index].reshape(-1, rows, columns) for index in members]
            updates = orthogonalised(torch.cat(stacks).to(self._dtype)).split([len(stack) for stack in stacks])
            length = 0.2 * max(rows, columns) ** 0.5 * self._rate * share
            for index, update in zip(members, updates, strict=True):
                self._matrices[index].add_(update.view_as(self._matrices[index]), alpha=-length)

    def state_dict(self) -> dict[str, Any]:
        """The momenta."""
        return {"momenta": self._momenta}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        for mine, saved in zip(self._momenta, state["momenta"], strict=True):
            mine.copy_(saved)


def orthogonalised(matrices_NXY: Tensor) -> Tensor:
    """The nearest semi-orthogonal matrix of each, roughly, by Newton-Schulz iterations; [N, X, Y]."""
    a, b, c = COEFFICIENTS
    tall = matrices_NXY.shape[1] > matrices_NXY.shape[2]
    x = matrices_NXY.mT if tall else matrices_NXY
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
