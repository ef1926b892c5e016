"""training.json: what training took, and how the load evened out, by either way of balancing."""

import json
from pathlib import Path
from typing import Any

from model.training.recipe import Recipe
from model.training.run import load_state, trained_on

POINTS = 24  # of a history that are kept


def training_facts(work: Path, recipe: Recipe, *, other: Path | None = None) -> dict[str, Any]:
    """Facts of the run in `work`; `other` is the folder of a run that balanced the other way."""
    _, progress = load_state(work)
    seconds = max(progress.wall_seconds, 1e-9)
    ways = {recipe.balance: work} | ({"bias" if recipe.balance == "losses" else "losses": other} if other else {})
    return {
        "tokens": progress.tokens,
        "steps": progress.step,
        "batch_tokens": recipe.batch_tokens,
        "sequence_length": recipe.sequence_length,
        "long_sequence_length": recipe.long_sequence_length,
        "exercises": recipe.exercises,
        "alphas": [recipe.expert_balance, recipe.device_balance, recipe.communication_balance],
        "device": trained_on(work),
        "wall_seconds": round(progress.wall_seconds),
        "processor_seconds": round(progress.processor_seconds),
        "tokens_per_second": round(progress.tokens / seconds),
        "balance": {way: history(folder / "history.jsonl") for way, folder in ways.items()},
    }


def history(file: Path) -> list[dict[str, Any]]:
    """MaxVio of every MoE layer over training: `POINTS` lines of the log, evenly spread, the last among them."""
    if not file.exists():
        return []
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    step = max((len(lines) - 1) / (POINTS - 1), 1.0)
    chosen = sorted({round(index * step) for index in range(min(POINTS, len(lines)))})
    return [lines[index] for index in chosen if index < len(lines)]
