"""Routed experts for training: all of a layer's experts in three stacked tensors, tokens grouped by expert.

One grouped product per matrix replaces a loop over experts, and no number has to come back from the device to
know how many tokens each got. Rows travel by permutations alone, so both directions are plain gathers.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from model.network.moe import Routing
from model.network.weights import FeedForward, Linear, MoeWeights


@dataclass(frozen=True, slots=True, eq=False)
class StackedExperts:
    """The routed experts of one layer: gate and up [E, I, D], down [E, D, I]."""

    gate: Tensor
    up: Tensor
    down: Tensor

    def __len__(self) -> int:
        return len(self.gate)

    def __getitem__(self, expert: int, /) -> FeedForward:
        return FeedForward(Linear(self.gate[expert]), Linear(self.up[expert]), Linear(self.down[expert]))

    def __call__(self, rows_SD: Tensor, ends_E: Tensor, share_S1: Tensor) -> Tensor:
        """Answers [S, D] to rows sorted by expert, already times their share; expert e ends before row `ends_E[e]`."""
        gate_SI = F.grouped_mm(rows_SD, self.gate.transpose(1, 2), offs=ends_E)
        up_SI = F.grouped_mm(rows_SD, self.up.transpose(1, 2), offs=ends_E)
        # The share on the narrow side: the same product, a quarter of the numbers.
        return F.grouped_mm(F.silu(gate_SI) * up_SI * share_S1, self.down.transpose(1, 2), offs=ends_E)


def mix(x_TD: Tensor, routing: Routing, weights: MoeWeights) -> Tensor:
    """The same sum as `model.network.moe.mix`: chosen experts by their weights plus the shared experts, [T, D]."""
    assert isinstance(weights.experts, StackedExperts)
    chosen = routing.ids_TA.shape[1]
    sorted_S, order_S = routing.ids_TA.flatten().sort(stable=True)
    back_S = torch.empty_like(order_S).scatter_(0, order_S, torch.arange(len(order_S), device=order_S.device))
    experts_E = torch.arange(len(weights.experts), device=order_S.device)
    ends_E = torch.searchsorted(sorted_S, experts_E, right=True).to(torch.int32)
    rows_SD: Tensor = _Spread.apply(x_TD, order_S, back_S, chosen)  # type: ignore[no-untyped-call]
    share_S1: Tensor = _Permute.apply(routing.weights_TA.reshape(-1, 1), order_S, back_S)  # type: ignore[no-untyped-call]
    answers_SD = weights.experts(rows_SD, ends_E, share_S1.to(x_TD.dtype))
    by_token_SD: Tensor = _Permute.apply(answers_SD, back_S, order_S)  # type: ignore[no-untyped-call]
    out_TD: Tensor = by_token_SD.unflatten(0, (-1, chosen)).sum(dim=1)
    return out_TD if weights.shared is None else out_TD + weights.shared(x_TD)


class _Spread(torch.autograd.Function):
    """Each token's row once for every expert it chose, in the order of the experts."""

    @staticmethod
    def forward(ctx: Any, x_TD: Tensor, order_S: Tensor, back_S: Tensor, chosen: int) -> Tensor:
        ctx.save_for_backward(back_S)
        ctx.chosen = chosen
        return x_TD.index_select(0, order_S // chosen)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        (back_S,) = ctx.saved_tensors
        return grads[0].index_select(0, back_S).unflatten(0, (-1, ctx.chosen)).sum(dim=1), None, None, None


class _Permute(torch.autograd.Function):
    """Rows in another order; `back_S` is the inverse of `order_S`."""

    @staticmethod
    def forward(ctx: Any, rows_SX: Tensor, order_S: Tensor, back_S: Tensor) -> Tensor:
        ctx.save_for_backward(back_S)
        return rows_SX.index_select(0, order_S)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (back_S,) = ctx.saved_tensors
        return grads[0].index_select(0, back_S), None, None
