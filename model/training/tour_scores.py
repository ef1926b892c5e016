"""What a head or an expert is scored by on a text: pure functions of token ids, texts and attention weights.

A head's score is the mean weight that some queries give to the keys they are expected to look at. `pairs`
below is int [n, 2]: a query and one of its keys; a query may have several.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

OPENERS = {")": "(", "]": "[", "}": "{", ">": "<"}

Pairs = NDArray[np.int64]


class Words(NamedTuple):
    """A text's tokens: ids [T], and where each begins and ends in the text, characters."""

    ids: list[int]
    spans: list[tuple[int, int]]

    def at(self, character: int) -> int:
        """The token that holds this character."""
        return next(token for token, (start, end) in enumerate(self.spans) if start <= character < end)

    def within(self, start: int, end: int) -> list[int]:
        """The tokens that begin in a part of the text."""
        return [token for token, (first, last) in enumerate(self.spans) if start <= first < end and last > first]


def previous(tokens: int) -> Pairs:
    """Every token and the one before it, from the third on: the second has nothing else but itself."""
    return np.array([(token, token - 1) for token in range(2, tokens)])


def first(tokens: int) -> Pairs:
    """Every token but the first, and the first."""
    return np.array([(token, 0) for token in range(1, tokens)])


def copied(ids: list[int]) -> Pairs:
    """Every token of a repetition, and the token that came next after its last earlier occurrence.

    A repetition: the token before it is the same as there, too.
    """
    pairs = []
    for query in range(2, len(ids)):
        for earlier in range(query - 1, 0, -1):
            if ids[earlier] == ids[query]:
                if ids[earlier - 1] == ids[query - 1] and earlier + 1 < query:
                    pairs.append((query, earlier + 1))
                break
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def brackets(text: str, words: Words) -> Pairs:
    """Every closing bracket and its opener, unless one token holds both."""
    pairs, open_ones = [], list[tuple[str, int]]()
    for character, letter in enumerate(text):
        if letter in OPENERS.values():
            open_ones.append((letter, words.at(character)))
        elif letter in OPENERS and open_ones and open_ones[-1][0] == OPENERS[letter]:
            query, key = words.at(character), open_ones.pop()[1]
            if query != key and (query, key) not in pairs:
                pairs.append((query, key))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def recalled(text: str, words: Words) -> Pairs:
    """In lines `key = value` and, later, `key ? value`: the last token before each answer, and the value's tokens."""
    places: dict[str, tuple[int, int]] = {}
    pairs, start = [], 0
    for line in text.split("\n"):
        key, sign, _ = line.partition(" = ")
        asked, question, _ = line.partition(" ? ")
        if sign:
            places[key] = (start + len(key) + len(sign), start + len(line))
        elif question and asked in places:
            query = words.at(start + len(asked) + len(question) - 1)
            pairs += [(query, token) for token in words.within(*places[asked])]
        start += len(line) + 1
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def given(attention_LHTT: NDArray[np.float32], pairs: Pairs) -> NDArray[np.float64]:
    """What each query with pairs gives to its keys together, float64 [L, H, queries], in the order of the queries."""
    queries = np.unique(pairs[:, 0])
    weights_LHP = attention_LHTT[:, :, pairs[:, 0], pairs[:, 1]].astype(np.float64)
    belongs_PQ = pairs[:, :1] == queries
    return np.asarray(weights_LHP @ belongs_PQ)


def even(pairs: Pairs) -> float:
    """What queries with these pairs would give on average if each looked at all its keys alike."""
    queries, keys = np.unique(pairs[:, 0], return_counts=True)
    return float(np.mean(keys / (queries + 1)))


def best_head(scores_LH: NDArray[np.float64]) -> tuple[int, int]:
    """Layer and head of the largest score."""
    layer, head = divmod(int(scores_LH.argmax()), scores_LH.shape[1])
    return layer, head
