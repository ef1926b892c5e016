"""How the finished model does on text it never saw, and whom its router sends there."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from model.config import ModelConfig
from model.network.rope import RotaryTable
from model.network.weights import Weights
from model.training.corpus import SEPARATOR, Domain
from model.training.forward import hidden
from model.training.recipe import DOCUMENT_END_ID
from model.training.tokenizer import encode

SEQUENCES_AT_ONCE = 4


class Reading(NamedTuple):
    """One domain's held-out text, read by the model."""

    tokens: int
    bytes: int
    bits: float
    ids_MTA: np.ndarray  # chosen experts, best first, of every MoE layer and token

    @property
    def bits_per_byte(self) -> float:
        """Cost of the text; document ends cost bits and bring no bytes."""
        return self.bits / self.bytes


def read_domains(
    config: ModelConfig, weights: Weights, tokenizer: Tokenizer, domains: list[Domain], *, sequences: int, length: int
) -> dict[str, Reading]:
    """Read the first `sequences` stretches of `length` tokens of every domain's held-out text."""
    widths_V = token_bytes(tokenizer)
    readings = {}
    for domain in domains:
        stream = encode(tokenizer, domain.held_out.split(SEPARATOR)).astype(np.int64)[1:]
        whole = min(sequences, len(stream) // length)
        if whole:
            rows_BT = torch.from_numpy(stream[: whole * length]).unflatten(0, (whole, length))
            readings[domain.name] = _read(config, weights, rows_BT, widths_V)
    return readings


def token_bytes(tokenizer: Tokenizer) -> np.ndarray:
    """Bytes each token stands for, [V]: a byte-level token has one character per byte, a special one none."""
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    widths_V = np.zeros(len(vocabulary), dtype=np.int64)
    widths_V[list(vocabulary.values())] = [len(word) for word in vocabulary]
    widths_V[DOCUMENT_END_ID] = 0
    return widths_V


def stretches(rows_BT: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets [T] of a few sequences at a time; every sequence starts behind `<|endoftext|>`."""
    for targets_BT in rows_BT.split(SEQUENCES_AT_ONCE):
        yield F.pad(targets_BT[:, :-1], (1, 0), value=DOCUMENT_END_ID).flatten(), targets_BT.flatten()


@torch.no_grad()
def _read(config: ModelConfig, weights: Weights, rows_BT: Tensor, widths_V: np.ndarray) -> Reading:
    length = rows_BT.shape[1]
    rotation_TR = RotaryTable(config.rope, config.qk_rope_head_dim, torch.device("cpu")).rows(0, length, length=length)
    nats, chosen = 0.0, []
    for ids_T, targets_T in stretches(rows_BT):
        sequences = len(ids_T) // length
        x_TD, routings = hidden(config, weights, ids_T, rotation_TR.repeat(sequences, 1), sequences=sequences)
        for part_TD, target_T in zip(x_TD.split(512), targets_T.split(512), strict=True):
            nats += float(F.cross_entropy(weights.head(part_TD).float(), target_T, reduction="sum"))
        chosen.append(torch.stack([routing.ids_TA for routing in routings]))
    size = int(widths_V[rows_BT.flatten().numpy()].sum())
    return Reading(rows_BT.numel(), size, nats / math.log(2), torch.cat(chosen, dim=1).numpy())
