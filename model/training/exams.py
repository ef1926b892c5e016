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
    """Every line that says the first line once more, from its second word or letter on, from the third line on.

    Only there can it be known that the lines are the same.
    """
    lines = text.split("\n")
    if len(lines) < 3 or len(set(lines)) > 1 or len(lines[0]) < 12:
        return []
    width = len(lines[0]) + 1
    return [(index * width + 8, index * width + width - 1) for index in range(2, len(lines))]


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
        if asked and asked[-1] < len(ids_T) - 1:
            yield [likely[index - 1] == encoding.ids[index] for index in asked]
