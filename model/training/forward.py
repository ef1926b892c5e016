"""The decoder's forward pass arranged for training: many sequences at once, every step fast to differentiate.

The mathematics and the weights are `model.network`'s; a test holds both to the same logits. What
differs is attention by blocks of queries (the fused kernel's backward pass is slow on a CPU) and the
experts' gather, whose general backward pass is serial.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from model.config import ModelConfig
from model.network import attention, moe
from model.network.rope import softmax_scale
from model.network.weights import LayerWeights, MoeWeights, Weights

QUERY_BLOCK = 128


def hidden(
    config: ModelConfig, weights: Weights, ids_T: Tensor, rotation_TR: Tensor, *, sequences: int
) -> tuple[Tensor, list[moe.Routing]]:
    """Final normed activations [T, D] of equally long sequences laid end to end, and each MoE layer's routing."""
    routings: list[moe.Routing] = []
    x_TD = F.embedding(ids_T, weights.embedding_VD)
    for layer in weights.layers:
        normed_TD = F.rms_norm(x_TD, (config.hidden_size,), layer.attention_norm, config.rms_norm_eps)
        x_TD = x_TD + _attend(config, normed_TD, layer, rotation_TR, sequences)
        normed_TD = F.rms_norm(x_TD, (config.hidden_size,), layer.mlp_norm, config.rms_norm_eps)
        if layer.moe is None:
            assert layer.dense is not None
            x_TD = x_TD + layer.dense(normed_TD)
            continue
        assert config.router is not None
        routing = moe.route(normed_TD, layer.moe, config.router)
        routings.append(routing)
        x_TD = x_TD + _mix(normed_TD, routing, layer.moe)
    return F.rms_norm(x_TD, (config.hidden_size,), weights.norm, config.rms_norm_eps), routings


def _attend(config: ModelConfig, x_TD: Tensor, layer: LayerWeights, rotation_TR: Tensor, sequences: int) -> Tensor:
    weights = layer.attention
    new = attention.project(x_TD, weights, config, rotation_TR)
    kv_THX = F.linear(new.c_kv_TC, weights.kv_b_HXC.flatten(0, 1)).unflatten(-1, (config.heads, -1))
    k_THN, v_THV = kv_THX.split([config.qk_nope_head_dim, config.v_head_dim], dim=-1)
    q_THX = torch.cat((new.content_THN, new.rope_THR), dim=-1) * softmax_scale(config)
    k_THX = torch.cat((k_THN, new.k_rope_TR.unsqueeze(1).expand(-1, config.heads, -1)), dim=-1)
    q, k, v = (_by_sequence_and_head(x, sequences) for x in (q_THX, k_THX, v_THV))
    out_XTV = torch.cat([_block(q, k, v, start) for start in range(0, q.shape[1], QUERY_BLOCK)], dim=1)
    heads_TX = out_XTV.unflatten(0, (sequences, -1)).transpose(1, 2).reshape(len(x_TD), -1)
    return weights.o(heads_TX)


def _block(q_XTN: Tensor, k_XTN: Tensor, v_XTV: Tensor, start: int) -> Tensor:
    """Attention of one block of queries to the keys up to its end: a third of all pairs never exists."""
    end = min(start + QUERY_BLOCK, q_XTN.shape[1])
    hidden_TK = torch.full((end - start, end), float("-inf"), dtype=q_XTN.dtype).triu(start + 1)
    keys_XNK = k_XTN[:, :end].transpose(1, 2)
    shares_XTK = torch.baddbmm(hidden_TK, q_XTN[:, start:end], keys_XNK).softmax(dim=-1)
    return shares_XTK.bmm(v_XTV[:, :end])


def _by_sequence_and_head(x_THX: Tensor, sequences: int) -> Tensor:
    return torch.flatten(x_THX.unflatten(0, (sequences, -1)).transpose(1, 2), 0, 1)


def _mix(x_TD: Tensor, routing: moe.Routing, weights: MoeWeights) -> Tensor:
    """The same sum as `moe.mix`, with a gather whose backward pass is one index_add."""
    out_TD = torch.zeros_like(x_TD) if weights.shared is None else weights.shared(x_TD)
    order_S = routing.ids_TA.flatten().argsort(stable=True)
    counts = routing.ids_TA.flatten().bincount(minlength=len(weights.experts)).tolist()
    token_S = order_S // routing.ids_TA.shape[1]
    rows_SD: Tensor = _Gather.apply(x_TD, token_S)  # type: ignore[no-untyped-call]
    answers_SD = torch.cat([weights.experts[expert](rows) for expert, rows in enumerate(rows_SD.split(counts))])
    share_S1 = routing.weights_TA.flatten()[order_S, None].to(x_TD.dtype)
    return out_TD.index_add(0, token_S, answers_SD * share_S1)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_TD: Tensor, index_S: Tensor) -> Tensor:
        ctx.save_for_backward(index_S)
        ctx.tokens = len(x_TD)
        return x_TD.index_select(0, index_S)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (index_S,) = ctx.saved_tensors
        grad_TD = grads[0].new_zeros(ctx.tokens, grads[0].shape[1])
        return grad_TD.index_add_(0, index_S, grads[0]), None
