"""The report as a page of text, each bar beside its figure."""

from collections.abc import Iterator
from typing import Any

BARS = {"en_prose", "en_tales", "en_drama", "fr_prose", "ru_drama", "zh_modern", "zh_classical", "python"}


def printed(facts: dict[str, Any]) -> str:
    """Every figure with the bar it is held to; "short" where it misses."""
    return "\n".join([*_size(facts), "", *_held_out(facts), "", *_layers(facts), "", *_heads(facts), *_samples(facts)])


def _size(facts: dict[str, Any]) -> Iterator[str]:
    yield f"{facts['parameters']:,} parameters, {facts['parameters_active']:,} active a token"
    training = facts["training"]
    if training:
        yield f"{training['tokens']:,} tokens in {training['steps']:,} steps on {training['device']}"


def _held_out(facts: dict[str, Any]) -> Iterator[str]:
    yield f"{'bits per byte':<16}{'model':>8}{'xz -9e':>8}{'primed':>8}"
    for name, cost in facts["held_out"].items():
        mine, alone, primed = (cost[key] for key in ("bits_per_byte", "xz_bits_per_byte", "xz_primed_bits_per_byte"))
        verdict = _verdict(mine < min(alone, primed)) if name in BARS else ""
        yield f"{name:<16}{mine:8.3f}{alone:8.3f}{primed:8.3f}  {verdict}".rstrip()


def _layers(facts: dict[str, Any]) -> Iterator[str]:
    yield f"{'layer':<8}{'bits domain, top-1 expert':>27}{'MaxVio experts':>16}{'devices':>9}{'least loaded':>14}"
    for layer in facts["layers"]:
        yield (
            f"{layer['layer']:<8}{layer['domain_expert_bits']:27.2f}{layer['expert_max_violation']:16.2f}"
            f"{layer['device_max_violation']:9.3f}{layer['least_loaded_expert']:14.2f}"
        )
    layers = facts["layers"]
    yield _line("mean bits", facts["domain_expert_bits_mean"], 1.2)
    yield _line("largest device MaxVio", max(layer["device_max_violation"] for layer in layers), 0.25, most=True)
    yield _line("largest expert MaxVio", max(layer["expert_max_violation"] for layer in layers), 1.0, most=True)


def _heads(facts: dict[str, Any]) -> Iterator[str]:
    heads, exercises = facts["heads"], facts["exercises"]
    for name, bar in (("previous_token", 0.6), ("induction", 0.4)):
        best = heads[f"best_{name}"]
        yield _line(f"{name}, layer {best['layer']} head {best['head']}", best["score"], bar)
    bracket = heads["best_bracket"]
    yield _line(f"own opener, layer {bracket['layer']} head {bracket['head']}", bracket["score"], 5 * bracket["chance"])
    yield f"  on each other bracket {bracket['other_brackets']:.4f}, by chance {bracket['chance']:.4f}"
    yield _line("nats saved by the second copy", heads["first_copy_nats"] - heads["second_copy_nats"], 2.0)
    for name, exam in exercises.items():
        share = exam["right"] / max(exam["examples"], 1)
        tokens = exam["tokens_right"] / max(exam["tokens"], 1)
        held_to = 0.9 if name in ("key_value_recall", "copied_lines") else None
        yield _line(f"{name}, {exam['examples']} examples (tokens {tokens:.3f})", share, held_to)


def _samples(facts: dict[str, Any]) -> Iterator[str]:
    for sample in facts["samples"]:
        yield f"\n{sample['prompt']} ▸{sample['text']}"


def _line(name: str, figure: float, bar: float | None, *, most: bool = False) -> str:
    if bar is None:
        return f"{name:<58}{figure:8.3f}"
    holds = figure <= bar if most else figure >= bar
    return f"{name:<58}{figure:8.3f}  {'≤' if most else '≥'} {bar:<6.3g}{_verdict(holds)}"


def _verdict(holds: bool) -> str:
    return "holds" if holds else "short"
