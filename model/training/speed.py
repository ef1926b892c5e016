"""`python -m model.training speed`: tokens a second of a training step, of its simplest version, and its parts.

The simplest version is the decoder as it runs prompts, sequence by sequence in float32, expert by expert, torch's
cross entropy and a plain AdamW. Both take turns on the same batches.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.nn import functional as F

from model.network.decoder import Decoder, Step
from model.network.weights import bind
from model.training import parameters
from model.training.batches import Batch, Batches
from model.training.cross_entropy import head_cross_entropy
from model.training.export import write_json
from model.training.forward import hidden
from model.training.generated import Exercises
from model.training.recipe import Recipe, loupe_mini, recipe_for
from model.training.run import Run, device_name
from model.training.schedule import Schedule
from model.training.streams import prepared

SCHEDULE = Schedule(warmup=0, decay=1, total=10**12)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `speed` can be told."""
    parser.add_argument("--work", type=Path, default=Path("out/training"), help="folder with the prepared text")
    parser.add_argument("--corpus", type=Path, help="folder of .txt files, needed when no text is prepared")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--turns", type=int, default=5, help="steps of each version")
    parser.add_argument("--into", type=Path, help="checkpoint folder whose training.json takes the figures")


def main(options: argparse.Namespace) -> None:
    """Measure, print, and note the figures where they are asked for."""
    words, streams = prepared(options.work, options.corpus, vocabulary=loupe_mini().vocab_size)
    recipe = recipe_for(options.device)
    batches = Batches(streams, seed=recipe.seed, exercises=Exercises(words))
    facts = measured(recipe, batches, device=options.device, turns=options.turns)
    if options.into:
        file = options.into / "training.json"
        write_json(file, json.loads(file.read_text(encoding="utf-8")) | {"speed": facts})
    print(json.dumps(facts, indent=2))  # noqa: T201 its purpose


def measured(recipe: Recipe, batches: Batches, *, device: str, turns: int) -> dict[str, Any]:
    """Medians over the turns; the first of each version warms up and does not count."""
    with TemporaryDirectory() as folder:
        run = Run(loupe_mini(), recipe, batches, folder=Path(folder), device=device)
        simple = _simplest(run)
        pairs = [(_seconds(run, lambda: run.step(SCHEDULE)), _seconds(run, simple)) for _ in range(turns + 1)]
        parts = [_parts(run) for _ in range(turns)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs[1:], strict=True))
    whole = sum(statistics.median(part[name] for part in parts) for name in parts[0])
    return {
        "device": device_name(run.device),
        "dtype": str(run.dtype).removeprefix("torch."),
        "tokens_per_second": round(recipe.batch_tokens / ours),
        "simplest_tokens_per_second": round(recipe.batch_tokens / theirs),
        "ratio": round(theirs / ours, 2),
        "shares": {name: round(statistics.median(part[name] for part in parts) / whole, 3) for name in parts[0]},
    }


def _simplest(run: Run) -> Callable[[], object]:
    leaves = parameters.separate({name: master.clone() for name, master in run.masters.items()})
    trained = {name: leaf.clone().requires_grad_() for name, leaf in leaves.items()}
    decoder = Decoder(run.config, bind(run.config, trained))
    optimiser = torch.optim.AdamW(trained.values(), lr=1e-3, foreach=False, fused=False)

    def step() -> None:
        batch = run.drawn(SCHEDULE)
        for ids_T, targets_T in zip(
            batch.ids_T.chunk(batch.sequences), batch.targets_T.chunk(batch.sequences), strict=True
        ):
            rotation_TR = decoder.rotations.rows(0, len(ids_T), length=len(ids_T))
            x_TD = F.embedding(ids_T, decoder.weights.embedding_VD)
            for index in range(run.config.layers):
                x_TD, _, _ = decoder.layer(index, x_TD, Step(rotation_TR, mask_TK=None))
            (F.cross_entropy(decoder.logits(x_TD), targets_T) / batch.sequences).backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), run.recipe.clip_norm)
        optimiser.step()
        optimiser.zero_grad()

    return step


def _parts(run: Run) -> dict[str, float]:
    """Seconds of the parts of one step, one after the other; micro-batches not side by side."""
    drawn: list[Batch] = []
    passed: list[torch.Tensor] = []
    seconds = {"drawing text": _seconds(run, lambda: drawn.append(run.drawn(SCHEDULE)))}
    part = drawn[0].parts(run.recipe.micro_batches)[0]
    seconds["forward"] = _seconds(run, lambda: passed.append(_loss(run, part))) * run.recipe.micro_batches
    seconds["backward"] = (
        _seconds(run, lambda: torch.autograd.grad(passed[0], run.leaves, allow_unused=True)) * run.recipe.micro_batches
    )
    seconds["optimiser"] = _seconds(run, lambda: run.update(SCHEDULE))
    return seconds


def _loss(run: Run, batch: Batch) -> torch.Tensor:
    length = len(batch.ids_T) // batch.sequences
    rotation_TR = run.rotations.rows(0, length, length=length).repeat(batch.sequences, 1)
    x_TD, _ = hidden(run.config, run.weights, batch.ids_T, rotation_TR, sequences=batch.sequences)
    return head_cross_entropy(x_TD, run.weights.head.weight, batch.targets_T)


def _seconds(run: Run, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    if run.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start
