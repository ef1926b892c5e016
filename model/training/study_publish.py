"""`python -m model.training study-publish`: the study's four folders, their cards and their report."""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from msgspec import json as structs

from model.caches import kept_bytes
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load
from model.config import AttentionKind, DtypeName
from model.network.decoder import Decoder
from model.shapes import parameters_active, parameters_total
from model.study_report import REPORT, StudiedModel, StudyReport
from model.training.card import credits_of
from model.training.recipe import recipe_for
from model.training.study import SUMMARY, told_quality, trained
from model.training.study_export import export
from model.training.study_figures import Quality, decode_speeds, measured_bytes_per_token
from model.training.study_paper import PAPER
from model.training.study_recipe import KINDS, study_config, study_recipe
from model.training.study_words import LIMITS, NAMES, domains, heads, outcome, paper, table

CPU = torch.device("cpu")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `study-publish` can be told."""
    parser.add_argument("--corpus", type=Path, required=True, help="folder of .txt files, one a domain")
    parser.add_argument("--work", type=Path, default=Path("out/study"), help="what `study` left")
    parser.add_argument("--out", type=Path, default=Path("resources/study"), help="folder for the four folders")


def main(options: argparse.Namespace) -> None:
    """Write the four folders of the first seed, measure all seeds, write report and cards."""
    summary = json.loads((options.work / SUMMARY).read_text(encoding="utf-8"))
    words_file = options.work / "tokenizer.json"
    first = summary["seeds"][0]
    recipe = study_recipe(recipe_for("cpu" if summary["device"] == "CPU" else "cuda"), seed=first)
    for kind in KINDS:
        weights = trained(options.work, kind, first)
        export(options.out / kind, config=study_config(kind), recipe=recipe, weights=weights, tokenizer_file=words_file)
    decoders = opened(options.out)
    speeds = decode_speeds(list(opened(options.out, dtype="float32").values()))
    models = []
    for (kind, decoder), speed in zip(decoders.items(), speeds, strict=True):
        found = [told_quality(summary, kind, seed) for seed in summary["seeds"]]
        models.append(studied(kind, decoder, found, speed, summary))
    steps = next(iter(summary["runs"].values()))
    report = StudyReport(
        format=1,
        trained_on=summary["device"],
        measured_on="one thread of a busy CPU, torch's step, float32, the four in turns: compare them with each other",
        tokens=steps["tokens"],
        seeds=summary["seeds"],
        models=models,
        paper=PAPER,
    )
    (options.out / REPORT).write_bytes(structs.format(structs.encode(report), indent=2) + b"\n")
    write_words(options.out, report, options.corpus)


def opened(folder: Path, *, dtype: DtypeName = "bfloat16") -> dict[AttentionKind, Decoder]:
    """The four shipped checkpoints, loaded as any checkpoint is."""
    return {kind: load(read_checkpoint(folder / kind), dtype=dtype, device=CPU) for kind in KINDS}


def studied(
    kind: AttentionKind, decoder: Decoder, found: list[Quality], speed: dict[str, float], summary: dict[str, Any]
) -> StudiedModel:
    """One model's row; `found` holds every seed."""
    config = decoder.config
    return StudiedModel(
        kind=kind,
        model_type=config.model_type,
        parameters=parameters_total(config),
        parameters_active=parameters_active(config),
        dense_width=config.intermediate_size,
        kv_bytes_formula=kept_bytes(config, 2),
        kv_bytes_measured=measured_bytes_per_token(decoder),
        held_out={domain: [one.held_out[domain] for one in found] for domain in found[0].held_out},
        induction=[one.induction for one in found],
        repetition_gain=[one.repetition_gain for one in found],
        tokens_per_second=speed,
        training_seconds=[summary["runs"][f"{kind}-{seed}"]["wall_seconds"] for seed in summary["seeds"]],
    )


def write_words(folder: Path, report: StudyReport, corpus_folder: Path) -> None:
    """README of the whole and a card of each model."""
    sources = corpus_folder / "SOURCES.md"
    text = sources.read_text(encoding="utf-8") if sources.exists() else ""
    if text:
        (folder / "SOURCES.md").write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(readme(report) + "\n" + credits_of(text), encoding="utf-8")
    for model in report.models:
        (folder / model.kind / "README.md").write_text(card(model, report), encoding="utf-8")


def readme(report: StudyReport) -> str:
    """The study on one page."""
    seeds = f"{len(report.seeds)} seeds" if len(report.seeds) > 1 else "one seed"
    return f"""# Attention study: MHA, GQA, MQA and MLA, trained alike

Four models that differ in attention alone: 4 layers (the first dense), width 128, 8 heads, 8 routed experts of which
each token uses 2, 1 shared, one tokenizer of 4,096 entries. Each read {report.tokens:,} tokens, the same text in the
same order, with {seeds}, on {report.trained_on}. The dense layer's width makes their sizes equal. The folders hold
the first seed's weights; the figures are of all seeds (mean ± half the distance between the extremes).

{table(report)}

{outcome(report)}

{heads(report)}

{LIMITS}
Held-out bits per byte by domain, mean over seeds:

{domains(report)}

For comparison, not measured here:

{paper(report)}

Decode speed: {report.measured_on}. Take the figures again: `python -m model.training study-report --corpus DIR`.
Train again: `python -m model.training study --corpus DIR`, then `study-publish`. Licences: `SOURCES.md`, and the texts
in `../loupe-mini/LICENSES`.
"""


def card(model: StudiedModel, report: StudyReport) -> str:
    """README of one checkpoint."""
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [{model.model_type}, {model.kind}, moe]
---

# study/{model.kind}

{NAMES[model.kind]}: one of four models of the attention study beside this folder, {model.parameters:,} parameters,
{model.kv_bytes_formula:,} bytes of KV cache per token in bfloat16. It opens in transformers as `{model.model_type}`.
Trained on {report.tokens:,} tokens for a very short time: meant for looking into, not for use.
Figures, sources and licences: `../README.md`, `../SOURCES.md`.
"""
