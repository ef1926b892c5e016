"""A tour of a checkpoint: prompts, what to look at, and the figures measured there. Torch-free, Qt-free.

Figures only: the sentences are made from them where they are shown, so they are true of what was measured.
"""

from pathlib import Path
from typing import Literal

import msgspec

FORMAT = 1

Kind = Literal["previous", "induction", "recall", "brackets", "sink", "expert", "devices", "memory"]


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt and what is seen in it; numbers count from 0, None means that nothing of the kind is meant.

    Without a `token` the newest one stays selected.

    `figures` are described in `model.training.tour`; `words` are texts that belong into the sentence.
    """

    kind: Kind
    prompt: str
    new_tokens: int = 0
    layer: int
    head: int | None = None
    expert: int | None = None
    token: int | None = None
    figures: dict[str, float] = {}
    words: dict[str, str] = {}


class Tour(msgspec.Struct, frozen=True, kw_only=True):
    """All stops; `checkpoint` names the folder they were measured on and `weights` is the SHA-256 of its weights."""

    format: int = FORMAT
    checkpoint: str
    weights: str
    stops: list[Stop]


def read_tour(path: Path) -> Tour:
    """The tour in a file of our own."""
    return msgspec.json.decode(path.read_bytes(), type=Tour)


def write_tour(tour: Tour, path: Path) -> None:
    """Write a tour, indented: people read it, and its changes."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(tour), indent=2) + b"\n")
