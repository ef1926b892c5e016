"""The decoder's forward pass arranged for training: many sequences at once, every step fast to differentiate.

The mathematics and the weights are `model.network`'s; a test holds both to the same logits. What
differs is attention by blocks of queries on a CPU, where the fused kernel's backward pass is slow, and the experts,
which answer all at once (see `model.training.experts`).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from model.config import ModelConfig
from model.network import attention, moe
from model.network.rope import softmax_scale
from model.network.weights import LayerWeights, Weights
from model.training import experts

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
        x_TD = x_TD + experts.mix(normed_TD, routing, layer.moe)
    return F.rms_norm(x_TD, (config.hidden_size,), weights.norm, config.rms_norm_eps), routings


def _attend(config: ModelConfig, x_TD: Tensor, layer: LayerWeights, rotation_TR: Tensor, sequences: int) -> Tensor:
    weights = layer.attention
    new = attention.project(x_TD, weights, config, rotation_TR)
    k_THX, v_THV = attention.keys_and_values(new.kept, weights, config)
    q_THX = attention.queries(new) * softmax_scale(config)
    return weights.o(_causal(q_THX, k_THX, v_THV, sequences))


def _causal(q_THX: Tensor, k_THX: Tensor, v_THV: Tensor, sequences: int) -> Tensor:
    """Outputs of all heads [T, H·V]; queries already carry the softmax scale."""
    if q_THX.is_cuda:
        return _fused(q_THX, k_THX, v_THV, sequences)
    q, k, v = (_by_sequence_and_head(x, sequences) for x in (q_THX, k_THX, v_THV))
    out_XTV = torch.cat([_block(q, k, v, start) for start in range(0, q.shape[1], QUERY_BLOCK)], dim=1)
    heads_TX: Tensor = out_XTV.unflatten(0, (sequences, -1)).transpose(1, 2).reshape(len(q_THX), -1)
    return heads_TX


def _fused(q_THX: Tensor, k_THX: Tensor, v_THV: Tensor, sequences: int) -> Tensor:
    """The fused kernel wants equal widths: values are padded, and cut again."""
    width = v_THV.shape[-1]
    padded = F.pad(v_THV, (0, q_THX.shape[-1] - width))
    q, k, v = (x.unflatten(0, (sequences, -1)).transpose(1, 2) for x in (q_THX, k_THX, padded))
    out_BHTV = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1.0)[..., :width]
    heads_TX: Tensor = out_BHTV.transpose(1, 2).reshape(len(q_THX), -1)
    return heads_TX


def _block(q_XTN: Tensor, k_XTN: Tensor, v_XTV: Tensor, start: int) -> Tensor:
    """Attention of one block of queries to the keys up to its end: a third of all pairs never exists."""
    end = min(start + QUERY_BLOCK, q_XTN.shape[1])
    hidden_TK = torch.full((end - start, end), float("-inf"), dtype=q_XTN.dtype).triu(start + 1)
    keys_XNK = k_XTN[:, :end].transpose(1, 2)
    shares_XTK = torch.baddbmm(hidden_TK, q_XTN[:, start:end], keys_XNK).softmax(dim=-1)
    return shares_XTK.bmm(v_XTV[:, :end])


def _by_sequence_and_head(x_THX: Tensor, sequences: int) -> Tensor:
    return torch.flatten(x_THX.unflatten(0, (sequences, -1)).transpose(1, 2), 0, 1)
