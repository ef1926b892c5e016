"""The Measure command: decode speed with and without recording, and transformers', in the same minutes.

Lanes take turns, a few tokens each and in a new order every time, so whatever else the machine does, and
whatever the lane before left behind, hits them alike. Our two lanes share a turn and alternate token by
token, since their difference is small. A lane's speed is the median of its turns.
"""

import shutil
import time
from collections.abc import Generator, Sequence
from random import Random
from statistics import median
from typing import Any, NamedTuple

import torch

from model.engine import threads
from model.engine.agenda import Work
from model.engine.lanes import Lane, PlainLane, RecordedLane
from model.engine.opened import OpenModel
from model.engine.peer import Attention, PeerLane, load_peer
from model.engine.runs import Engine
from model.messages import Measure, Measured, Measurement
from model.problems import Problem

TURN = 8  # tokens of one lane before the next lane's turn
WARM_UP = 2  # tokens of a turn that are not timed: caches and thread counts settle
SEED = 7
RECORDING_LIMIT = 0.9  # recorded speed over plain speed, at least
PEER_LIMITS = ((2048, 2.3), (0, 1.3))  # recorded speed over the peer's from this context on, at least
OURS = ("recorded", "plain")
ATTENTIONS: tuple[Attention, ...] = ("sdpa", "eager")


def measure(command: Measure, engine: Engine) -> Work:
    """Race at every context, or at the longest that the model has room for. Raises Problem when there is no room."""
    model = engine.open_model()
    peer = load_peer(model.checkpoint.path)
    yield None
    measures: dict[str, Measurement] = {}
    for context in command.contexts:
        turns = max(1, command.tokens // TURN)
        race = yield from _race(engine, model, peer, context=context, turns=turns)
        measures |= _measures(race, wanted=context)
    notes = [] if peer is not None else ["transformers is not installed, so there is no peer to compare with."]
    yield Measured(request=command.request, measures=measures, notes=notes)


class Race(NamedTuple):
    """Tokens per second and tokens of every lane by name, after `context` tokens."""

    context: int
    speeds: dict[str, float]
    tokens: dict[str, list[int]]


def _race(
    engine: Engine, model: OpenModel, peer: Any | None, *, context: int, turns: int
) -> Generator[None, None, Race]:
    made = turns * (TURN + WARM_UP) + 1
    context = min(context, model.checkpoint.config.max_position_embeddings - made)
    if context < 1:
        raise Problem(f"The model's context has no room for {made} tokens; measure fewer.")
    prompt = torch.randint(
        model.checkpoint.config.vocab_size, (context,), generator=torch.Generator().manual_seed(SEED)
    ).tolist()
    folder = engine.scratch.folder(f"measure-{context}")
    lanes: dict[str, Lane] = {
        "recorded": RecordedLane(engine, model, prompt, tokens=made, folder=folder),
        "plain": PlainLane(model, prompt),
    }
    for attention in ATTENTIONS if peer is not None else ():
        for count in sorted({1, threads.ALL}):
            lanes[f"{attention} {count}"] = PeerLane(peer, prompt, attention=attention, threads=count)
            yield
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


def _turn(lanes: Sequence[Lane]) -> list[float]:
    """Seconds per token of each lane in one turn; lanes that share a turn have the same thread count."""
    threads.use(lanes[0].threads)
    for lane in lanes:
        for _ in range(WARM_UP):
            lane.step()
    seconds = [0.0] * len(lanes)
    for _ in range(TURN):
        for index, lane in enumerate(lanes):
            began = time.perf_counter()
            lane.step()
            seconds[index] += time.perf_counter() - began
    return [total / TURN for total in seconds]


def _measures(race: Race, *, wanted: int) -> dict[str, Measurement]:
    context, speeds, tokens = race
    recorded = speeds["recorded"]
    peers = {name: speed for name, speed in speeds.items() if name not in OURS}
    found = {f"recording_{context}": _ratio(recorded, speeds["plain"], RECORDING_LIMIT)}
    if not peers:
        return found | {f"decode_{context}": Measurement(value=recorded, unit="tokens/s")}
    best = max(peers, key=lambda name: peers[name])
    limit = next(limit for start, limit in PEER_LIMITS if wanted >= start)
    same = [ours == theirs for ours, theirs in zip(tokens["recorded"], tokens[best], strict=False)]
    equal = same.index(False) if False in same else len(same)
    return found | {
        f"decode_{context}": _ratio(recorded, peers[best], limit),
        f"same_tokens_{context}": Measurement(
            value=equal, unit="tokens", peer=len(same), ratio=equal / len(same), limit=1.0
        ),
    }


def _ratio(value: float, peer: float, limit: float) -> Measurement:
    return Measurement(value=value, unit="tokens/s", peer=peer, ratio=value / peer, limit=limit)
