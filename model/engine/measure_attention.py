"""`bench attention`: how soon pictures of long attention are there, and what memory they take.

Latents are synthetic. A plain torch version of the same picture, in the same arithmetic, is the peer: keys expanded
once, 256 rows at a time multiplied with all keys, softmaxed, pooled.
"""

import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch

from model.engine.agenda import Work
from model.engine.plain_picture import PlainPicture
from model.engine.synthetic import Synthetic, synthetic_run
from model.lens_messages import Arithmetic, MeasureAttention
from model.lenses.arithmetic import arithmetic
from model.lenses.bins import kernels
from model.lenses.kept import Kept
from model.lenses.picture import HeadPicture, Stage, Wanted, pictures
from model.lenses.reader import HeadReader
from model.lenses.scorer import Scorer
from model.messages import Measured, Measurement
from model.problems import Problem

PIXELS = 1024
REPEATS = 5
STATUS = Path("/proc/self/status")
# seconds of first picture, of 1,024 rows, of every row, and megabytes, in bf16; float32 may take twice as long
LIMITS = {8192: (0.03, 0.04, 0.15, 128), 32768: (0.05, 0.1, 1.2, 128), 131072: (0.1, 0.5, 20.0, 256)}
ZOOM_LIMIT = 0.15
PEER_STEP = 16  # beyond this many blocks the peer's exact picture is every 16th block, times 16


class Times(NamedTuple):
    """Seconds until a stage of at least so many rows, and the last stage."""

    rows: dict[int, float]
    last: Stage


def measure_attention(command: MeasureAttention) -> Work:
    """Measure pictures of one head. Raises Problem for what there is no room for."""
    if command.tokens < 2048:
        raise Problem(f"Attention is measured from 2,048 tokens on; {command.tokens:,} were asked for.")
    kernels()
    run = synthetic_run(command.config, command.tokens)
    yield None
    how = arithmetic(torch.device("cpu"), exact=command.arithmetic == "float32")
    limits = [None if limit is None else limit * (2 if how == "float32" else 1) for limit in _limits(command.tokens)]
    before, highest = _private(), [0]

    def watched(work: Iterator[Stage | None]) -> Generator[Stage | None, None, None]:
        for stage in work:
            highest[0] = max(highest[0], _private() - before)
            yield stage

    measures: dict[str, Measurement] = {}
    first, thousand = [], []
    for _ in range(REPEATS):
        times = yield from _timed(watched(_pictures(run, command.tokens, how, Kept())), until=1024)
        first.append(min(times.rows.values()))
        thousand.append(next(seconds for rows, seconds in times.rows.items() if rows >= min(1024, command.tokens)))
    every = None
    if command.full:
        kept = Kept()
        times = yield from _timed(watched(_pictures(run, command.tokens, how, kept)))
        every = max(times.rows.values())
        cell = tuple(at // _cell(command.tokens) for at in run.needle)
        measures["needle"] = Measurement(value=float(times.last.values[0][cell]), unit="probability", limit=0.5)
        zoom = yield from _timed(watched(_zoom(run, command.tokens, how, kept)), until=1)
        measures["zoom_first_picture"] = _against(min(zoom.rows.values()), None, ZOOM_LIMIT)
    plain = PlainPicture(run, how, pixels=PIXELS)
    peers = yield from _peer(plain, command.tokens, full=command.full)
    measures["first_picture"] = _against(median(first), peers[0], limits[0])
    measures["rows_1024"] = _against(median(thousand), peers[1], limits[1])
    if every is not None:
        measures["every_row"] = _against(every, peers[2], limits[2])
    measures["extra_memory"] = _against(highest[0] / 1e6, None, _limits(command.tokens)[3], unit="MB")
    notes = [f"Arithmetic: {how}. Synthetic latents, one head, {PIXELS} cells along an edge at most, nothing kept."]
    yield Measured(request=command.request, measures=measures, notes=[*notes, *plain.notes])


def _limits(tokens: int) -> tuple[float | None, ...]:
    return LIMITS.get(tokens, (None, None, None, None))


def _cell(tokens: int) -> int:
    cell = 1
    while tokens > cell * PIXELS:
        cell *= 2
    return cell


def _pictures(run: Synthetic, tokens: int, how: Arithmetic, kept: Kept) -> Iterator[Stage | None]:
    cell = _cell(tokens)
    wanted = Wanted((0, tokens), (0, tokens), (cell, cell), "probability", "max")
    return pictures([_head(run, how, kept, wanted)])


def _zoom(run: Synthetic, tokens: int, how: Arithmetic, kept: Kept) -> Iterator[Stage | None]:
    """A quarter of each side, away from the diagonal's end, after the whole has been seen."""
    side, cell = tokens // 4, max(_cell(tokens) // 4, 1)
    wanted = Wanted((2 * side, 3 * side), (side, 2 * side), (cell, cell), "probability", "max")
    return pictures([_head(run, how, kept, wanted)])


def _head(run: Synthetic, how: Arithmetic, kept: Kept, wanted: Wanted) -> HeadPicture:
    reader = HeadReader(run.recording, run.projections, layer=0, head=0)
    return HeadPicture(Scorer(reader, kept, arithmetic=how), wanted, kept)


def _timed(work: Iterator[Stage | None], *, until: int = 2**62) -> Generator[None, None, Times]:
    """Run through the stages until one of so many rows, counting only the time of the work itself."""
    rows: dict[int, float] = {}
    last, seconds = None, 0.0
    while True:
        began = time.perf_counter()
        stage = next(work, None) if last is None or not last.final else None
        seconds += time.perf_counter() - began
        if stage is not None:
            rows.setdefault(stage.rows_done, seconds)
            last = stage
            if stage.final or stage.rows_done >= until:
                return Times(rows, stage)
        yield


def _peer(plain: PlainPicture, tokens: int, *, full: bool) -> Generator[None, None, list[float]]:
    """The peer's seconds for 64 rows, 1,024 rows and every row, keys expanded each time."""
    result = []
    for rows in (64, 1024):
        result.append(median(_seconds(partial(plain.sampled, rows)) for _ in range(3)))
        yield
    if full:
        step = 1 if tokens <= PEER_STEP * 1024 else PEER_STEP
        result.append((yield from plain.every_row(step)))
    return result


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _against(value: float, peer: float | None, limit: float | None, *, unit: str = "s") -> Measurement:
    return Measurement(value=value, unit=unit, peer=peer, ratio=None if peer is None else peer / value, limit=limit)


def _private() -> int:
    """Bytes of this process that no file backs; 0 where the system does not say."""
    if not STATUS.exists():
        return 0
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024
