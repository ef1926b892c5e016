"""`bench large`: a checkpoint larger than memory, from its first byte to tokens, and what that took."""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

import numpy as np

from app.commands.conversation import Conversation
from app.commands.large_checkpoint import SHARD_BYTES, V2_LITE, large_bytes, write_large_checkpoint
from model.config import ModelConfig
from model.messages import Describe, Described, Event, Finished, Generate, Grown, Loading, OpenCheckpoint, Opened
from model.problems import Problem

PROMPT_TOKENS = 32
SPARE_BYTES = 2 * 10**9  # for the recording and for others
TOLD_SECONDS = 5.0
COLUMNS = ("tokens", "decode", "seconds", "expert_hits", "expert_misses", "bytes_read")
LIMIT_BYTES = 8e9  # what the large checkpoint may keep in memory


def bench_large(
    *,
    folder: str | None,
    tokens: int,
    budget: int = 0,
    config: ModelConfig = V2_LITE,
    shard_bytes: int = SHARD_BYTES,
) -> dict[str, object]:
    """Write, open, describe, prefill and generate; figures by name. The files are gone afterwards, whatever happens.

    Raises Problem when the disk has no room for them.
    """
    size, base = large_bytes(config), Path(folder or tempfile.gettempdir())
    try:
        free = shutil.disk_usage(base).free
        if free < size + SPARE_BYTES:
            raise Problem(
                f"{base} has {free / 1e9:.1f} GB free and {(size + SPARE_BYTES) / 1e9:.1f} GB are needed; "
                "give another --folder."
            )
        with tempfile.TemporaryDirectory(prefix="latent-loupe-bench-", dir=base) as temporary:
            began = time.monotonic()
            write_large_checkpoint(Path(temporary), config, shard_bytes=shard_bytes, told=_Told("written"))
            written = time.monotonic() - began
            measured = _measured(temporary, config, tokens=tokens, budget=budget)
    except OSError as error:
        reason = error.strerror or str(error)
        raise Problem(f"{base} cannot hold the checkpoint ({reason}); give another --folder.") from None
    return {"file_bytes": size, "write_seconds": written, **measured}


def _measured(folder: str, config: ModelConfig, *, tokens: int, budget: int) -> dict[str, object]:
    prompt = np.random.default_rng(1).integers(config.vocab_size, size=PROMPT_TOKENS).tolist()
    with Conversation() as engine:
        began = time.monotonic()
        described = cast(Described, engine.last(Describe(path=folder, budget_bytes=budget))).summary
        describe_seconds = time.monotonic() - began
        opened = cast(Opened, _last(engine.ask(OpenCheckpoint(path=folder, budget_bytes=budget))))
        disk = engine.read_bytes()
        run = list(_telling(engine.ask(Generate(token_ids=prompt, max_new_tokens=tokens))))
        disk = engine.read_bytes() - disk
        kept = engine.most_unreclaimable_bytes
    finished = cast(Finished, run[-1])
    return {
        "parameters_total": described.parameters_total,
        "free_bytes": described.free_bytes,
        "budget_bytes": opened.budget_bytes,
        "device": opened.device,
        "dtype": opened.dtype,
        "describe_seconds": describe_seconds,
        "open_seconds": opened.seconds,
        "prefill_tokens_per_second": PROMPT_TOKENS / finished.prefill_seconds,
        "decode_tokens_per_second": finished.decode_tokens_per_second,
        **_steps(run),
        "disk_bytes_read": disk,
        "unreclaimable_bytes": kept,
        "unreclaimable_limit": LIMIT_BYTES,
        "reason": finished.reason,
        "notes": [finished.note] if finished.note else [],
    }


def _steps(events: Iterable[Event]) -> dict[str, object]:
    """What the steps told of experts: all of the prefill, and the mean of a decoded token in each half of them."""
    batches = [event.steps for event in events if isinstance(event, Grown)]
    columns = {name: np.concatenate([getattr(batch, name).numpy() for batch in batches]) for name in COLUMNS}
    decoded = np.flatnonzero(columns["decode"])
    halves = {"prefill": np.flatnonzero(columns["decode"] == 0), "first_half": decoded[: len(decoded) // 2]}
    halves["second_half"] = decoded[len(decoded) // 2 :]
    return {name: _mean(columns, rows, each=name != "prefill") for name, rows in halves.items() if len(rows)}


def _mean(columns: Mapping[str, np.ndarray], rows: np.ndarray, *, each: bool) -> dict[str, object]:
    share = len(rows) if each else 1
    return {name: float(columns[name][rows].sum() / share) for name in COLUMNS[2:]}


def _last(events: Iterable[Event]) -> Event:
    *_, last = _telling(events)
    return last


def _telling(events: Iterable[Event]) -> Iterable[Event]:
    """The events, with a line about them for people now and then."""
    loaded, generated = _Told("loaded"), _Told("tokens fed", unit=1.0)
    for event in events:
        if isinstance(event, Loading):
            loaded(event.done, event.total)
        elif isinstance(event, Grown) and len(event.steps.chosen_texts):
            generated(int(event.steps.tokens.numpy()[-1]), 0)
        yield event


class _Told:
    """A line on stderr every few seconds."""

    def __init__(self, what: str, *, unit: float = 1e9) -> None:
        self._what, self._unit = what, unit
        self._next = time.monotonic() + TOLD_SECONDS

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + TOLD_SECONDS
            of = f" of {total / self._unit:.1f}" if total else ""
            sys.stderr.write(f"{self._what}: {done / self._unit:.4g}{of}{' GB' if self._unit > 1 else ''}\n")
