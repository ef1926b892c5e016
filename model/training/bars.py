"""What the bundled model is held to, and whether it holds."""

from dataclasses import dataclass
from typing import Any, Literal

# Text that a general compressor must not tell better. The others are made up, or in languages hardly seen.
TEXTS = ("en_drama", "en_prose", "en_tales", "fr_prose", "ru_drama", "zh_modern", "zh_classical", "python")


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure and its limit."""

    name: str
    figure: float
    sign: Literal["≤", "≥"]
    limit: float

    @property
    def holds(self) -> bool:
        """Whether the figure is on the right side."""
        return self.figure >= self.limit if self.sign == "≥" else self.figure <= self.limit


def bars(facts: dict[str, Any]) -> list[Bar]:
    """All bars of a report."""
    layers, heads = facts["layers"], facts["heads"]
    return [
        *(_text(name, facts["held_out"][name]) for name in TEXTS if name in facts["held_out"]),
        Bar("bits between domain and top-1 expert, mean", facts["domain_expert_bits_mean"], "≥", 1.2),
        Bar("largest device MaxVio", max(layer["device_max_violation"] for layer in layers), "≤", 0.25),
        Bar("largest expert MaxVio", max(layer["expert_max_violation"] for layer in layers), "≤", 1.0),
        Bar("load of the idlest expert, of the mean", min(layer["least_loaded_expert"] for layer in layers), "≥", 0.05),
        _head("previous-token head", heads["best_previous_token"], 0.6),
        _head("induction head", heads["best_induction"], 0.4),
        _head("closing bracket on its opener", heads["best_bracket"], round(5 * heads["best_bracket"]["chance"], 3)),
        Bar("nats saved by the second copy", heads["first_copy_nats"] - heads["second_copy_nats"], "≥", 2.0),
        *(_exercise(name, facts["exercises"][name]) for name in ("key_value_recall", "copied_lines")),
    ]


def _text(name: str, cost: dict[str, float]) -> Bar:
    """Below xz, whether it knows training text or not."""
    limit = min(cost["xz_bits_per_byte"], cost["xz_primed_bits_per_byte"])
    return Bar(f"{name}, bits per byte", cost["bits_per_byte"], "≤", limit)


def _head(name: str, best: dict[str, float], limit: float) -> Bar:
    return Bar(f"{name}, layer {best['layer']} head {best['head']}", best["score"], "≥", limit)


def _exercise(name: str, exam: dict[str, int]) -> Bar:
    share = exam["right"] / max(exam["examples"], 1)
    return Bar(f"{name}, {exam['examples']} examples all right", share, "≥", 0.9)
