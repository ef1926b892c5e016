"""Multi-head latent attention (DeepSeek-V2 §2.1), in two forms of the same mathematics.

`plain` restores every head's keys and values from the latents and suits many queries at once.
`absorbed` moves W_UK into the query and W_UV behind the sum, so the cache is read as it is: one
shared key of width C + R and one shared value of width C. It suits decoding. Neither form ever
holds H × T × T numbers for a long prompt: `plain` goes block by block, `absorbed` is for few queries.
Blocks without latents (`model.network.grouped`) come in the same two forms.
"""

from math import prod

import torch
from torch import Tensor
from torch.nn import functional as F

from model.config import LATENT_NORM_EPS, ModelConfig
from model.network import grouped
from model.network.pieces import Pieces
from model.network.projected import Projected
from model.network.rope import rotate
from model.network.weights import AttentionWeights, GroupedWeights

BLOCK_QUERIES = 128  # enough rows for full speed of a product, few enough to skip most of what is masked
BLOCK_SCORES = 2**22  # scores held at once, whatever the length


def project(
    x_TD: Tensor,
    weights: AttentionWeights | GroupedWeights,
    config: ModelConfig,
    rotation_TR: Tensor,
    temperature_T: Tensor | None = None,
) -> Projected:
    """Queries and latents, or keys and values, of the new tokens; what is rotated already carries its position.

    `temperature_T` multiplies the queries of each token; None: nothing does.
    """
    if isinstance(weights, GroupedWeights):
        return grouped.project(x_TD, weights, config, rotation_TR, temperature_T)
    source_TS = x_TD
    if weights.q_a is not None and weights.q_a_norm is not None:
        source_TS = F.rms_norm(weights.q_a(x_TD), weights.q_a_norm.shape, weights.q_a_norm, LATENT_NORM_EPS)
    q_THX = weights.q(source_TS).unflatten(-1, (config.heads, config.qk_head_dim))
    if temperature_T is not None:
        q_THX = q_THX * temperature_T[:, None, None].to(q_THX.dtype)
    content_THN, q_rope_THR = q_THX.split([config.qk_nope_head_dim, config.qk_rope_head_dim], dim=-1)
    latent_TC, k_rope_TR = weights.kv_a(x_TD).split([config.kv_lora_rank, config.qk_rope_head_dim], dim=-1)
    c_kv_TC = F.rms_norm(latent_TC, weights.kv_a_norm.shape, weights.kv_a_norm, LATENT_NORM_EPS)
    if config.c_kv_scale != 1.0:
        c_kv_TC = c_kv_TC * config.c_kv_scale
    # One rotation for all query heads and the one shared key: fewer, larger operations.
    both = rotate(torch.cat((q_rope_THR, k_rope_TR.unsqueeze(1)), 1), rotation_TR, interleaved=config.rope.interleaved)
    return Projected(source_TS, content_THN, both[:, :-1], (c_kv_TC, both[:, -1]))


def queries(new: Projected) -> Tensor:
    """Content and rotated part together, [T, H, N+R]."""
    return torch.cat((new.content_THN, new.rope_THR), dim=-1)


def keys_and_values(
    kept: tuple[Tensor, Tensor], weights: AttentionWeights | GroupedWeights, config: ModelConfig
) -> tuple[Tensor, Tensor]:
    """Every head's keys [K, H, N+R] and values [K, H, V] from what the cache keeps."""
    if isinstance(weights, GroupedWeights):
        return grouped.keys_and_values(kept, config)
    c_kv_KC, k_rope_KR = kept
    kv_KHX = F.linear(c_kv_KC, weights.kv_b_HXC.flatten(0, 1)).unflatten(-1, (config.heads, -1))
    k_KHN, v_KHV = kv_KHX.split([config.qk_nope_head_dim, config.v_head_dim], dim=-1)
    return torch.cat((k_KHN, k_rope_KR.unsqueeze(1).expand(-1, config.heads, -1)), dim=-1), v_KHV


def plain(
    new: Projected,
    kept: tuple[Tensor, Tensor],
    weights: AttentionWeights | GroupedWeights,
    config: ModelConfig,
    *,
    scale: float,
    sequences: int = 1,
) -> Pieces[Tensor]:
    """Outputs of all heads [T, H·V], keys and values expanded per head, in causal order; pauses behind every block.

    The queries are the last T of the K tokens; with several equally long `sequences` they are all of them.
    """
    q_THX = queries(new)
    k_KHX, v_KHV = keys_and_values(kept, weights, config)
    yield
    if sequences == 1 and q_THX.device.type == "cpu" and not torch.is_grad_enabled():
        out_THV = yield from _in_blocks(q_THX * scale, k_KHX, v_KHV)
        return out_THV.flatten(1)
    return _fused(q_THX, k_KHX, v_KHV, scale=scale, sequences=sequences)


def absorbed(
    new: Projected,
    kept: tuple[Tensor, Tensor],
    weights: AttentionWeights | GroupedWeights,
    config: ModelConfig,
    *,
    scale: float,
    mask_TK: Tensor | None,
) -> Tensor:
    """The same outputs [T, H·V] straight from the cached rows; `mask_TK` None means every key is visible."""
    if isinstance(weights, GroupedWeights):
        return grouped.few(new, kept, config, scale=scale, mask_TK=mask_TK)
    c_kv_KC, k_rope_KR = kept
    tokens, heads = new.content_THN.shape[:2]
    latent_HTC = torch.bmm(new.content_THN.transpose(0, 1), weights.w_uk_HNC)
    rope_XR = new.rope_THR.transpose(0, 1).reshape(heads * tokens, -1)
    scores_XK = torch.addmm(
        torch.mm(rope_XR, k_rope_KR.T), latent_HTC.flatten(0, 1), c_kv_KC.T, beta=scale, alpha=scale
    )
    if mask_TK is not None:
        scores_XK = scores_XK.masked_fill(~mask_TK.repeat(heads, 1), float("-inf"))
    probabilities_XK = torch.softmax(scores_XK, dim=-1, dtype=torch.float32).to(c_kv_KC.dtype)
    read_HTC = torch.mm(probabilities_XK, c_kv_KC).unflatten(0, (heads, tokens))
    return torch.bmm(read_HTC, weights.w_uv_HVC.transpose(1, 2)).transpose(0, 1).reshape(tokens, -1)


def _in_blocks(q_THX: Tensor, k_KHX: Tensor, v_KHV: Tensor) -> Pieces[Tensor]:
    """Softmax attention [T, H, V] of scaled queries, a block of them against the keys that it sees at a time.

    On a CPU two plain products take less time than torch's fused kernel, which multiplies with padded values, what
    is masked too, and without the processor's bfloat16 units. One buffer, small enough for the caches, serves all.
    """
    tokens, heads, keys = len(q_THX), q_THX.shape[1], len(k_KHX)
    together = max(1, BLOCK_SCORES // (BLOCK_QUERIES * keys))
    buffer = q_THX.new_empty(min(together, heads) * min(BLOCK_QUERIES, tokens) * keys)
    later = torch.ones(BLOCK_QUERIES, BLOCK_QUERIES, dtype=torch.bool, device=q_THX.device).triu(1)
    out_THV = q_THX.new_empty(tokens, heads, v_KHV.shape[2])
    q_HTX, k_HXK, v_HKV = q_THX.transpose(0, 1), k_KHX.permute(1, 2, 0), v_KHV.transpose(0, 1)
    for head in range(0, heads, together):
        some = slice(head, min(head + together, heads))
        for start in range(0, tokens, BLOCK_QUERIES):
            count = min(BLOCK_QUERIES, tokens - start)
            seen = keys - tokens + start + count
            shape = (some.stop - some.start, count, seen)
            scores_HQK = buffer[: prod(shape)].view(shape)
            torch.bmm(q_HTX[some, start : start + count], k_HXK[some, :, :seen], out=scores_HQK)
            scores_HQK[:, :, seen - count :].masked_fill_(later[:count, :count], float("-inf"))
            torch.softmax(scores_HQK, -1, out=scores_HQK)
            out_THV[start : start + count, some] = torch.bmm(scores_HQK, v_HKV[some, :seen]).transpose(0, 1)
            yield
    return out_THV


def _fused(q_THX: Tensor, k_KHX: Tensor, v_KHV: Tensor, *, scale: float, sequences: int) -> Tensor:
    """The same [T, H·V] by torch's own kernel, which also has a backward pass."""
    # torch fuses attention only for equal widths; with unequal ones it would hold H × T × K scores.
    width, tokens, keys = max(q_THX.shape[-1], v_KHV.shape[-1]), len(q_THX), len(k_KHX)
    mask_TK = None
    if tokens < keys:
        mask_TK = torch.ones(tokens, keys, dtype=torch.bool, device=q_THX.device).tril(keys - tokens)
    q, k, v = (_by_head(F.pad(x, (0, width - x.shape[-1])), sequences) for x in (q_THX, k_KHX, v_KHV))
    out_BHTV = F.scaled_dot_product_attention(q, k, v, attn_mask=mask_TK, is_causal=mask_TK is None, scale=scale)
    return out_BHTV[..., : v_KHV.shape[-1]].transpose(1, 2).reshape(tokens, -1)


def _by_head(x_THX: Tensor, sequences: int) -> Tensor:
    x_BTHX: Tensor = x_THX.unflatten(0, (sequences, -1))
    return x_BTHX.transpose(1, 2)
