"""Exercises made without end: what text teaches slowly, a few per cent of these teach fast.

Repeated random tokens reward heads that look for the earlier copy, recall rewards looking up a key, nested brackets
reward finding the opener, sums reward nothing but arithmetic. All are pure functions of the generator they are given.
"""

from collections.abc import Callable

import numpy as np
from tokenizers import Tokenizer

from model.training.recipe import DOCUMENT_END_ID

NOUNS = """
apple bear blue book bread bridge cat cloud dog door fire fish fox gold green key king knight lamp leaf map milk moon
owl pear pen plum queen rain red river rock salt silver snow star sun tower tree wind window wolf
""".split()  # noqa: SIM905 a list of 42 words would be 42 lines
WORDS = np.array(NOUNS)
BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"), ("<", ">"))
PERIODS = (4, 512)  # tokens
DEEPEST = 6

Random = np.random.Generator


class Exercises:
    """Draws sequences of exercises as token ids."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = tokenizer.get_vocab_size()

    def draw(self, random: Random, length: int) -> np.ndarray:
        """One kind of exercise, int64 [length]."""
        kind = random.choice(4, p=(0.4, 0.25, 0.2, 0.15))
        if kind == 0:
            return repeated(random, length, vocabulary=self._vocabulary)
        return self._documents(random, length, (recall, brackets, sums)[kind - 1])

    def _documents(self, random: Random, length: int, make: Callable[[Random], str]) -> np.ndarray:
        """Documents one after the other until the sequence is full."""
        ids: list[int] = []
        while len(ids) < length:
            texts = [make(random) for _ in range(8)]
            for encoding in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False):
                ids += [*encoding.ids, DOCUMENT_END_ID]
        return np.array(ids[:length], dtype=np.int64)


def repeated(random: Random, length: int, *, vocabulary: int) -> np.ndarray:
    """Random tokens over and over, int64 [length]; the period varies evenly in its logarithm."""
    low, high = PERIODS
    period = int(np.exp(random.uniform(np.log(low), np.log(min(high, length // 2)))))
    return np.resize(random.integers(1, vocabulary, period), length)


def recall(random: Random) -> str:
    """Keys with values, then some of the keys again, each to be followed by its value."""
    keys = random.choice(WORDS, size=int(random.integers(3, 16)), replace=False)
    values = random.integers(1, 100, len(keys))
    asked = random.integers(0, len(keys), int(random.integers(4, 16)))
    told = [f"{key} = {value}" for key, value in zip(keys, values, strict=True)]
    return "\n".join([*told, *(f"{keys[index]} ? {values[index]}" for index in asked)])


def brackets(random: Random) -> str:
    """A few lines of words in nested brackets of four kinds."""
    return "\n".join(_nested(random, 1) for _ in range(int(random.integers(2, 6))))


def sums(random: Random) -> str:
    """Lines of sums or differences of one to three digits."""
    sign = "+" if random.random() < 0.6 else "-"
    return "\n".join(_sum(random, sign) for _ in range(int(random.integers(8, 24))))


def _nested(random: Random, depth: int) -> str:
    if depth > 1 and (depth > DEEPEST or random.random() < 0.45):
        return " ".join(WORDS[random.integers(0, len(WORDS), int(random.integers(1, 4)))])
    opener, closer = BRACKETS[int(random.integers(len(BRACKETS)))]
    return opener + " ".join(_nested(random, depth + 1) for _ in range(int(random.integers(1, 4)))) + closer


def _sum(random: Random, sign: str) -> str:
    a, b = (int(random.integers(0, 10 ** int(random.integers(1, 4)))) for _ in range(2))
    if sign == "+":
        return f"{a} + {b} = {a + b}"
    return f"{max(a, b)} - {min(a, b)} = {abs(a - b)}"
