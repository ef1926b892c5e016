"""What headless commands print: one JSON object, or lines for people."""

import json
import math
from collections.abc import Mapping

Value = object
SHOWN = 16  # of a list, in text for people


def show(result: Mapping[str, Value], *, as_json: bool) -> None:
    """Print a result. JSON has no NaN, so numbers that are none become null; it is ASCII, whatever the terminal."""
    if as_json:
        print(json.dumps(_plain(result), allow_nan=False))
        return
    width = max((len(key) for key in result), default=0)
    for key, value in result.items():
        lines = _sentences(value) or [_readable(value)]
        print(f"{key.replace('_', ' '):<{width}}  {lines[0]}")
        for line in lines[1:]:
            print(f"{'':<{width}}  {line}")


def _plain(value: Value) -> Value:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _sentences(value: Value) -> list[str]:
    """A list of texts, each for a line of its own; empty for anything else."""
    return [str(line) for line in value if isinstance(line, str)] if isinstance(value, list) else []


def _readable(value: Value) -> str:
    if value is None:
        return "–"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_readable(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        more = f" … ({len(value):,} in all)" if len(value) > SHOWN else ""
        return (" ".join(str(inner) for inner in value[:SHOWN]) or "–") + more
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
