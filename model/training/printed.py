"""The report as a page of text, each bar beside its figure."""

from collections.abc import Iterator
from typing import Any

from model.training.bars import bars


def printed(facts: dict[str, Any]) -> str:
    """Every figure, then every bar with the word whether it holds."""
    return "\n".join(
        [
            *_size(facts),
            "",
            *_held_out(facts),
            "",
            *_layers(facts),
            "",
            *_exercises(facts),
            "",
            *_bars(facts),
            *_samples(facts),
        ]
    )


def _size(facts: dict[str, Any]) -> Iterator[str]:
    yield f"{facts['parameters']:,} parameters, {facts['parameters_active']:,} active a token"
    training = facts["training"]
    if training:
        yield (
            f"{training['tokens']:,} tokens in {training['steps']:,} steps on {training['device']}, "
            f"{training['tokens_per_second']:,} tokens a second"
        )
        yield from _speed(training.get("speed"))
        for way, history in training["balance"].items():
            yield from _balance(way, history)


def _speed(speed: dict[str, Any] | None) -> Iterator[str]:
    if speed:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in speed["shares"].items())
        yield (
            f"a step on {speed['device']}, {speed['dtype']}: {speed['tokens_per_second']:,} tokens a second, "
            f"its simplest version {speed['simplest_tokens_per_second']:,} ({shares})"
        )


def _balance(way: str, history: list[dict[str, Any]]) -> Iterator[str]:
    """Largest MaxVio of any layer at four points of training."""
    points = [history[round(index * (len(history) - 1) / 3)] for index in range(4)] if history else []
    told = [
        f"{point['tokens'] / 1e6:.0f} M: {max(point['expert_max_violation']):.2f} / "
        f"{max(point['device_max_violation']):.2f}"
        for point in points
    ]
    yield f"MaxVio of experts / devices by {way}: {', '.join(told)}"


def _held_out(facts: dict[str, Any]) -> Iterator[str]:
    yield f"{'bits per byte':<16}{'model':>8}{'xz -9e':>8}{'primed':>8}"
    for name, cost in facts["held_out"].items():
        mine, alone, primed = (cost[key] for key in ("bits_per_byte", "xz_bits_per_byte", "xz_primed_bits_per_byte"))
        yield f"{name:<16}{mine:8.3f}{alone:8.3f}{primed:8.3f}"


def _layers(facts: dict[str, Any]) -> Iterator[str]:
    yield f"{'layer':<8}{'bits domain, top-1 expert':>27}{'MaxVio experts':>16}{'devices':>9}{'least loaded':>14}"
    for layer in facts["layers"]:
        yield (
            f"{layer['layer']:<8}{layer['domain_expert_bits']:27.2f}{layer['expert_max_violation']:16.2f}"
            f"{layer['device_max_violation']:9.3f}{layer['least_loaded_expert']:14.2f}"
        )


def _exercises(facts: dict[str, Any]) -> Iterator[str]:
    yield f"{'exercise':<26}{'examples':>9}{'all right':>11}{'tokens right':>14}"
    for name, exam in facts["exercises"].items():
        share, tokens = exam["right"] / max(exam["examples"], 1), exam["tokens_right"] / max(exam["tokens"], 1)
        yield f"{name:<26}{exam['examples']:9}{share:11.3f}{tokens:14.3f}"
    bracket = facts["heads"]["best_bracket"]
    yield (
        f"closing brackets: {bracket['score']:.3f} on the opener, {bracket['other_brackets']:.3f} on any other, "
        f"{bracket['chance']:.3f} by chance"
    )


def _bars(facts: dict[str, Any]) -> Iterator[str]:
    for bar in bars(facts):
        yield f"{bar.name:<54}{bar.figure:8.3f}  {bar.sign} {bar.limit:<6.3g} {'holds' if bar.holds else 'short'}"


def _samples(facts: dict[str, Any]) -> Iterator[str]:
    for sample in facts["samples"]:
        yield f"\n{sample['prompt']} ▸{sample['text']}"
