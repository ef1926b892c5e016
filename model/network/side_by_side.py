"""A layer's experts in one tensor for each matrix, so that a token's are taken by number without asking the device.

Experts one by one need the chosen numbers in Python, and every layer of a step would wait for the device to tell
them. Here a step is nothing but operations, as a CUDA graph wants it. The chosen matrices are copied on the way.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from model.network.weights import FeedForward


class SideBySide:
    """Experts without biases, for one token at a time; those behind the stored ones give back what they get."""

    def __init__(self, experts: Sequence[FeedForward]) -> None:
        self._experts = experts
        self._gate_EWD, self._up_EWD, self._down_EDW = (
            joined([linear.weight for linear in each]) for each in zip(*experts, strict=True)
        )

    def __len__(self) -> int:
        return len(self._experts)

    def __getitem__(self, expert: int, /) -> FeedForward:
        return self._experts[expert]

    def mixed(self, x_1D: Tensor, ids_1A: Tensor, weights_1A: Tensor) -> Tensor:
        """The weighted sum of one token's experts, [1, D]; added up in float32."""
        ids_A = ids_1A[0].clamp(max=len(self) - 1)
        x_AD1 = x_1D.unsqueeze(2).expand(len(ids_A), -1, -1)
        gate_AW1, up_AW1 = (torch.bmm(part[ids_A], x_AD1) for part in (self._gate_EWD, self._up_EWD))
        answer_AD = torch.bmm(self._down_EDW[ids_A], F.silu(gate_AW1) * up_AW1).squeeze(2)
        answer_AD = torch.where((ids_1A[0] < len(self)).unsqueeze(1), answer_AD, x_1D)
        return (weights_1A[0].unsqueeze(1) * answer_AD.float()).sum(dim=0, keepdim=True).to(x_1D.dtype)


def joined(matrices: list[Tensor]) -> Tensor:
    """Matrices of one shape as one tensor [E, …]: a view where they follow each other in memory, otherwise a copy."""
    first = matrices[0]
    storage, size = first.untyped_storage().data_ptr(), first.numel()
    follow = all(
        one.untyped_storage().data_ptr() == storage
        and one.is_contiguous()
        and one.storage_offset() == first.storage_offset() + number * size
        for number, one in enumerate(matrices)
    )
    return first.as_strided((len(matrices), *first.shape), (size, *first.stride())) if follow else torch.stack(matrices)
