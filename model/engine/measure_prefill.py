"""`bench prefill`: a whole prompt, recorded as every run is, against transformers' best way of the same dtype."""

import shutil
import time
from collections.abc import Generator
from statistics import median
from typing import Any

import torch

from model.engine import limits, threads
from model.engine.lanes import RecordedLane
from model.engine.opened import OpenModel
from model.engine.peer import Way, feed, prefill_heats
from model.engine.runs import Engine
from model.messages import Measurement
from model.problems import Problem

TURNS = 3
WARM_UPS = 2
SEED = 7
CLOSE = 1.5  # a way this many times slower than the best in the heat does not race


def measure_prefill(
    engine: Engine, model: OpenModel, peer: Any | None, *, lengths: list[int]
) -> Generator[None, None, tuple[dict[str, Measurement], list[str]]]:
    """Tokens per second of prompts of these lengths. Raises Problem when the model has no room for one."""
    config = model.checkpoint.config
    if max(lengths) >= config.max_position_embeddings:
        raise Problem(f"The model's context of {config.max_position_embeddings:,} tokens has no room for that prompt.")
    prompt = torch.randint(config.vocab_size, (max(lengths),), generator=torch.Generator().manual_seed(SEED)).tolist()
    for number in range(WARM_UPS):  # weights come in from the disk, buffers are made; the peer has its heats for that
        _ours(engine, model, prompt, -1 - number)
        yield
    ways: list[Way] = []
    if peer is not None:
        heats = dict(prefill_heats(peer, prompt))
        ways = [way for way in heats if heats[way] <= CLOSE * min(heats.values())]
    yield
    measures: dict[str, Measurement] = {}
    notes: list[str] = []
    for length in lengths:
        speeds = yield from _race(engine, model, peer, prompt[:length], ways)
        measures |= prefill_measures(length, speeds)
        notes += [f"Prompt of {length}: {name} {speed:.1f} tokens/s." for name, speed in speeds.items()]
    return measures, notes


def _race(
    engine: Engine, model: OpenModel, peer: Any | None, prompt: list[int], ways: list[Way]
) -> Generator[None, None, dict[str, float]]:
    """Tokens per second of everyone, in turns."""
    seconds: dict[str, list[float]] = {"recorded": []}
    for turn in range(TURNS):
        seconds["recorded"].append(_ours(engine, model, prompt, turn))
        yield
        for way in ways:
            threads.use(way.threads)
            began = time.perf_counter()
            feed(peer, prompt, way, None)
            seconds.setdefault(f"{way.attention}, {way.experts}", []).append(time.perf_counter() - began)
            yield
    return {name: len(prompt) / median(times) for name, times in seconds.items()}


def _ours(engine: Engine, model: OpenModel, prompt: list[int], turn: int) -> float:
    folder = engine.scratch.folder(f"prefill-{len(prompt)}-{turn}")
    seconds = RecordedLane(engine, model, prompt, tokens=1, folder=folder).prefill_seconds
    shutil.rmtree(folder, ignore_errors=True)
    return seconds


def prefill_measures(length: int, speeds: dict[str, float]) -> dict[str, Measurement]:
    """The figure of one length."""
    recorded = speeds["recorded"]
    peers = [speed for name, speed in speeds.items() if name != "recorded"]
    if not peers:
        return {f"prefill_{length}": Measurement(value=recorded, unit="tokens/s")}
    return {f"prefill_{length}": limits.against(recorded, "tokens/s", max(peers), limits.prefill_limit(length))}
