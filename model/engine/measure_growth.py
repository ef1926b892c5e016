"""`bench growth`: memory and time of one long generation, against the latents it gathers.

Memory that no file backs must grow by what the cache and the recording say they hold, and by nothing else.
"""

import gc
import shutil
import time
from collections.abc import Generator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from model.engine import limits
from model.engine.lanes import RecordedLane
from model.engine.opened import OpenModel
from model.engine.runs import Engine
from model.messages import Measurement
from model.problems import Problem

PROMPT = 64
WARM_UP = 512  # tokens until every buffer, kernel and thread is there
WINDOW = 256  # tokens whose median time is taken, early and at the end
STATUS = Path("/proc/self/status")


class Point(NamedTuple):
    """Where a run was: seconds of a token, private bytes, and the bytes that the cache and the recording show."""

    seconds: float
    private: int
    shown: int
    latents: int


def measure_growth(
    engine: Engine, model: OpenModel, *, tokens: int
) -> Generator[None, None, tuple[dict[str, Measurement], list[str]]]:
    """One generation of `tokens` tokens. Raises Problem when the model has no room for them."""
    config = model.checkpoint.config
    least, most = WARM_UP + 2 * WINDOW, config.max_position_embeddings - PROMPT - 1
    if not least <= tokens <= most:
        raise Problem(f"Growth is measured over {least:,} to {most:,} tokens of this model; {tokens:,} were asked for.")
    if not STATUS.exists():
        raise Problem("Growth is measured where /proc tells a process its memory; run it on Linux.")
    folder = engine.scratch.folder("growth")
    prompt = [index % config.vocab_size for index in range(PROMPT)]
    lane = RecordedLane(engine, model, prompt, tokens=tokens + 1, folder=folder)
    yield from _steps(lane, WARM_UP)
    early = yield from _point(lane)
    yield from _steps(lane, tokens - WARM_UP - 2 * WINDOW)
    late = yield from _point(lane)
    shutil.rmtree(folder, ignore_errors=True)
    return growth_measures(early, late), [f"{tokens} tokens of {model.checkpoint.name}, recorded."]


def growth_measures(early: Point, late: Point) -> dict[str, Measurement]:
    """memory: private bytes gained, against those shown; time: its growth, against that of the latents read."""
    return {
        "memory": limits.against(
            (late.private - early.private) / 1e6, "MB", (late.shown - early.shown) / 1e6, limits.GROWTH
        ),
        "time": limits.against(late.seconds / early.seconds, "times", late.latents / early.latents, limits.TIME_GROWTH),
    }


def _steps(lane: RecordedLane, count: int) -> Generator[None, None, None]:
    for number in range(count):
        lane.step()
        if number % WINDOW == 0:
            yield


def _point(lane: RecordedLane) -> Generator[None, None, Point]:
    seconds = []
    for _ in range(WINDOW):
        began = time.perf_counter()
        lane.step()
        seconds.append(time.perf_counter() - began)
    yield
    gc.collect()
    recording, cache = lane.recording, lane.cache
    shown = recording.memory_bytes + cache.measured_bytes()
    return Point(median(seconds), _private(), shown, cache.used_bytes())


def _private() -> int:
    """Bytes of this process that no file backs."""
    fields = (line.split() for line in STATUS.read_text(encoding="ascii").splitlines())
    return sum(int(field[1]) * 1024 for field in fields if field[0] in ("RssAnon:", "RssShmem:"))
