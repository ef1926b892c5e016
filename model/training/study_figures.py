"""The study's figures of one trained model, each measured on the model itself."""

import math
import time
from statistics import median
from typing import NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor

from model.config import ModelConfig
from model.network.decoder import Decoder
from model.network.weights import bind
from model.training.corpus import Domain
from model.training.heads import repetition
from model.training.held_out import read_domains
from model.training.recipe import DOCUMENT_END_ID

SEQUENCES, LENGTH = 4, 1024  # read of every domain
CHARACTERS = 60_000  # of its held-out text, more than those take
SEED = 20
CONTEXTS = (64, 2048)
TURNS, TURN = 9, 8  # decode speed is the median of turns, the four models in turn


def held_out_texts(domains: list[Domain]) -> list[Domain]:
    """What quality is measured on: the start of every domain's held-out text."""
    return [Domain(domain.name, "", domain.held_out[:CHARACTERS]) for domain in domains]


class Quality(NamedTuple):
    """Bits per byte by domain, mean weight of the best induction head, bits per token a repetition saves."""

    held_out: dict[str, float]
    induction: float
    repetition_gain: float


def quality(config: ModelConfig, weights: dict[str, Tensor], words: Tokenizer, domains: list[Domain]) -> Quality:
    """Of exactly these weights; computed in float32, so that a machine without bfloat16 units says the same."""
    decoder = Decoder(config, bind(config, {name: tensor.float() for name, tensor in weights.items()}))
    readings = read_domains(decoder, words, domains, sequences=SEQUENCES, length=LENGTH)
    said_twice = repetition(decoder, seed=SEED)
    return Quality(
        {name: round(reading.bits_per_byte, 4) for name, reading in readings.items()},
        round(float(said_twice.induction_LH.max()), 4),
        round((said_twice.first_nats - said_twice.second_nats) / math.log(2), 4),
    )


def measured_bytes_per_token(decoder: Decoder, *, tokens: int = 96) -> float:
    """Bytes of the valid rows of a real cache behind a real pass, per token."""
    cache = decoder.new_cache()
    ids_T = torch.arange(1, tokens + 1, device=decoder.device) % decoder.config.vocab_size
    with torch.inference_mode():
        decoder.step(ids_T, cache)
    return cache.used_bytes() / tokens


def decode_speeds(decoders: list[Decoder]) -> list[dict[str, float]]:
    """Tokens per second of torch's decode step on one thread at each context, all models in turns."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        by_context = {context: _race(decoders, context) for context in CONTEXTS}
    finally:
        torch.set_num_threads(threads)
    return [{str(context): speeds[index] for context, speeds in by_context.items()} for index in range(len(decoders))]


@torch.inference_mode()
def _race(decoders: list[Decoder], context: int) -> list[float]:
    """Each turn goes on where the prompt ended: `context` counts the last turn's tokens too."""
    caches = []
    for decoder in decoders:
        cache = decoder.new_cache()
        decoder.step(torch.arange(1, context - TURN + 1) % decoder.config.vocab_size, cache)
        caches.append(cache)
    seconds: list[list[float]] = [[] for _ in decoders]
    token = torch.tensor([DOCUMENT_END_ID + 1])
    for _ in range(TURNS):
        for taken, decoder, cache in zip(seconds, decoders, caches, strict=True):
            cache.length = context - TURN
            began = time.perf_counter()
            for _ in range(TURN):
                decoder.step(token, cache, absorbed=True)
            taken.append(time.perf_counter() - began)
    return [round(TURN / median(taken), 1) for taken in seconds]
