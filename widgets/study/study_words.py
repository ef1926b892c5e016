"""What the study's panel says about the run itself, from its counts alone."""

import numpy as np
from PySide6.QtCore import QCoreApplication

from widgets.figures import bytes_text
from widgets.study.data import Growth
from widgets.study.study_table import name_of


def answer(growth: Growth | None, kind: str) -> str:
    """Why Q is not cached, counted on this run; without a run, what to do."""
    if growth is None or not growth.held:
        return tr("Run a prompt: how often each cached entry is read again will be counted here, and each query's use.")
    read, used = growth.read_again, growth.queries[0]
    once = (
        tr("once") if int(used.max()) == int(used.min()) == 1 else tr("{} to {} times").format(used.min(), used.max())
    )
    told = tr(
        "In this run of {name}, {tokens} tokens: the first token's entry was read again {first} times, an entry on "
        "average {mean} times, {total} readings in each layer. Every token's query was used {once}, by its own step. "
        "What is read again is worth keeping; a query never is."
    )
    return told.format(
        name=name_of(kind),
        tokens=f"{growth.held:,}",
        first=f"{int(read[0]):,}",
        mean=f"{float(read.mean()):,.1f}",
        total=f"{int(growth.reads[0].sum()):,}",
        once=once,
    )


def curve_line(growth: Growth, kind: str, *, at: int | None = None) -> str:
    """Measured and formula bytes, exact, at a token count or now; empty where nothing was measured."""
    row = len(growth.tokens) - 1 if at is None else int(np.searchsorted(growth.tokens, at))
    if not 0 <= row < len(growth.tokens):
        return ""
    held, used = int(growth.tokens[row]), int(growth.used_bytes[row])
    told = tr("{name} at {tokens} tokens: held {measured}, used {used}, by formula {formula}")
    return told.format(
        name=name_of(kind),
        tokens=f"{held:,}",
        measured=bytes_text(int(growth.measured_bytes[row]), exact=True),
        used=bytes_text(used, exact=True),
        formula=bytes_text(held * growth.bytes_per_token, exact=True),
    )


def tr(text: str) -> str:
    """Sentences in the window's language."""
    return QCoreApplication.translate("study", text)
