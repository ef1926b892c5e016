"""One text through the model with everything kept: attention of all heads, experts, and the cost of every token."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch.nn import functional as F

from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load
from model.network.decoder import Decoder, Step
from model.network.weights import AttentionWeights
from model.training.heads import head_weights


class Reader(NamedTuple):
    """A finished checkpoint in float32, and its tokenizer."""

    name: str
    fingerprint: str
    decoder: Decoder
    tokenizer: Tokenizer

    def ids(self, text: str) -> list[int]:
        """Token ids as a prompt gets them, `<|endoftext|>` in front."""
        ids: list[int] = self.tokenizer.encode(text).ids
        return ids


class Inside(NamedTuple):
    """What happened: attention float32 [L, H, T, T], experts int64 [M, T, A] best first, and bits of each token given
    those before it, float64 [T], NaN for the first.
    """

    attention_LHTT: NDArray[np.float32]
    experts_MTA: NDArray[np.int64]
    bits_T: NDArray[np.float64]


def open_reader(folder: Path) -> Reader:
    """The checkpoint in a folder, as the engine opens it on a CPU. Raises Problem."""
    checkpoint = read_checkpoint(folder)
    decoder = load(checkpoint, dtype="float32", device=torch.device("cpu"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return Reader(checkpoint.name, checkpoint.fingerprint, decoder, tokenizer)


@torch.inference_mode()
def look_inside(decoder: Decoder, ids: list[int]) -> Inside:
    """Read a text in the plain form, every attention weight written out."""
    ids_T = torch.tensor(ids)
    rotation_TR = decoder.rotations.rows(0, len(ids), length=len(ids))
    step = Step(rotation_TR=rotation_TR, mask_TK=None, temperature_T=decoder.temperature(0, len(ids)))
    x_TD, late_TD = decoder.embed(ids_T), None
    maps, experts = [], []
    for index in range(decoder.config.layers):
        assert isinstance(decoder.weights.layers[index].attention, AttentionWeights), "tours are of models with latents"
        maps.append(head_weights(decoder, index, x_TD, step))
        x_TD, late_TD, trace = decoder.layer(index, x_TD, step, late_TD)
        if trace.routing is not None:
            experts.append(trace.routing.ids_TA)
    nats_T = F.cross_entropy(decoder.logits(x_TD)[:-1], ids_T[1:], reduction="none")
    bits_T = np.append(math.nan, nats_T.double().numpy() / math.log(2))
    return Inside(torch.stack(maps).numpy(), torch.stack(experts).numpy(), bits_T)
