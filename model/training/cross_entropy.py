"""Head and cross entropy in one step: the gradient of the logits is ready as soon as they are.

A separate head would keep logits, their softmax and its gradient, each tokens × vocabulary.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_TOKENS = 512  # logits of this many tokens stay in the processor's cache
CHUNK_TOKENS_CUDA = 16_384


class _HeadCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_TD: Tensor, head_VD: Tensor, targets_T: Tensor) -> Tensor:
        grad_TV = x_TD.new_empty(len(x_TD), len(head_VD))
        likelihood_T = torch.empty(len(x_TD), device=x_TD.device)
        chunk = CHUNK_TOKENS_CUDA if x_TD.is_cuda else CHUNK_TOKENS
        for start in range(0, len(x_TD), chunk):
            rows = slice(start, start + chunk)
            torch.softmax(x_TD[rows] @ head_VD.T, dim=-1, out=grad_TV[rows])
            target = targets_T[rows, None]
            likelihood_T[rows] = grad_TV[rows].gather(1, target)[:, 0].float()
            grad_TV[rows].scatter_add_(1, target, torch.full_like(target, -1, dtype=x_TD.dtype))
        ctx.save_for_backward(grad_TV, x_TD, head_VD)
        return -likelihood_T.clamp_min(1e-30).log().mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_TV, x_TD, head_VD = ctx.saved_tensors
        scale = grads[0].to(x_TD.dtype) / len(x_TD)
        return (grad_TV @ head_VD).mul_(scale), (grad_TV.T @ x_TD).mul_(scale), None


def head_cross_entropy(x_TD: Tensor, head_VD: Tensor, targets_T: Tensor) -> Tensor:
    """Mean −ln p(target) of the logits x Wᵀ; differentiable in x and W once."""
    loss: Tensor = _HeadCrossEntropy.apply(x_TD, head_VD, targets_T)  # type: ignore[no-untyped-call]
    return loss
