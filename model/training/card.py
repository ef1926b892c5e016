"""The model card: README.md of the checkpoint folder, written from the report."""

from typing import Any

from model.config import ModelConfig
from model.training.recipe import Recipe

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

{tokens:.1f} million tokens in {steps} steps of {batch} tokens, {hours:.1f} processor hours on two CPU cores. Sequences
of {length} tokens; at the end of the rate's decay, every second step has sequences of {long}. Muon for the matrices,
AdamW for embedding, router and norms; compute in bfloat16. Cross entropy plus DeepSeek-V2's expert, device and
communication balance losses ({alphas}).
One sequence in five repeats the first few tokens of its text over and over, half of these after shuffling them, to
reward heads that look for an earlier occurrence.

To repeat it: `python -m model.training --corpus DIR --out resources/loupe-mini --tokens {exact}`.
{note}
"""

REPEATABLE = "The seed is fixed, so the same machine and libraries give the same weights again."

FORMED = 0.2  # mean weight from which a head may be called an induction head

LIMITS = """\
## Limits

It was trained on very little text for a very short time. It imitates the look of its sources, knows no facts, cannot
follow instructions, and gets most sums wrong. Its prose is that of novels, plays and poems of the 18th and 19th
centuries with their prejudices. `udhr_world` is held out by language, so its number is about languages hardly seen.
The model is meant for looking into, not for use.
"""

SOURCES = """\
## Sources and licences

`SOURCES.md` beside this file names every repository, commit and licence; the licence texts are in `LICENSES/`. Python
source was read from the standard library of the interpreter that trained (PSF licence) and is not redistributed.
"""


def card(
    config: ModelConfig, recipe: Recipe, report: dict[str, Any], *, credit_lines: str, note: str = REPEATABLE
) -> str:
    """The whole card. `credit_lines` are the credits that the corpus's licences ask for, word for word.

    `note` says how exactly the run can be repeated.
    """
    parts = [_header(config, report), _training(recipe, report, note), _held_out(report), _inside(report), LIMITS]
    return "\n".join([*parts, SOURCES, credit_lines])


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


def _training(recipe: Recipe, report: dict[str, Any], note: str) -> str:
    taken = report["training"]
    return TRAINING.format(
        note=note,
        tokens=taken["tokens"] / 1e6,
        exact=taken["tokens"],
        steps=taken["steps"],
        batch=recipe.batch_tokens,
        hours=taken["processor_seconds"] / 3600,
        length=recipe.sequence_length,
        long=recipe.long_sequence_length,
        alphas=f"{recipe.expert_balance}, {recipe.device_balance}, {recipe.communication_balance}, per sequence",
    )


def _held_out(report: dict[str, Any]) -> str:
    lines = [f"| {name} | {cost['bits_per_byte']:.3f} |" for name, cost in report["held_out"].items()]
    return "\n".join(["## Held-out text", "", "| domain | bits per byte |", "|---|---|", *lines, ""])


def _inside(report: dict[str, Any]) -> str:
    heads = report["heads"]
    lines = [
        f"| {layer['layer']} | {layer['domain_expert_bits']:.2f} | {layer['device_max_violation']:.3f} |"
        for layer in report["layers"]
    ]
    table = ["| layer | bits between domain and top expert | MaxVio of the devices |", "|---|---|---|", *lines]
    return "\n".join(
        [
            "## Inside",
            "",
            *table,
            "",
            f"The domain itself has {report['domain_bits']:.2f} bits. Mean device MaxVio: "
            f"{report['device_max_violation_mean']:.3f}.",
            _best("previous-token", heads["best_previous_token"]),
            _best("induction", heads["best_induction"]),
            *([] if heads["best_induction"]["score"] > FORMED else ["No induction head has formed."]),
            f"In a random text said twice, the second time costs {heads['repetition_gain_bits_per_token']:.2f} "
            "bits per token less than the first.",
            "",
        ]
    )


def _best(kind: str, head: dict[str, float]) -> str:
    return f"Best {kind} head: layer {head['layer']}, head {head['head']}, mean weight {head['score']:.2f}."
