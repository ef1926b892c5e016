"""How a model does on text it never saw, and whom its router sends there."""

import math
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from model.network.decoder import Decoder, new_probe
from model.training.corpus import SEPARATOR, Domain
from model.training.recipe import DOCUMENT_END_ID
from model.training.tokenizer import encode


class Reading(NamedTuple):
    """One domain's held-out text, read by the model. `text` is what was read, for a compressor to read too."""

    tokens: int
    text: bytes
    bits: float
    ids_MTA: np.ndarray  # chosen experts, best first, of every MoE layer and token

    @property
    def bits_per_byte(self) -> float:
        """Cost of the text; document ends cost bits and bring no bytes."""
        return self.bits / len(self.text)


def read_domains(
    decoder: Decoder, tokenizer: Tokenizer, domains: list[Domain], *, sequences: int, length: int
) -> dict[str, Reading]:
    """Read the first `sequences` stretches of `length` tokens of every domain's held-out text.

    Every stretch starts behind `<|endoftext|>`, as a prompt does, and knows nothing of the one before.
    """
    readings = {}
    for domain in domains:
        stream = encode(tokenizer, domain.held_out.split(SEPARATOR)).astype(np.int64)[1:]
        whole = min(sequences, len(stream) // length)
        if whole:
            rows_BT = torch.from_numpy(stream[: whole * length]).unflatten(0, (whole, length))
            readings[domain.name] = _read(decoder, rows_BT, tokenizer)
    return readings


@torch.inference_mode()
def _read(decoder: Decoder, rows_BT: Tensor, tokenizer: Tokenizer) -> Reading:
    nats, chosen = 0.0, []
    probe = new_probe(decoder, rows_BT.shape[1])
    for targets_T in rows_BT:
        ids_T = F.pad(targets_T[:-1], (1, 0), value=DOCUMENT_END_ID)
        logits_TV = decoder.step(ids_T, decoder.new_cache(), probe=probe, logits="all")
        nats += float(F.cross_entropy(logits_TV, targets_T, reduction="sum"))
        chosen.append(probe.expert_ids[:, : probe.tokens].numpy().copy())
    text = tokenizer.decode(rows_BT.flatten().tolist(), skip_special_tokens=True).encode()
    return Reading(rows_BT.numel(), text, nats / math.log(2), np.concatenate(chosen, axis=1))
