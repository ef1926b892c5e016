"""Which attention heads look back one token, and which continue a repetition.

Both scores are mean attention weights: of each token on its predecessor, and, in a random text said
twice, of each token of the second time on the token that followed its own first occurrence
(induction, Olsson et al. 2022, arXiv 2209.11895).
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from model.config import ModelConfig
from model.network import attention
from model.network.decoder import Decoder, Step
from model.network.weights import Weights
from model.training.recipe import DOCUMENT_END_ID

PERIOD = 128
TEXTS = 8


class HeadScores(NamedTuple):
    """Mean weights per layer and head, float32 [L, H], and what the repetition saves."""

    previous_token_LH: Tensor
    induction_LH: Tensor
    repetition_gain_bits: float


def score_heads(config: ModelConfig, weights: Weights, texts_BT: Tensor, *, seed: int) -> HeadScores:
    """Previous-token scores on real texts, induction scores on random texts said twice."""
    decoder = Decoder(config, weights)
    previous = torch.stack([_scores(decoder, text_T, offset=1, start=1)[0] for text_T in texts_BT]).mean(dim=0)
    generator = torch.Generator().manual_seed(seed)
    random_BT = torch.randint(1, config.vocab_size, (TEXTS, PERIOD), generator=generator)
    repeated = [_scores(decoder, _twice(text_T), offset=PERIOD - 1, start=PERIOD + 1) for text_T in random_BT]
    gains = [_gain(logits_TV, _twice(text_T)) for (_, logits_TV), text_T in zip(repeated, random_BT, strict=True)]
    return HeadScores(previous, torch.stack([scores for scores, _ in repeated]).mean(dim=0), sum(gains) / len(gains))


def attention_maps(decoder: Decoder, ids_T: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Every layer's attention weights, float32 [H, Q, K], with the activations [T, D] behind that layer."""
    config = decoder.config
    step = Step(rotation_TR=decoder.rotations.rows(0, len(ids_T), length=len(ids_T)), mask_TK=None)
    x_TD = F.embedding(ids_T, decoder.weights.embedding_VD)
    for index, layer in enumerate(decoder.weights.layers):
        normed_TD = F.rms_norm(x_TD, (config.hidden_size,), layer.attention_norm, config.rms_norm_eps)
        new = attention.project(normed_TD, layer.attention, config, step.rotation_TR)
        k_THX, _ = attention.keys_and_values(new.kept, layer.attention, config)
        scores_HQK = torch.einsum("qhx,khx->hqk", attention.queries(new), k_THX)
        later_QK = torch.ones(len(ids_T), len(ids_T), dtype=torch.bool).triu(1)
        masked_HQK = scores_HQK.float().mul(decoder.scale).masked_fill(later_QK, float("-inf"))
        x_TD, _, _ = decoder.layer(index, x_TD, step)
        yield masked_HQK.softmax(dim=-1), x_TD


@torch.no_grad()
def _scores(decoder: Decoder, ids_T: Tensor, *, offset: int, start: int) -> tuple[Tensor, Tensor]:
    """Mean weight of token t ≥ start on token t − offset, [L, H]; logits [T, V]."""
    maps, behind = zip(*attention_maps(decoder, ids_T), strict=True)
    diagonals = [weights_HQK.diagonal(offset=-offset, dim1=1, dim2=2) for weights_HQK in maps]
    scores_LH = torch.stack([diagonal_HQ[:, start - offset :].mean(dim=1) for diagonal_HQ in diagonals])
    return scores_LH, decoder.logits(behind[-1])


def _twice(text_T: Tensor) -> Tensor:
    return torch.cat((text_T.new_tensor([DOCUMENT_END_ID]), text_T, text_T))


def _gain(logits_TV: Tensor, ids_T: Tensor) -> float:
    """Mean bits per token that the second time costs less than the first."""
    bits_T = F.cross_entropy(logits_TV[:-1], ids_T[1:], reduction="none") / math.log(2)
    first_T, second_T = bits_T.chunk(2)
    return float(first_T[1:].mean() - second_T[1:].mean())
