"""The numbers a checkpoint is published with, as one JSON-ready dictionary."""

from typing import Any, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from model.config import ModelConfig, RouterConfig
from model.network.weights import Weights
from model.shapes import parameters_active, parameters_total
from model.training.corpus import SEPARATOR, Domain
from model.training.heads import HeadScores, score_heads
from model.training.held_out import Reading, read_domains
from model.training.recipe import DOCUMENT_END_ID, Recipe
from model.training.run import Progress
from model.training.specialisation import expert_counts, max_violation, mutual_information
from model.training.tokenizer import encode

SEQUENCES_PER_DOMAIN = 12
HEAD_TEXT_TOKENS = 256


class Subject(NamedTuple):
    """What is reported on."""

    config: ModelConfig
    weights: Weights
    tokenizer: Tokenizer
    domains: list[Domain]


def report(subject: Subject, recipe: Recipe, progress: Progress) -> dict[str, Any]:
    """Held-out cost by domain, routing by layer, heads, and what training took."""
    readings = read_domains(*subject, sequences=SEQUENCES_PER_DOMAIN, length=recipe.sequence_length)
    layers = _layers(subject.config, list(readings.values()))
    return {
        "format": 1,
        "parameters": parameters_total(subject.config),
        "parameters_active": parameters_active(subject.config),
        "training": {
            "tokens": progress.tokens,
            "steps": progress.step,
            "wall_seconds": round(progress.wall_seconds),
            "processor_seconds": round(progress.processor_seconds),
        },
        "held_out": {name: _cost(reading) for name, reading in readings.items()},
        "domain_bits": round(float(np.log2(len(readings))), 4),
        "layers": layers,
        "device_max_violation_mean": round(float(np.mean([layer["device_max_violation"] for layer in layers])), 4),
        "heads": _heads(score_heads(subject.config, subject.weights, _head_texts(subject), seed=recipe.seed)),
    }


def _cost(reading: Reading) -> dict[str, float]:
    return {
        "tokens": reading.tokens,
        "bytes": reading.bytes,
        "bits_per_byte": round(reading.bits_per_byte, 4),
        "bits_per_token": round(reading.bits / reading.tokens, 4),
    }


def _layers(config: ModelConfig, readings: list[Reading]) -> list[dict[str, float]]:
    """Every domain counts alike, however much of it was read."""
    assert config.router is not None
    return [
        {"layer": layer, **_routing(config.router, [reading.ids_MTA[row] for reading in readings])}
        for row, layer in enumerate(config.moe_layers)
    ]


def _routing(router: RouterConfig, ids_by_domain: list[np.ndarray]) -> dict[str, float]:
    first_XE = np.stack([expert_counts(ids_TA[:, 0], router.experts) for ids_TA in ids_by_domain])
    load_E = np.sum([expert_counts(ids_TA, router.experts) / len(ids_TA) for ids_TA in ids_by_domain], axis=0)
    return {
        "domain_expert_bits": round(mutual_information(first_XE), 4),
        "expert_max_violation": round(max_violation(load_E), 4),
        "device_max_violation": round(max_violation(load_E.reshape(router.groups, -1).sum(axis=1)), 4),
    }


def _head_texts(subject: Subject) -> Tensor:
    """The start of every domain's held-out text behind `<|endoftext|>`, [B, T]."""
    streams = (encode(subject.tokenizer, domain.held_out.split(SEPARATOR)) for domain in subject.domains)
    rows = [stream[:HEAD_TEXT_TOKENS].astype(np.int64) for stream in streams if len(stream) >= HEAD_TEXT_TOKENS]
    assert all(row[0] == DOCUMENT_END_ID for row in rows)
    return torch.from_numpy(np.stack(rows))


def _heads(scores: HeadScores) -> dict[str, Any]:
    return {
        "best_previous_token": _best(scores.previous_token_LH),
        "best_induction": _best(scores.induction_LH),
        "repetition_gain_bits_per_token": round(scores.repetition_gain_bits, 4),
        "previous_token": _rounded(scores.previous_token_LH),
        "induction": _rounded(scores.induction_LH),
    }


def _best(scores_LH: Tensor) -> dict[str, float]:
    layer, head = divmod(int(scores_LH.argmax()), scores_LH.shape[1])
    return {"layer": layer, "head": head, "score": round(float(scores_LH.max()), 4)}


def _rounded(scores_LH: Tensor) -> list[list[float]]:
    return [[round(score, 4) for score in row] for row in scores_LH.tolist()]
