"""`python -m model.training report DIR`: every figure of a checkpoint folder, measured from its files."""

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load
from model.config import RouterConfig
from model.network.decoder import Decoder
from model.shapes import parameters_active, parameters_total
from model.training import compressor, corpus, exams, heads
from model.training.corpus import SEPARATOR, Domain
from model.training.export import write_json
from model.training.held_out import Reading, read_domains
from model.training.printed import printed
from model.training.recipe import DOCUMENT_END_ID
from model.training.samples import continued
from model.training.specialisation import expert_counts, max_violation, mutual_information
from model.training.tokenizer import encode

SEQUENCES_PER_DOMAIN, SEQUENCE_LENGTH = 32, 1024
HEAD_TEXT_TOKENS = 256
BRACKET_TEXTS = 12
EXAMPLES = 400
SEED = 20


class Subject(NamedTuple):
    """What is reported on. The decoder computes in float32."""

    decoder: Decoder
    tokenizer: Tokenizer
    domains: list[Domain]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `report` can be told."""
    parser.add_argument("folder", type=Path, help="checkpoint folder")
    parser.add_argument("--corpus", type=Path, required=True, help="folder of .txt files, one a domain")
    parser.add_argument("--sequences", type=int, default=SEQUENCES_PER_DOMAIN, help="of 1,024 tokens, of each domain")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--write", action="store_true", help="also replace report.json in the folder")


def main(options: argparse.Namespace) -> None:
    """Report."""
    facts = report(subject(options.folder, corpus.read(options.corpus)), options.folder, options.sequences)
    if options.write:
        write_json(options.folder / "report.json", facts)
    print(json.dumps(facts, ensure_ascii=False) if options.json else printed(facts))  # noqa: T201 its purpose


def subject(folder: Path, domains: list[Domain]) -> Subject:
    """The folder's model as anybody's checkpoint is opened, and the held-out text."""
    decoder = load(read_checkpoint(folder), dtype="float32", device=torch.device("cpu"))
    return Subject(decoder, Tokenizer.from_file(str(folder / "tokenizer.json")), domains)


def _training(folder: Path) -> dict[str, Any]:
    """What training left beside the weights: tokens, speed, how balance developed."""
    file = folder / "training.json"
    facts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return facts


def report(subject: Subject, folder: Path, sequences: int = SEQUENCES_PER_DOMAIN) -> dict[str, Any]:
    """Held-out cost by domain beside a compressor's, routing by layer, heads, exercises, samples."""
    decoder, words, domains = subject
    readings = read_domains(decoder, words, domains, sequences=sequences, length=SEQUENCE_LENGTH)
    layers = _layers(decoder, list(readings.values()))
    return {
        "format": 2,
        "parameters": parameters_total(decoder.config),
        "parameters_active": parameters_active(decoder.config),
        "training": _training(folder),
        "held_out": {
            domain.name: _cost(readings[domain.name], domain) for domain in domains if domain.name in readings
        },
        "domain_bits": round(float(np.log2(len(readings))), 4),
        "domain_expert_bits_mean": _mean(layers, "domain_expert_bits"),
        "device_max_violation_mean": _mean(layers, "device_max_violation"),
        "layers": layers,
        "heads": _heads(subject),
        "exercises": _exercises(subject),
        "samples": continued(decoder, words),
    }


def _cost(reading: Reading, domain: Domain) -> dict[str, float]:
    primer = domain.training.encode()[-compressor.PRIMER_BYTES :]
    return {
        "tokens": reading.tokens,
        "bytes": len(reading.text),
        "bits_per_byte": round(reading.bits_per_byte, 4),
        "bits_per_token": round(reading.bits / reading.tokens, 4),
        "xz_bits_per_byte": round(compressor.bits_per_byte(reading.text), 4),
        "xz_primed_bits_per_byte": round(compressor.bits_per_byte(reading.text, primer=primer), 4),
    }


def _layers(decoder: Decoder, readings: list[Reading]) -> list[dict[str, float]]:
    """Every domain counts alike, however much of it was read."""
    router = decoder.config.router
    assert router is not None
    return [
        {"layer": layer, **_routing(router, [reading.ids_MTA[row] for reading in readings])}
        for row, layer in enumerate(decoder.config.moe_layers)
    ]


def _routing(router: RouterConfig, ids_by_domain: list[np.ndarray]) -> dict[str, float]:
    first_XE = np.stack([expert_counts(ids_TA[:, 0], router.experts) for ids_TA in ids_by_domain])
    load_E = np.sum([expert_counts(ids_TA, router.experts) / len(ids_TA) for ids_TA in ids_by_domain], axis=0)
    return {
        "domain_expert_bits": round(mutual_information(first_XE), 4),
        "expert_max_violation": round(max_violation(load_E), 4),
        "device_max_violation": round(max_violation(load_E.reshape(router.groups, -1).sum(axis=1)), 4),
        "least_loaded_expert": round(float(load_E.min() / load_E.mean()), 4),
    }


def _mean(layers: list[dict[str, float]], key: str) -> float:
    return round(float(np.mean([layer[key] for layer in layers])), 4)


def _heads(subject: Subject) -> dict[str, Any]:
    previous_LH = heads.previous_token(subject.decoder, _head_texts(subject))
    said_twice = heads.repetition(subject.decoder, seed=SEED)
    matching = heads.matching(subject.decoder, subject.tokenizer, _bracket_texts(subject))
    layer, head = divmod(int(matching.opener_LH.argmax()), matching.opener_LH.shape[1])
    return {
        "best_previous_token": _best(previous_LH),
        "best_induction": _best(said_twice.induction_LH),
        "best_bracket": _best(matching.opener_LH)
        | {
            "other_brackets": round(float(matching.other_LH[layer, head]), 4),
            "chance": round(matching.chance, 4),
            "closing_brackets": matching.brackets,
        },
        "first_copy_nats": round(said_twice.first_nats, 4),
        "second_copy_nats": round(said_twice.second_nats, 4),
        "previous_token": _rounded(previous_LH),
        "induction": _rounded(said_twice.induction_LH),
        "bracket": _rounded(matching.opener_LH),
    }


def _head_texts(subject: Subject) -> list[Tensor]:
    """The start of every domain's held-out text behind `<|endoftext|>`, [T] each."""
    streams = (encode(subject.tokenizer, domain.held_out.split(SEPARATOR)) for domain in subject.domains)
    rows = [stream[:HEAD_TEXT_TOKENS].astype(np.int64) for stream in streams if len(stream) >= HEAD_TEXT_TOKENS]
    assert all(row[0] == DOCUMENT_END_ID for row in rows)
    return [torch.from_numpy(row) for row in rows]


def _documents(subject: Subject, name: str) -> list[str]:
    """Whole held-out documents of a domain: the first and the last may be cut."""
    held_out = next((domain.held_out for domain in subject.domains if domain.name == name), "")
    return held_out.split(SEPARATOR)[1:-1]


def _bracket_texts(subject: Subject) -> list[str]:
    """Held-out documents of nested brackets, whatever else the corpus has of them."""
    nested = [text for text in _documents(subject, "synth_struct") if text.count("[") > 4 and '"' not in text]
    return nested[:BRACKET_TEXTS] or ["[a (b {c} d) (e) <f> g] {h [i (j) k] l}"]


def _exercises(subject: Subject) -> dict[str, Any]:
    decoder, words, _ = subject
    structures = _documents(subject, "synth_struct")
    asked = {
        "key_value_recall": (structures, exams.recalled),
        "copied_lines": (structures, exams.copied),
        "additions_of_one_digit": (exams.additions(1, seed=SEED), exams.summed),
        "additions_of_two_digits": (exams.additions(2, seed=SEED), exams.summed),
    }
    taken = {name: exams.examine(decoder, words, texts, spans, most=EXAMPLES) for name, (texts, spans) in asked.items()}
    return {name: exam._asdict() for name, exam in taken.items()}


def _best(scores_LH: Tensor) -> dict[str, float]:
    layer, head = divmod(int(scores_LH.argmax()), scores_LH.shape[1])
    return {"layer": layer, "head": head, "score": round(float(scores_LH.max()), 4)}


def _rounded(scores_LH: Tensor) -> list[list[float]]:
    return [[round(score, 4) for score in row] for row in scores_LH.tolist()]
