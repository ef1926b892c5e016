"""`bench decode|prefill|growth|attention|fly|…`: measured speed as JSON or text, never part of the tests."""

import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Literal, cast

import msgspec

from app.bundled import checkpoint_path
from app.commands.bench_attention import ShapeName, bench_attention, sweep
from app.commands.bench_large import bench_large
from app.commands.bench_llama import llama_measures
from app.commands.conversation import Conversation
from app.commands.output import show
from app.commands.random_checkpoint import SHAPES, write_random_checkpoint
from model.config import DtypeName
from model.lens_messages import Arithmetic
from model.messages import Measure, Measured, OpenCheckpoint
from model.problems import Problem

TOKENS = {
    "decode": [64],
    "prefill": [512, 2048],
    "growth": [20_000],
    "attention": [8192, 32_768],
    "large": [32],
    "fly": [131_072],
    "window": [64],
    "table": [64],
}
ON_CUDA = ("decode", "attention")
SEVERAL = ("prefill", "attention")  # take several --tokens
LENS_SHAPES = ("v2-lite", "v2", "bundled")


def run(options: Namespace) -> int:
    """Measure and print. Raises Problem for what cannot be measured."""
    tokens = options.tokens if options.tokens is not None else TOKENS[options.what]
    if min(tokens) < 2 or min(options.context) < 1:
        raise Problem("There is nothing to measure; give --tokens 2 or more and contexts of 1 or more.")
    if options.what not in SEVERAL and len(tokens) > 1:
        raise Problem("Only `bench prefill` and `bench attention` take several --tokens; give one number.")
    if options.shape is not None and (options.what == "attention") != (options.shape in LENS_SHAPES):
        raise Problem(f"`bench {options.what}` has no shape {options.shape}; `bench --help` lists what there is.")
    if options.device != "cpu" and options.what not in ON_CUDA:
        raise Problem(f"`bench {options.what}` is measured on the CPU; leave --device out.")
    options.dtype = _dtype(options)
    if options.what == "window":
        # Late, because it loads Qt, which no other benchmark needs.
        result = import_module("app.commands.bench_window").bench_window(
            checkpoint=options.checkpoint, tokens=tokens[0]
        )
    elif options.what == "fly":
        result = import_module("app.commands.bench_fly").bench_fly(checkpoint=options.checkpoint, tokens=tokens[0])
    elif options.what == "large":
        result = bench_large(folder=options.folder, tokens=tokens[0], budget=options.budget)
    elif options.what == "attention":
        result = _attention(options, tokens)
    elif options.what == "table":
        # Late, because the table asks this module for its rows.
        return cast(int, import_module("app.commands.bench_table").bench_table(Path(options.out)))
    else:
        with checkpoint_of(options) as folder:
            result = measured(
                options.what,
                folder,
                dtype=options.dtype,
                contexts=options.context,
                tokens=tokens,
                device=options.device,
            )
        if options.what == "decode" and options.peer_llama and options.peer_gguf:
            result |= llama_measures(options.peer_llama, options.peer_gguf, ours=result)
    show(result, as_json=options.json)
    return 0


def _attention(options: Namespace, tokens: list[int]) -> dict[str, object]:
    shape = cast(ShapeName, options.shape or "v2-lite")
    how = cast(Arithmetic, options.dtype)
    if options.plot is None:
        return bench_attention(
            shape, tokens=tokens, arithmetic=how, checkpoint=options.checkpoint, device=options.device
        )
    if options.device != "cpu":
        raise Problem("The plot is drawn of the CPU's times; leave --device or --plot out.")
    file = Path(options.plot)
    return sweep(shape, most=max(tokens), arithmetic=how, file=file, checkpoint=options.checkpoint)


def _dtype(options: Namespace) -> str:
    """float32, and bfloat16 by the name that the benchmark knows it by."""
    if options.what == "attention":
        return "float32" if options.dtype == "float32" else "bf16"
    return "bfloat16" if options.dtype == "bf16" else options.dtype or "float32"


@contextmanager
def checkpoint_of(options: Namespace) -> Iterator[str]:
    """The folder of the asked checkpoint; random weights live in a temporary one as long as the block."""
    shape = "long" if options.what == "growth" and options.checkpoint is None else options.shape
    if shape is None:
        yield checkpoint_path(options.checkpoint)
        return
    with tempfile.TemporaryDirectory(prefix="latent-loupe-bench-") as folder:
        write_random_checkpoint(Path(folder), SHAPES[shape], dtype=options.dtype)
        yield folder


def measured(
    what: Literal["decode", "prefill", "growth"],
    folder: str,
    *,
    dtype: DtypeName,
    contexts: list[int],
    tokens: list[int],
    device: str = "cpu",
) -> dict[str, object]:
    """Names to {value, unit, peer, ratio, limit}, and notes, from an engine of its own."""
    measure = (
        Measure(what="prefill", contexts=tokens)
        if what == "prefill"
        else Measure(what=what, contexts=contexts, tokens=tokens[0])
    )
    with Conversation() as engine:
        engine.last(OpenCheckpoint(path=folder, dtype=dtype, device=device))
        answer = cast(Measured, engine.last(measure))
    return {**{name: msgspec.to_builtins(one) for name, one in answer.measures.items()}, "notes": answer.notes}
