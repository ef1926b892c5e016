"""What attention heads do, by their mean weights: look back one token, continue a repetition, find the opener.

Induction (Olsson et al. 2022, arXiv 2209.11895): in a random text said twice, the weight of each token of the second
time on the token that followed its own first occurrence.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from model.network import attention
from model.network.decoder import Decoder, Step
from model.training.generated import BRACKETS
from model.training.recipe import DOCUMENT_END_ID

PERIOD = 64
TEXTS = 16


class Repetition(NamedTuple):
    """Random texts said twice: mean weights [L, H], and nats per token that each time costs."""

    induction_LH: Tensor
    first_nats: float
    second_nats: float


class Matching(NamedTuple):
    """Closing brackets: mean weight [L, H] on their own opener, on every other earlier bracket, and by chance."""

    opener_LH: Tensor
    other_LH: Tensor
    chance: float
    brackets: int


class Pair(NamedTuple):
    """Token positions of a closing bracket, of its opener, and of every other bracket before it."""

    closer: int
    opener: int
    others: tuple[int, ...]


def attention_maps(decoder: Decoder, ids_T: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Every layer's attention weights, float32 [H, Q, K], with the activations [T, D] behind that layer."""
    config = decoder.config
    step = Step(rotation_TR=decoder.rotations.rows(0, len(ids_T), length=len(ids_T)), mask_TK=None)
    x_TD = F.embedding(ids_T, decoder.weights.embedding_VD)
    for index in range(config.layers):
        map_HQK = head_weights(decoder, index, x_TD, step)
        x_TD, _, _ = decoder.layer(index, x_TD, step)
        yield map_HQK, x_TD


def head_weights(decoder: Decoder, index: int, x_TD: Tensor, step: Step) -> Tensor:
    """softmax(scale · q kᵀ) of one layer's heads on its input [T, D], float32 [H, Q, K]: for short texts."""
    config, layer = decoder.config, decoder.weights.layers[index]
    normed_TD = F.rms_norm(x_TD, (config.hidden_size,), layer.attention_norm, config.rms_norm_eps)
    new = attention.project(normed_TD, layer.attention, config, step.rotation_TR, step.temperature_T)
    k_THX, _ = attention.keys_and_values(new.kept, layer.attention, config)
    scores_HQK = torch.einsum("qhx,khx->hqk", attention.queries(new), k_THX)
    later_QK = torch.ones(len(x_TD), len(x_TD), dtype=torch.bool).triu(1)
    return scores_HQK.float().mul(decoder.scale).masked_fill(later_QK, float("-inf")).softmax(dim=-1)


@torch.inference_mode()
def previous_token(decoder: Decoder, texts: Sequence[Tensor]) -> Tensor:
    """Mean weight of every token but the first on its predecessor, [L, H]."""
    return torch.stack([_diagonal(_maps(decoder, text_T)[0], offset=1, start=1) for text_T in texts]).mean(dim=0)


@torch.inference_mode()
def repetition(decoder: Decoder, *, seed: int) -> Repetition:
    """Scores on `TEXTS` texts of `PERIOD` random tokens, said twice behind `<|endoftext|>`."""
    generator = torch.Generator().manual_seed(seed)
    scores, costs = [], []
    for _ in range(TEXTS):
        text_T = torch.randint(1, decoder.config.vocab_size, (PERIOD,), generator=generator)
        ids_T = torch.cat((text_T.new_tensor([DOCUMENT_END_ID]), text_T, text_T))
        maps, logits_TV = _maps(decoder, ids_T)
        scores.append(_diagonal(maps, offset=PERIOD - 1, start=PERIOD + 1))
        costs.append(F.cross_entropy(logits_TV[:-1], ids_T[1:], reduction="none").unflatten(0, (2, PERIOD)))
    # The second time's own first token cannot be known to be one.
    first_nats, second_nats = torch.stack(costs)[:, :, 1:].mean(dim=(0, 2)).tolist()
    return Repetition(torch.stack(scores).mean(dim=0), first_nats, second_nats)


@torch.inference_mode()
def matching(decoder: Decoder, tokenizer: Tokenizer, texts: Sequence[str], *, longest: int = 384) -> Matching:
    """Where closing brackets look, over all texts, cut to `longest` tokens."""
    opener, other, chance = [], [], []
    for text in texts:
        encoding = tokenizer.encode(text)
        pairs = [pair for pair in bracket_pairs(text, encoding.offsets) if pair.closer < longest and pair.others]
        maps, _ = _maps(decoder, torch.tensor(encoding.ids[:longest]))
        for closer, own, others in pairs:
            row_LHK = torch.stack([map_HQK[:, closer] for map_HQK in maps])
            opener.append(row_LHK[..., own])
            other.append(row_LHK[..., list(others)].mean(dim=-1))
            chance.append(1 / (closer + 1))
    return Matching(torch.stack(opener).mean(0), torch.stack(other).mean(0), sum(chance) / len(chance), len(chance))


def bracket_pairs(text: str, offsets: Sequence[tuple[int, int]]) -> list[Pair]:
    """Matching brackets whose tokens hold nothing but that bracket (and a space), in the order they close."""
    token_at = {
        place: index
        for index, (start, end) in enumerate(offsets)
        for place in range(start, end)
        if len(text[start:end].strip()) == 1 and not text[place].isspace()
    }
    closer_of = dict(BRACKETS)
    still_open: list[int] = []
    seen: list[int] = []
    pairs = []
    for place, character in enumerate(text):
        if character in closer_of:
            still_open.append(place)
        elif character in closer_of.values() and still_open:
            own = still_open.pop()
            if place in token_at and own in token_at:
                others = tuple(token_at[other] for other in seen if other != own and other in token_at)
                pairs.append(Pair(token_at[place], token_at[own], others))
        else:
            continue
        seen.append(place)
    return pairs


def _maps(decoder: Decoder, ids_T: Tensor) -> tuple[list[Tensor], Tensor]:
    """Attention weights [H, Q, K] of every layer; logits [T, V]."""
    maps, behind = zip(*attention_maps(decoder, ids_T), strict=True)
    return list(maps), decoder.logits(behind[-1])


def _diagonal(maps: list[Tensor], *, offset: int, start: int) -> Tensor:
    """Mean weight of token t ≥ start on token t − offset, [L, H]."""
    diagonals = [map_HQK.diagonal(offset=-offset, dim1=1, dim2=2) for map_HQK in maps]
    return torch.stack([diagonal_HQ[:, start - offset :].mean(dim=1) for diagonal_HQ in diagonals])
