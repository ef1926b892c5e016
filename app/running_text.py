"""Running text from token texts: characters that were split over tokens are put together again. Qt-free."""

import re
from collections.abc import Sequence

HALVES = re.compile("(?:‹[0-9A-F]{2}›)+")  # how the engine shows bytes that are no character by themselves
TRAILING = re.compile("(?:‹[0-9A-F]{2}›)+$")


def running_text(texts: Sequence[str], *, complete: bool) -> str:
    """The texts as one. Until the text is complete, bytes at its end are held back: the rest may follow."""
    joined = HALVES.sub(_together, "".join(texts))
    return joined if complete else TRAILING.sub("", joined)


def _together(found: re.Match[str]) -> str:
    values = bytes(int(pair, 16) for pair in found.group()[1:-1].split("›‹"))
    try:
        return values.decode("utf-8")
    except UnicodeDecodeError:
        return found.group()  # no character even together: it stays visible as bytes
