"""Attention over cached keys and values: MHA (one for every head), GQA (one a group of heads), MQA (one for all).

MHA: arXiv 1706.03762; MQA: 1911.02150; GQA: 2305.13245. The three differ in one number, the key-value heads G.
"""

import torch
from torch import Tensor

from model.config import ModelConfig
from model.network.projected import Projected
from model.network.rope import rotate
from model.network.weights import GroupedWeights


def project(
    x_TD: Tensor,
    weights: GroupedWeights,
    config: ModelConfig,
    rotation_TR: Tensor,
    temperature_T: Tensor | None = None,
) -> Projected:
    """Queries, keys and values of the new tokens; queries and keys already carry their positions."""
    widths = [config.qk_rope_head_dim, config.qk_nope_head_dim]
    q_THX = weights.q(x_TD).unflatten(-1, (config.heads, config.qk_head_dim))
    if temperature_T is not None:
        q_THX = q_THX * temperature_T[:, None, None].to(q_THX.dtype)
    k_TGX = weights.k(x_TD).unflatten(-1, (-1, config.qk_head_dim))
    rope, content = torch.cat((q_THX, k_TGX), dim=1).split(widths, dim=-1)
    rope = rotate(rope, rotation_TR, interleaved=config.rope.interleaved)
    k_TGX = torch.cat((content[:, config.heads :], rope[:, config.heads :]), dim=-1)
    return Projected(x_TD, content[:, : config.heads], rope[:, : config.heads], (k_TGX.flatten(1), weights.v(x_TD)))


def by_group(kept: tuple[Tensor, Tensor], config: ModelConfig) -> tuple[Tensor, Tensor]:
    """The cached rows as keys [K, G, N+R] and values [K, G, V]; nothing is copied."""
    return kept[0].unflatten(-1, (-1, config.qk_head_dim)), kept[1].unflatten(-1, (-1, config.v_head_dim))


def keys_and_values(kept: tuple[Tensor, Tensor], config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Keys [K, H, N+R] and values [K, H, V] as every head sees them: its group's."""
    k_KGX, v_KGV = by_group(kept, config)
    if k_KGX.shape[1] == config.heads:
        return k_KGX, v_KGV
    share = config.heads // k_KGX.shape[1]
    return k_KGX.repeat_interleave(share, dim=1), v_KGV.repeat_interleave(share, dim=1)


def few(
    new: Projected, kept: tuple[Tensor, Tensor], config: ModelConfig, *, scale: float, mask_TK: Tensor | None
) -> Tensor:
    """Outputs of all heads [T, H·V] for few queries: each group's keys are read once for all heads of the group.

    `mask_TK` None means every key is visible.
    """
    tokens = len(new.content_THN)
    k_KGX, v_KGV = by_group(kept, config)
    groups = k_KGX.shape[1]
    q_HTX = torch.cat((new.content_THN, new.rope_THR), dim=-1).transpose(0, 1)
    q_GXX = q_HTX.reshape(groups, -1, config.qk_head_dim)  # a group's heads, each with all tokens
    scores_GXK = torch.bmm(q_GXX, k_KGX.permute(1, 2, 0)) * scale
    if mask_TK is not None:
        scores_GXK = scores_GXK.masked_fill(~mask_TK.repeat(config.heads // groups, 1), float("-inf"))
    probabilities_GXK = torch.softmax(scores_GXK, dim=-1, dtype=torch.float32).to(v_KGV.dtype)
    read_HTV = torch.bmm(probabilities_GXK, v_KGV.transpose(0, 1)).reshape(config.heads, tokens, -1)
    return read_HTV.transpose(0, 1).reshape(tokens, -1)
