"""Reading the options that select a part of a recording."""

from argparse import Namespace

from model.placement import PlacementName
from model.problems import Problem


def needed(options: Namespace, name: str) -> int:
    """A selector that the view cannot do without. Raises Problem when it is missing."""
    value: int | None = getattr(options, name)
    if value is None:
        raise Problem(f"--{name} is missing; say which {name}, counted from 0.")
    return value


def resolved(wanted: tuple[int | None, int | None], tokens: int) -> tuple[int, int]:
    """A range of tokens with its open ends filled in; whether it fits is the engine's to say."""
    start, end = wanted
    return (0 if start is None else start, tokens if end is None else end)


def placement(options: Namespace) -> PlacementName:
    """The simulated placement. Raises Problem for one that does not exist."""
    if options.placement == "eplb" or options.replicas is not None or options.nodes is not None:
        raise Problem("Placements with replicas (eplb, --replicas, --nodes) do not exist yet; choose contiguous.")
    if options.placement not in ("contiguous", "round-robin"):
        raise Problem(f"There is no placement {options.placement!r}; choose contiguous or round-robin.")
    if options.devices is not None and options.devices < 1:
        raise Problem(f"{options.devices} devices cannot hold experts; choose 1 or more.")
    return "round-robin" if options.placement == "round-robin" else "contiguous"
