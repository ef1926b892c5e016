"""The command line: the window, or a headless command. What a command needs is imported when it runs."""

import sys
from argparse import Namespace
from collections.abc import Callable
from importlib import import_module

from app.arguments import parse
from model.problems import Problem

PROBLEM = 2
INTERRUPTED = 130


def run(arguments: list[str]) -> int:
    """Do what the arguments say; returns the exit status. Bad input is one sentence on stderr, and 2."""
    try:
        options = parse(arguments)
        return _window(options) if options.command is None else _command(options.command)(options)
    except Problem as problem:
        sys.stderr.write(f"{problem}\n")
        return PROBLEM
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone
        sys.stderr.close()
        return PROBLEM


def _command(name: str) -> Callable[[Namespace], int]:
    # Late, because only `render` and `bench window` may load Qt, and a new command is one file and its arguments.
    command: Callable[[Namespace], int] = import_module(f"app.commands.{name}").run
    return command


def _window(options: Namespace) -> int:
    from app.window_app import WindowOptions, open_window  # Qt, which no headless command may wait for

    return open_window(
        WindowOptions(checkpoint=options.checkpoint, device=options.device, dtype=options.dtype, prompt=options.prompt)
    )
