"""Work that pauses: a generator that yields where others may have their turn, and returns what it made."""

from collections.abc import Generator
from typing import TypeVar

Made = TypeVar("Made")
Pieces = Generator[None, None, Made]


def whole(pieces: Pieces[Made]) -> Made:
    """Do all of it without a pause."""
    while True:
        try:
            next(pieces)
        except StopIteration as finished:
            made: Made = finished.value
            return made
