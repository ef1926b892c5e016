"""One run as the window knows it: what the engine told so far, in columns that only grow. Qt-free."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from app.columns import Column
from model.config import DTYPE_BYTES, DtypeName
from model.kv_bytes import KvKind, kv_bytes_per_token
from model.messages import Array, Finished, Grown, RunInfo, StepBatch, TokenBatch

TOKEN_COLUMNS = ("ids", "log_probability", "expert_ids", "expert_weights", "margins")
STEP_COLUMNS = (
    "tokens",
    "decode",
    "measured_bytes",
    "used_bytes",
    "seconds",
    "expert_hits",
    "expert_misses",
    "bytes_read",
    "chosen_ids",
    "chosen_log_probability",
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what the engine told of it so far. Buffers are shared, lengths are this state's own."""

    info: RunInfo
    request: int
    tokens: int = 0
    steps: int = 0
    columns: Mapping[str, Column] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    chosen_texts: list[str] = field(default_factory=list)
    recording_bytes: int = 0
    finished: Finished | None = None

    def column(self, name: str) -> NDArray[Any]:
        """A token or step column, as long as this state knows it."""
        return self.columns[name].rows(self.steps if name in STEP_COLUMNS else self.tokens)

    @property
    def kv_bytes(self) -> dict[KvKind, int]:
        """Bytes per token, all layers, in the run's dtype: as MLA, and by formula as MHA, GQA and MQA."""
        return kv_bytes_per_token(self.info.config, DTYPE_BYTES[cast(DtypeName, self.info.dtype)])

    @property
    def generated(self) -> int:
        """Tokens chosen so far; the last of them is not fed."""
        return int((self.column("chosen_ids") >= 0).sum())


def new_columns(info: RunInfo) -> dict[str, Column]:
    """Empty buffers for a run of this model."""
    router = info.config.router
    layers, chosen = len(info.config.moe_layers), router.experts_per_token if router else 0
    return {
        "ids": Column((), np.int32),
        "log_probability": Column((), np.float32),
        "expert_ids": Column((layers, chosen), np.int16),
        "expert_weights": Column((layers, chosen), np.float32),
        "margins": Column((layers,), np.float32),
        "tokens": Column((), np.int64),
        "decode": Column((), np.bool_),
        "measured_bytes": Column((), np.int64),
        "used_bytes": Column((), np.int64),
        "seconds": Column((), np.float32),
        "expert_hits": Column((), np.int64),
        "expert_misses": Column((), np.int64),
        "bytes_read": Column((), np.int64),
        "chosen_ids": Column((), np.int32),
        "chosen_log_probability": Column((), np.float32),
    }


def grow(run: Run, event: Grown) -> Run:
    """The run with an event's tokens and steps."""
    _put(run.columns, TOKEN_COLUMNS, event.tokens)
    _put(run.columns, STEP_COLUMNS, event.steps)
    run.texts[event.tokens.first :] = event.tokens.texts
    run.chosen_texts[event.steps.first :] = event.steps.chosen_texts
    return replace(
        run,
        tokens=max(run.tokens, event.tokens.first + len(event.tokens.texts)),
        steps=max(run.steps, event.steps.first + len(event.steps.chosen_texts)),
        recording_bytes=event.recording_bytes,
    )


def _put(columns: Mapping[str, Column], names: tuple[str, ...], batch: TokenBatch | StepBatch) -> None:
    for name in names:
        array: Array = getattr(batch, name)
        columns[name].put(batch.first, array.numpy())
