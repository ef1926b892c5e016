"""`bench decode|window`: measured speed as JSON or text, never part of the tests."""

from argparse import Namespace
from importlib import import_module
from typing import cast

import msgspec

from app.bundled import checkpoint_path
from app.commands.conversation import Conversation
from app.commands.output import show
from model.messages import Measure, Measured, OpenCheckpoint
from model.problems import Problem


def run(options: Namespace) -> int:
    """Measure and print. Raises Problem for what cannot be measured."""
    if options.tokens < 2 or any(context < 1 for context in options.context):
        raise Problem("There is nothing to measure; give --tokens 2 or more and contexts of 1 or more.")
    show(_window(options) if options.what == "window" else _decode(options), as_json=options.json)
    return 0


def _decode(options: Namespace) -> dict[str, object]:
    with Conversation() as engine:
        engine.last(OpenCheckpoint(path=checkpoint_path(options.checkpoint), dtype="float32", device="cpu"))
        measured = cast(Measured, engine.last(Measure(contexts=options.context, tokens=options.tokens)))
    measures = {name: msgspec.to_builtins(one) for name, one in measured.measures.items()}
    return {**measures, "notes": measured.notes}


def _window(options: Namespace) -> dict[str, object]:
    # Late, because it loads Qt, which no other benchmark needs.
    window: dict[str, object] = import_module("app.commands.bench_window").bench_window(
        checkpoint=options.checkpoint, tokens=options.tokens
    )
    return window
