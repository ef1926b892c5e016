"""transformers as the peer of the benchmarks. The program itself never runs on it.

It is imported by name, only when someone asks for a benchmark and only where it happens to be installed.
"""

import copy
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import torch

from model.config import DtypeName
from model.engine import threads

ATTENTIONS = ("sdpa", "eager")
EAGER = "eager"
EXPERTS = ("grouped_mm", EAGER, "batched_mm")
HEAT_TOKENS = 3
HEAT_PROMPT = 256


class Way(NamedTuple):
    """One way transformers can do the same: its kernels of attention and experts, and threads."""

    attention: str
    experts: str
    threads: int


class Start(NamedTuple):
    """A prompt that was fed: the cache to go on from, and the first token chosen."""

    cache: Any
    token: int


def load_peer(checkpoint: Path, dtype: DtypeName, device: torch.device) -> Any | None:
    """transformers' model of a checkpoint on a device, or None where it is not installed."""
    if find_spec("transformers") is None:
        return None
    transformers = import_module("transformers")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        checkpoint, dtype=getattr(torch, dtype), local_files_only=True, trust_remote_code=False
    )
    return model.to(device).eval()


class PeerLane:
    """One greedy continuation by transformers, token by token."""

    def __init__(self, model: Any, start: Start, way: Way) -> None:
        self.threads = way.threads
        self.tokens = [start.token]
        self._model = model
        self._way = way
        self._cache = copy.deepcopy(start.cache)

    def step(self) -> None:
        """Feed the last token and choose the next."""
        token, self._cache = feed(self._model, self.tokens[-1:], self._way, self._cache)
        self.tokens.append(token)


def begin(model: Any, prompt: list[int]) -> Start:
    """Feed a prompt once, for all lanes."""
    experts = EXPERTS[0] if model.device.type == "cpu" else EAGER  # not every dtype has the other one there
    token, cache = feed(model, prompt, Way(ATTENTIONS[0], experts, threads.ALL), None)
    return Start(cache, token)


@torch.inference_mode()
def feed(model: Any, ids: list[int], way: Way, cache: Any) -> tuple[int, Any]:
    """The likeliest token behind `ids`, and the cache that knows them."""
    if model.config._attn_implementation != way.attention:
        model.set_attn_implementation(way.attention)
    if getattr(model.config, "_experts_implementation", None) != way.experts:
        model.set_experts_implementation(way.experts)
    answer = model(torch.tensor([ids], device=model.device), past_key_values=cache, use_cache=True, logits_to_keep=1)
    return int(answer.logits[0, -1].argmax()), answer.past_key_values


def decode_heats(model: Any, start: Start) -> Iterator[tuple[Way, float]]:
    """Seconds of a token in every way, the best of a few; one thread is tried with the kernels that won.

    A way that a CUDA device cannot go in this dtype is left out.
    """
    cpu = model.device.type == "cpu"
    found: dict[Way, float] = {}
    for attention, experts in product(ATTENTIONS, EXPERTS):
        way = Way(attention, experts, threads.ALL)
        try:
            found[way] = _heat(model, start, way)
        except RuntimeError:
            if cpu:
                raise
            continue
        yield way, found[way]
    if threads.ALL > 1 and cpu:
        way = min(found, key=lambda each: found[each])._replace(threads=1)
        yield way, _heat(model, start, way)


def prefill_heats(model: Any, prompt: list[int]) -> Iterator[tuple[Way, float]]:
    """Seconds of a short prompt in every way that is no token by token one."""
    for attention, experts in product(ATTENTIONS, EXPERTS[:2]):
        way = Way(attention, experts, threads.ALL)
        threads.use(way.threads)
        seconds = [_seconds(model, prompt[:HEAT_PROMPT], way) for _ in range(2)]
        yield way, min(seconds)


def _seconds(model: Any, prompt: list[int], way: Way) -> float:
    began = time.perf_counter()
    feed(model, prompt, way, None)
    return time.perf_counter() - began


def _heat(model: Any, start: Start, way: Way) -> float:
    threads.use(way.threads)
    lane, seconds = PeerLane(model, start, way), []
    for _ in range(HEAT_TOKENS):
        began = time.perf_counter()
        lane.step()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
