"""Exercises on held-out documents: does the most likely token say what has to come?

Documents of `synth_struct` are read whole; only what can be known from the text before is asked.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer

from model.network.decoder import Decoder
from model.training.recipe import DOCUMENT_END

LONGEST = 1024  # tokens of a document that are read
SETTLED = 8  # characters of a repetition after which it is clear that it is one


class Exam(NamedTuple):
    """How many examples were asked and answered right, and the same for the single tokens asked for."""

    examples: int
    right: int
    tokens: int
    tokens_right: int


Span = tuple[int, int]  # characters of a text that have to be predicted


def recalled(text: str) -> list[Span]:
    """The values behind `key ?` lines, whose keys were told above."""
    told = set(re.findall(r"^(\S+) = \d+$", text, re.MULTILINE))
    return [match.span(2) for match in re.finditer(r"^(\S+) \? (\d+)$", text, re.MULTILINE) if match[1] in told]


def copied(text: str) -> list[Span]:
    """What a text that says one passage over and over says from the third time on, each time less its start.

    Only then can it be known that it goes on; the start of a passage may as well be the end of the text.
    """
    period = _period(text)
    if period is None:
        return []
    starts = range(2 * period, len(text), period)
    return [(start + SETTLED, min(start + period, len(text))) for start in starts if start + SETTLED < len(text)]


def _period(text: str) -> int | None:
    """Characters after which the text repeats itself, separator included; None if it does not three times."""
    for separator in ("\n", " "):
        joined, place = text + separator, 0
        while (place := joined.find(separator, place) + 1) and 3 * place <= len(joined):
            if place > 2 * SETTLED and joined[place:] == joined[:-place]:
                return place
    return None


def summed(text: str) -> list[Span]:
    """The result of every sum or difference."""
    return [match.span(1) for match in re.finditer(r"^\d+ [+-] \d+ = (\d+)$", text, re.MULTILINE)]


def additions(digits: int, *, seed: int, documents: int = 8, lines: int = 24) -> list[str]:
    """Documents of sums of two numbers of so many digits."""
    random = np.random.default_rng(seed)
    low, high = (0 if digits == 1 else 10 ** (digits - 1)), 10**digits

    def line() -> str:
        a, b = (int(random.integers(low, high)) for _ in range(2))
        return f"{a} + {b} = {a + b}"

    return ["\n".join(line() for _ in range(lines)) for _ in range(documents)]


@torch.inference_mode()
def examine(
    decoder: Decoder, tokenizer: Tokenizer, texts: Iterable[str], spans_of: Callable[[str], list[Span]], *, most: int
) -> Exam:
    """Ask for all spans of the texts, at most about `most` of them. An example is right when all its tokens are."""
    examples = right = tokens = tokens_right = 0
    for text in texts:
        for hits in _hits(decoder, tokenizer, text, spans_of(text)):
            examples, tokens = examples + 1, tokens + len(hits)
            right, tokens_right = right + all(hits), tokens_right + sum(hits)
        if examples >= most:
            break
    return Exam(examples, right, tokens, tokens_right)


def _hits(decoder: Decoder, tokenizer: Tokenizer, text: str, spans: list[Span]) -> Iterator[list[bool]]:
    """For every span within reach: whether each of its tokens is the most likely one."""
    if not spans:
        return
    encoding = tokenizer.encode(text)
    ids_T = torch.tensor(encoding.ids[:LONGEST])
    assert tokenizer.id_to_token(encoding.ids[0]) == DOCUMENT_END
    likely = decoder.step(ids_T, decoder.new_cache(), logits="all").argmax(dim=-1).tolist()
    places = [(start, end, index) for index, (start, end) in enumerate(encoding.offsets[:LONGEST]) if end > start]
    for low, high in spans:
        asked = [index for start, end, index in places if start < high and end > low]
        if asked and encoding.offsets[asked[-1]][1] >= high:
            yield [likely[index - 1] == encoding.ids[index] for index in asked]
