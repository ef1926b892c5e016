"""`bench attention`: how soon pictures of long attention are there, measured on synthetic latents of true shapes."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

import msgspec

from app.bundled import checkpoint_path
from app.commands.attention_plot import Line, write_plot
from app.commands.conversation import Conversation
from app.commands.large_checkpoint import V2_LITE
from model.config import ModelConfig
from model.messages import Describe, Described, MeasureAttention, Measured
from model.problems import Problem

ShapeName = Literal["v2-lite", "v2", "bundled"]

# DeepSeek-V2, config.json: what attention needs of its 236 B parameters.
V2 = replace(V2_LITE, hidden_size=5120, layers=60, heads=128, q_lora_rank=1536)
SWEEP = tuple(2**power for power in range(10, 18))
FULL_SWEEP = 65_536  # every row of a longer run takes a minute or more beside other work
LINES = {
    "first_picture": "first picture, 64 rows",
    "rows_1024": "1,024 rows",
    "every_row": "every row of one head",
    "held": "T × T of all heads held",
}


def bench_attention(
    shape: ShapeName,
    *,
    tokens: Sequence[int],
    arithmetic: Literal["bf16", "float32"],
    checkpoint: str | None = None,
    device: str = "cpu",
) -> dict[str, object]:
    """Figures by name and length, and notes. Raises Problem."""
    with Conversation() as engine:
        config = _config(shape, engine, checkpoint)

        def measured(count: int) -> Measured:
            asked = MeasureAttention(config=config, tokens=count, arithmetic=arithmetic, device=device)
            return cast(Measured, engine.last(asked))

        return _joined((count, measured(count)) for count in tokens)


def sweep(
    shape: ShapeName,
    *,
    most: int,
    arithmetic: Literal["bf16", "float32"],
    file: Path,
    checkpoint: str | None = None,
    lengths: Sequence[int] = SWEEP,
) -> dict[str, object]:
    """Measure lengths up to `most`, with every row up to 65,536 and T × T as long as it fits, and draw the plot."""
    found: list[tuple[int, Measured]] = []
    with Conversation() as engine:
        config = _config(shape, engine, checkpoint)
        for count in (length for length in lengths if length <= most):
            print(f"{count:,} tokens …", file=sys.stderr, flush=True)
            asked = MeasureAttention(config=config, tokens=count, arithmetic=arithmetic, full=count <= FULL_SWEEP)
            found.append((count, cast(Measured, engine.last(asked))))
            held = engine.last(msgspec.structs.replace(asked, what="held"))
            found.append((count, cast(Measured, held)))
    lines = [Line(label, _points(found, name)) for name, label in LINES.items()]
    try:
        write_plot(file, [line for line in lines if line.points], x="tokens", y="seconds")
    except OSError as error:
        raise Problem(f"{file} cannot be written ({error.strerror or error}); name another --plot.") from None
    return {**_joined(found), "plot": str(file)}


def _config(shape: ShapeName, engine: Conversation, checkpoint: str | None) -> ModelConfig:
    if shape != "bundled":
        return V2_LITE if shape == "v2-lite" else V2
    return cast(Described, engine.last(Describe(path=checkpoint_path(checkpoint)))).summary.config


def _joined(found: Iterable[tuple[int, Measured]]) -> dict[str, object]:
    result: dict[str, object] = {}
    notes: list[str] = []
    for count, measured in found:
        result |= {f"{name}_{count}": msgspec.to_builtins(one) for name, one in measured.measures.items()}
        notes += [f"{count:,} tokens: {note}" for note in measured.notes]
    return {**result, "notes": notes}


def _points(found: Sequence[tuple[int, Measured]], name: str) -> list[tuple[float, float]]:
    return [(float(count), told.measures[name].value) for count, told in found if name in told.measures]
