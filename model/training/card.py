"""`python -m model.training card DIR`: README.md of the checkpoint folder, written from its report."""

import argparse
import json
from pathlib import Path
from typing import Any

from model.checkpoint.folder import read_checkpoint
from model.config import ModelConfig
from model.training.bars import Bar, bars
from model.training.export import write_json

HEADER = """\
---
library_name: transformers
pipeline_tag: text-generation
language: [en, zh, fr, ru]
tags: [deepseek_v2, mla, moe]
---

# loupe-mini

A DeepSeek-V2-style language model of {millions:.1f} million parameters ({active:.1f} million active per token),
trained for Latent Loupe so that there is something small and real to look into: multi-head latent attention,
device-limited expert routing and a latent KV cache, in the layout of the large models. It loads as `deepseek_v2`.

{layers} layers (the first dense), width {width}, {heads} heads ({nope} content + {rope} rotary, value {value}),
query latent {q_lora}, KV latent {kv_lora}, {experts} routed experts in {groups} device groups, top-{chosen} within the
best {groups_chosen} groups, {shared} shared experts, plain RoPE, {positions} positions, vocabulary {vocabulary}
(byte-level BPE, digits one by one), tied embeddings, bfloat16.
"""

TRAINING = """\
## Training

{tokens:.1f} million tokens in {steps:,} steps of {batch:,} tokens on {device}: {seconds:,} seconds, {speed:,} tokens a
second. Sequences of {length:,} tokens; at the end of the rate's decay, every second step has sequences of {long:,}.
Muon for the matrices, AdamW for embedding, router and norms. Cross entropy plus DeepSeek-V2's expert, device and
communication balance losses ({alphas}), over the whole batch, so that an expert may belong to a language.
{exercises:.0%} of the sequences are made up on the fly (a third of that at the end): random tokens over and over,
keys and values to recall, nested brackets, sums.
{step}
To repeat it: `python -m model.training train --corpus DIR --tokens {exact}`, then `python -m model.training publish`.
{note}
"""

REPEATABLE = "The seed is fixed, so the same machine and libraries give the same weights again."

LIMITS = """\
## Limits

It was trained on little text for a short time. It imitates the look of its sources, knows no facts and cannot
follow instructions. Its prose is that of novels, plays and poems of the 18th and 19th centuries with their
prejudices. `udhr_world` is held out by language, so its number is about languages hardly seen.
The model is meant for looking into, not for use.
"""

SOURCES = """\
## Sources and licences

`SOURCES.md` beside this file names every repository, commit and licence; the licence texts are in `LICENSES/`. Python
source was read from the standard library of the interpreter that trained (PSF licence) and is not redistributed.
"""

EXERCISES = {
    "key_value_recall": "values recalled by their key",
    "copied_lines": "passages copied to their end",
    "additions_of_one_digit": "sums of one digit",
    "additions_of_two_digits": "sums of two digits",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `card` can be told."""
    parser.add_argument("folder", type=Path, help="checkpoint folder with report.json and SOURCES.md")
    parser.add_argument("--note", default=REPEATABLE, help="how exactly the run can be repeated")
    parser.add_argument("--tried", default="", help="what was tried where a bar is missed")


def main(options: argparse.Namespace) -> None:
    """Write the card again."""
    write_card(options.folder, note=options.note, tried=options.tried)


def write_card(folder: Path, *, note: str = REPEATABLE, tried: str = "") -> None:
    """README.md from config.json, report.json and SOURCES.md of the folder."""
    facts = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    if (folder / "training.json").exists():
        facts["training"] = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        write_json(folder / "report.json", facts)  # its figures of training may be newer than the report
    sources = folder / "SOURCES.md"
    credit_lines = credits_of(sources.read_text(encoding="utf-8")) if sources.exists() else ""
    words = card(read_checkpoint(folder).config, facts, credit_lines=credit_lines, note=note, tried=tried)
    (folder / "README.md").write_text(words, encoding="utf-8")


def card(
    config: ModelConfig, report: dict[str, Any], *, credit_lines: str, note: str = REPEATABLE, tried: str = ""
) -> str:
    """The whole card. `credit_lines` are the credits that the corpus's licences ask for, word for word.

    `note` says how exactly the run can be repeated, `tried` what was done about bars that are missed.
    """
    parts = [_header(config, report), _training(report, note), _held_out(report), _inside(report), _exercises(report)]
    parts += [_short(bars(report), tried), _samples(report), LIMITS, SOURCES, credit_lines]
    return "\n".join(part for part in parts if part)


def credits_of(sources: str) -> str:
    """The credits paragraph of the corpus's SOURCES.md, empty if it has none."""
    start = sources.find("Credits required")
    return sources[start:].split("\n## ")[0].strip() + "\n" if start >= 0 else ""


def _header(config: ModelConfig, report: dict[str, Any]) -> str:
    assert config.router is not None
    return HEADER.format(
        millions=report["parameters"] / 1e6,
        active=report["parameters_active"] / 1e6,
        layers=config.layers,
        width=config.hidden_size,
        heads=config.heads,
        nope=config.qk_nope_head_dim,
        rope=config.qk_rope_head_dim,
        value=config.v_head_dim,
        q_lora=config.q_lora_rank,
        kv_lora=config.kv_lora_rank,
        experts=config.router.experts,
        groups=config.router.groups,
        chosen=config.router.experts_per_token,
        groups_chosen=config.router.groups_per_token,
        shared=config.shared_experts,
        positions=config.max_position_embeddings,
        vocabulary=config.vocab_size,
    )


def _training(report: dict[str, Any], note: str) -> str:
    taken = report["training"]
    return TRAINING.format(
        note=note,
        tokens=taken["tokens"] / 1e6,
        exact=taken["tokens"],
        steps=taken["steps"],
        batch=taken["batch_tokens"],
        device=taken["device"],
        seconds=taken["wall_seconds"],
        speed=taken["tokens_per_second"],
        length=taken["sequence_length"],
        long=taken["long_sequence_length"],
        exercises=taken["exercises"],
        step=_speed(taken.get("speed")),
        alphas=", ".join(map(str, taken["alphas"])),
    )


def _speed(speed: dict[str, Any] | None) -> str:
    if not speed:
        return ""
    return (
        f"\nA step on {speed['device']} ({speed['dtype']}) trains {speed['tokens_per_second']:,} tokens a second, the "
        f"simplest version of it {speed['simplest_tokens_per_second']:,}.\n"
    )


def _held_out(report: dict[str, Any]) -> str:
    lines = [
        f"| {name} | {cost['bits_per_byte']:.3f} | {cost['xz_bits_per_byte']:.3f} | "
        f"{cost['xz_primed_bits_per_byte']:.3f} |"
        for name, cost in report["held_out"].items()
    ]
    head = ["| domain | bits per byte | xz -9e | xz, knowing 2 MB of training text |", "|---|---|---|---|"]
    return "\n".join(["## Held-out text", "", *head, *lines, ""])


def _inside(report: dict[str, Any]) -> str:
    lines = [
        f"| {layer['layer']} | {layer['domain_expert_bits']:.2f} | {layer['expert_max_violation']:.2f} | "
        f"{layer['device_max_violation']:.3f} |"
        for layer in report["layers"]
    ]
    head = ["| layer | bits between domain and top expert | MaxVio of experts | of devices |", "|---|---|---|---|"]
    return "\n".join(
        [
            *("## Inside", "", *head, *lines, ""),
            f"The domain itself has {report['domain_bits']:.2f} bits; the layers know "
            f"{report['domain_expert_bits_mean']:.2f} of them on average.",
            *_heads(report["heads"]),
            "",
        ]
    )


def _heads(heads: dict[str, Any]) -> list[str]:
    saved = heads["first_copy_nats"] - heads["second_copy_nats"]
    bracket = heads["best_bracket"]
    return [
        _best("previous-token", heads["best_previous_token"]),
        _best("induction", heads["best_induction"]),
        f"{_best('bracket', bracket)[:-1]} on the own opener, {bracket['other_brackets']:.3f} on any other bracket, "
        f"{bracket['chance']:.3f} by chance.",
        f"In 64 random tokens said twice, the second time costs {saved:.2f} nats per token less than the first.",
    ]


def _best(kind: str, head: dict[str, float]) -> str:
    return f"Best {kind} head: layer {head['layer']}, head {head['head']}, mean weight {head['score']:.2f}."


def _exercises(report: dict[str, Any]) -> str:
    lines = [
        f"| {EXERCISES[name]} | {exam['right']} of {exam['examples']} | "
        f"{exam['tokens_right'] / max(exam['tokens'], 1):.3f} |"
        for name, exam in report["exercises"].items()
    ]
    return "\n".join(["## Exercises", "", "| held-out | all right | tokens right |", "|---|---|---|", *lines, ""])


def _short(bars: list[Bar], tried: str) -> str:
    missed = [bar for bar in bars if not bar.holds]
    if not missed:
        return ""
    lines = [f"- {bar.name}: {bar.figure:.3f}, aimed at {bar.sign} {bar.limit:g}" for bar in missed]
    return "\n".join(["## Short of the aim", "", *lines, "", *([tried, ""] if tried else [])])


def _samples(report: dict[str, Any]) -> str:
    quoted = [f"```text\n{sample['prompt']}▸{sample['text']}\n```\n" for sample in report["samples"]]
    lead = "The first answer to each sample prompt, temperature 0.7, top-p 0.9, seed 0; ▸ is where the model begins.\n"
    return "\n".join(["## Samples", "", lead, *quoted])
