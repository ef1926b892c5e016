"""How far a run is, as a line on stderr every few seconds, for who waits at a terminal."""

import sys
import time
from collections.abc import Iterable, Iterator

from model.messages import Event, Grown, Started

TOLD_SECONDS = 5.0


def told(events: Iterable[Event]) -> Iterator[Event]:
    """The events of one run as they come; nothing is written where stderr is no terminal."""
    prompt = planned = fed = 0
    due = time.monotonic() + TOLD_SECONDS
    for event in events:
        if isinstance(event, Started):
            prompt, planned = event.info.prompt_tokens, event.info.prompt_tokens + event.info.max_new_tokens
        elif isinstance(event, Grown):
            fed = event.tokens.first + len(event.tokens.texts)
            if sys.stderr.isatty() and time.monotonic() >= due:
                due = time.monotonic() + TOLD_SECONDS
                sys.stderr.write(_line(fed, prompt, planned))
        yield event


def _line(fed: int, prompt: int, planned: int) -> str:
    if fed < prompt:
        return f"read: {fed:,} of {prompt:,} tokens of the prompt\n"
    return f"generated: {fed - prompt + 1:,} of {planned - prompt:,} tokens\n"
