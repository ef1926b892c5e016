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

from model.engine.agenda import Work
from model.engine.opened import choose_device
from model.engine.plain_picture import PlainPicture, measure_held
from model.engine.synthetic import Synthetic, synthetic_run
from model.lens_messages import Arithmetic, MeasureAttention
from model.lenses.arithmetic import arithmetic
from model.lenses.bins import kernels, row_kernels
from model.lenses.kept import Kept
from model.lenses.picture import HeadPicture, Stage, Wanted, pictures
from model.lenses.reader import HeadReader
from model.lenses.scorer import Scorer
from model.lenses.survey import look, occurrences
from model.messages import Measured, Measurement
from model.problems import Problem

PIXELS = 1024
REPEATS = 5
STATUS = Path("/proc/self/status")
# seconds of first picture, of 1,024 rows, of every row, and megabytes, in bf16; float32 may take twice as long
LIMITS = {8192: (0.03, 0.04, 0.15, 128), 32768: (0.05, 0.1, 1.2, 128), 131072: (0.1, 0.5, 20.0, 256)}
ZOOM_LIMIT = 0.15
GALLERY_LIMITS = (0.15, 1.5)  # 16 heads of 32,768 tokens, bf16
LEAST_TOKENS = 1024
THUMBNAIL_ROWS = 256
QUICK_TOKENS = 32_768  # up to here every row takes seconds, and is measured several times too
PEER_STEP = 16  # beyond this many blocks the peer's exact picture is every 16th block, times 16


class Times(NamedTuple):
    """Seconds until a stage of at least so many rows, and the last stage."""

    rows: dict[int, float]
    last: Stage


class Memory:
    """The most private memory that this process has taken beyond what it had at first, in bytes."""

    def __init__(self) -> None:
        self._before = _private()
        self.most = 0

    def look(self) -> None:
        """Take what there is now into account."""
        self.most = max(self.most, _private() - self._before)


def measure_attention(command: MeasureAttention) -> Work:
    """Measure pictures of one head. Raises Problem for what there is no room for."""
    if command.tokens < LEAST_TOKENS:
        raise Problem(f"Attention is measured from {LEAST_TOKENS:,} tokens on; {command.tokens:,} were asked for.")
    kernels(), row_kernels()
    run = synthetic_run(command.config, command.tokens, device=choose_device(command.device))
    yield None
    if command.what == "held":
        measures, notes = yield from measure_held(run)
        yield Measured(request=command.request, measures=measures, notes=notes)
        return
    measures, notes = yield from _measured(run, command)
    yield Measured(request=command.request, measures=measures, notes=notes)


def _measured(
    run: Synthetic, command: MeasureAttention
) -> Generator[None, None, tuple[dict[str, Measurement], list[str]]]:
    device = run.projections.layer(0).q_weight.device
    against = _against if device.type == "cpu" else _unlimited
    how = arithmetic(device, exact=command.arithmetic == "float32")
    limits = [None if limit is None else limit * (2 if how == "float32" else 1) for limit in _limits(command.tokens)]
    memory = Memory()
    measures: dict[str, Measurement] = {}
    first, thousand = [], []
    for _ in range(REPEATS):
        times = yield from _timed(_pictures(run, command.tokens, how, Kept()), memory, until=1024)
        first.append(min(times.rows.values()))
        thousand.append(next(seconds for rows, seconds in times.rows.items() if rows >= min(1024, command.tokens)))
    every = []
    for _ in range(REPEATS if command.full and command.tokens <= QUICK_TOKENS else int(command.full)):
        kept = Kept()
        times = yield from _timed(_pictures(run, command.tokens, how, kept), memory)
        every.append(max(times.rows.values()))
    if every:
        cell = tuple(at // _cell(command.tokens) for at in run.needle)
        measures["needle"] = Measurement(value=float(times.last.values[0][cell]), unit="probability", limit=0.5)
        zoom = yield from _timed(_zoom(run, command.tokens, how, kept), memory, until=1)
        measures["zoom_first_picture"] = against(min(zoom.rows.values()), None, ZOOM_LIMIT)
    seen = yield from _thumbnails(run, how)
    plain = PlainPicture(run, how, pixels=PIXELS)
    peers = yield from _peer(plain, command.tokens, full=command.full)
    measures["first_picture"] = against(median(first), peers[0], limits[0])
    measures["rows_1024"] = against(median(thousand), peers[1], limits[1])
    if every:
        measures["every_row"] = against(median(every), peers[2], limits[2])
    gallery = GALLERY_LIMITS if command.tokens == 32768 and run.recording.info.config.heads == 16 else (None, None)
    for name, value, limit in zip(("first_thumbnail", "all_thumbnails"), seen, gallery, strict=True):
        doubled = None if limit is None else limit * (2 if how == "float32" else 1)
        measures[name] = against(value, None, doubled)
    measures["extra_memory"] = against(memory.most / 1e6, None, _limits(command.tokens)[3], unit="MB")
    where = f"{how} on {device}"
    notes = [f"Arithmetic: {where}. Synthetic latents, one head, {PIXELS} cells along an edge at most, nothing kept."]
    return measures, [*notes, *plain.notes]


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


def _thumbnails(run: Synthetic, how: Arithmetic) -> Generator[None, None, tuple[float, float]]:
    """Seconds until the first head's thumbnail and statistics, and until those of all heads."""
    tokens, kept, occurred, seconds = run.recording.tokens, Kept(), occurrences(run.recording), []
    spent = 0.0
    for head in range(run.recording.info.config.heads):
        began = time.perf_counter()
        scorer = Scorer(HeadReader(run.recording, run.projections, layer=0, head=head), kept, arithmetic=how)
        for _ in look(scorer, occurred, tokens=tokens, count=THUMBNAIL_ROWS, edge=96, quantity="probability"):
            spent += time.perf_counter() - began
            yield
            began = time.perf_counter()
        seconds.append(spent)
    return seconds[0], seconds[-1]


def _timed(work: Iterator[Stage | None], memory: "Memory", *, until: int = 2**62) -> Generator[None, None, Times]:
    """Run through the stages until one of so many rows, counting only the time of the work itself."""
    rows: dict[int, float] = {}
    last, seconds = None, 0.0
    while True:
        began = time.perf_counter()
        stage = next(work, None) if last is None or not last.final else None
        seconds += time.perf_counter() - began
        memory.look()
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


def _unlimited(value: float, peer: float | None, _limit: float | None, *, unit: str = "s") -> Measurement:
    """The limits are a CPU's."""
    return _against(value, peer, None, unit=unit)


def _private() -> int:
    """Bytes of this process that no file backs; 0 where the system does not say."""
    if not STATUS.exists():
        return 0
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024
