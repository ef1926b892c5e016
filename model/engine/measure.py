"""The Measure command: decode speed with and without recording, and transformers', in the same minutes.

Lanes take turns, a few tokens each and in a new order every time, so whatever else the machine does, and
whatever the lane before left behind, hits them alike. Our two lanes share a turn and alternate token by
token, since their difference is small. A lane's speed is the median of its turns. transformers races in the
two ways that were fastest in a short heat.
"""

import shutil
import time
from collections.abc import Generator, Sequence
from random import Random
from statistics import median
from typing import Any, NamedTuple

import torch

from model.engine import limits, threads
from model.engine.agenda import Work
from model.engine.bandwidth import read_bandwidth
from model.engine.lanes import Lane, PlainLane, RecordedLane
from model.engine.measure_growth import measure_growth
from model.engine.measure_prefill import measure_prefill
from model.engine.opened import OpenModel
from model.engine.peer import PeerLane, Way, begin, decode_heats, load_peer
from model.engine.runs import Engine
from model.engine.warm import settle
from model.messages import Measure, Measured, Measurement
from model.problems import Problem
from model.shapes import step_bytes

TURN = 8  # tokens of one lane before the next lane's turn
WARM_UP = 2  # tokens of a turn that are not timed: caches and thread counts settle
SEED = 7
OURS = ("recorded", "plain")
TORCH = "plain, no graph"  # races on CUDA alone, where plain is a graph of it
PEERS = 2  # ways of transformers that race
NO_PEER = "transformers is not installed or does not read this checkpoint, so there is no peer to compare with."


def measure(command: Measure, engine: Engine) -> Work:
    """Measure what is asked; the figures come with Measured. Raises Problem for what there is no room for."""
    model = engine.open_model()
    settle()
    if command.what == "growth":
        measures, notes = yield from measure_growth(engine, model, tokens=command.tokens)
    else:
        peer = load_peer(model.checkpoint.path, model.dtype, model.decoder.device)
        yield None
        if command.what == "prefill":
            measures, notes = yield from measure_prefill(engine, model, peer, lengths=command.contexts)
        else:
            measures, notes = yield from _decode(command, engine, model, peer)
        notes = notes if peer is not None else [NO_PEER, *notes]
    yield Measured(request=command.request, measures=measures, notes=notes)


class Race(NamedTuple):
    """Tokens per second and tokens of every lane by name, after `context` tokens."""

    context: int
    speeds: dict[str, float]
    tokens: dict[str, list[int]]


def _decode(
    command: Measure, engine: Engine, model: OpenModel, peer: Any | None
) -> Generator[None, None, tuple[dict[str, Measurement], list[str]]]:
    """Race at every context, or at the longest that the model has room for."""
    count = threads.decode_threads(model.checkpoint.config, model.dtype)
    device = model.decoder.device
    bandwidth = read_bandwidth(count, device=device)
    measures: dict[str, Measurement] = {}
    where = f"{count} threads" if device.type == "cpu" else torch.cuda.get_device_name(device)
    notes = [f"Bandwidth: torch adds up 1 GiB of float32 on {where}, the best of several passes."]
    for context in command.contexts:
        race = yield from _race(engine, model, peer, context=context, turns=max(1, command.tokens // TURN))
        measures |= decode_measures(model, race, wanted=context, bandwidth=bandwidth)
        notes += [f"Context {race.context}: {name} {speed:.2f} tokens/s." for name, speed in race.speeds.items()]
    return measures, notes


def _race(
    engine: Engine, model: OpenModel, peer: Any | None, *, context: int, turns: int
) -> Generator[None, None, Race]:
    made = turns * (TURN + WARM_UP) + 1
    config = model.checkpoint.config
    context = min(context, config.max_position_embeddings - made)
    if context < 1:
        raise Problem(f"The model's context has no room for {made} tokens; measure fewer.")
    prompt = torch.randint(config.vocab_size, (context,), generator=torch.Generator().manual_seed(SEED)).tolist()
    folder = engine.scratch.folder(f"measure-{context}")
    lanes: dict[str, Lane] = {
        "recorded": RecordedLane(engine, model, prompt, tokens=made, folder=folder),
        "plain": PlainLane(model, prompt),
    }
    if model.decoder.device.type == "cuda":
        lanes[TORCH] = PlainLane(model, prompt, by_torch=True)
    if peer is not None:
        lanes |= yield from _peers(peer, prompt)
    seconds: dict[str, list[float]] = {name: [] for name in lanes}
    order, dice = [OURS, *((name,) for name in lanes if name not in OURS)], Random(SEED)
    for _ in range(turns):
        dice.shuffle(order)
        for names in order:
            for name, each in zip(names, _turn([lanes[name] for name in names]), strict=True):
                seconds[name].append(each)
            yield
    shutil.rmtree(folder, ignore_errors=True)
    speeds = {name: 1 / median(times) for name, times in seconds.items()}
    return Race(context, speeds, {name: lane.tokens for name, lane in lanes.items()})


def _peers(peer: Any, prompt: list[int]) -> Generator[None, None, dict[str, Lane]]:
    """transformers' fastest ways, each at the end of the prompt."""
    start = begin(peer, prompt)
    heats: dict[Way, float] = {}
    for way, seconds in decode_heats(peer, start):
        heats[way] = seconds
        yield
    best = sorted(heats, key=lambda way: heats[way])[:PEERS]
    return {f"{way.attention}, {way.experts}, {way.threads} threads": PeerLane(peer, start, way) for way in best}


def _turn(lanes: Sequence[Lane]) -> list[float]:
    """Seconds per token of each lane in one turn; lanes that share a turn have the same thread count."""
    threads.use(lanes[0].threads)
    for lane in lanes:
        for _ in range(WARM_UP):
            lane.step()
    seconds = [0.0] * len(lanes)
    numbered = list(enumerate(lanes))
    for _ in range(TURN):
        for index, lane in numbered:
            began = time.perf_counter()
            lane.step()
            seconds[index] += time.perf_counter() - began
        numbered.reverse()  # whoever goes first brings the token's weights into the caches for the other
    return [total / TURN for total in seconds]


def decode_measures(model: OpenModel, race: Race, *, wanted: int, bandwidth: float) -> dict[str, Measurement]:
    """The figures of one race. `wanted` is the context that was asked for, `bandwidth` in bytes/s.

    Limits are those of a CPU: on CUDA there are none but the same tokens.
    """
    context, speeds, tokens = race
    cpu = model.decoder.device.type == "cpu"
    config, dtype, recorded = model.checkpoint.config, model.dtype, speeds["recorded"]
    read = recorded * step_bytes(config, dtype, context) / 1e9
    share = limits.bandwidth_limit(config, dtype, wanted) if cpu else None
    found = {
        f"decode_{context}": Measurement(value=recorded, unit="tokens/s"),
        f"bandwidth_{context}": limits.against(read, "GB/s", bandwidth / 1e9, share),
        f"recording_{context}": limits.against(
            recorded, "tokens/s", speeds["plain"], limits.RECORDING if cpu else None
        ),
    }
    if TORCH in speeds:
        found[f"graph_{context}"] = limits.against(speeds["plain"], "tokens/s", speeds[TORCH])
    peers = {name: speed for name, speed in speeds.items() if name not in (*OURS, TORCH)}
    if not peers:
        return found
    best = max(peers, key=lambda name: peers[name])
    limit = limits.decode_limit(config, dtype, wanted) if cpu else None
    same = [ours == theirs for ours, theirs in zip(tokens["recorded"], tokens[best], strict=False)]
    equal = same.index(False) if False in same else len(same)
    # In a narrow dtype two orders of adding differ by more than near ties do.
    certain = 1.0 if dtype == "float32" else None
    return found | {
        f"decode_{context}": limits.against(recorded, "tokens/s", peers[best], limit),
        f"same_tokens_{context}": limits.against(equal, "tokens", len(same), certain),
    }
