"""The command line: the window, or a headless command. What a command needs is imported when it runs."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from app.arguments import parse
from app.display import missing_for_window
from model.problems import Problem

PROBLEM = 2
INTERRUPTED = 130
TOUR = Path("out/tour")


def run(arguments: list[str]) -> int:
    """Do what the arguments say; returns the exit status. Bad input is one sentence on stderr, and 2."""
    try:
        options = parse(arguments)
        status = _window(options) if options.command is None else _command(options.command)(options)
        sys.stdout.flush()
        return status
    except Problem as problem:
        sys.stderr.write(f"{problem}\n")
        return PROBLEM
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone; what is left of it goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PROBLEM


def _command(name: str) -> Callable[[Namespace], int]:
    # Late, because only `render` and `bench window` may load Qt, and a new command is one file and its arguments.
    command: Callable[[Namespace], int] = import_module(f"app.commands.{name}").run
    return command


def _window(options: Namespace) -> int:
    missing = missing_for_window()
    if missing is not None:
        return _tour(missing)

    from app.window_app import WindowOptions, open_window  # Qt, which no headless command may wait for

    return open_window(
        WindowOptions(
            checkpoint=options.checkpoint,
            device=options.device,
            dtype=options.dtype,
            prompt=options.prompt,
            budget_bytes=options.budget,
        )
    )


def _tour(missing: str) -> int:
    """Without a display: say so, and paint what the window would show."""
    sys.stderr.write(f"{missing} Painting the tour's pictures to {TOUR} instead.\n")
    os.environ["QT_QPA_PLATFORM"] = "offscreen"

    from app.pictures import application  # after the platform is chosen
    from app.tour_pictures import take_tour

    TOUR.mkdir(parents=True, exist_ok=True)
    for file in take_tour(TOUR, application(), theme="dark"):
        sys.stdout.write(f"{file}\n")
    sys.stdout.write(f"The pictures are in {TOUR.absolute()}\n")
    return 0
