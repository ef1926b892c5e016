"""What the tour scores heads by, on texts and weights made by hand."""

import numpy as np
import pytest

from model.training.specialisation import max_violation
from model.training.tour_scores import (
    Words,
    best_head,
    brackets,
    copied,
    even,
    first,
    given,
    previous,
    recalled,
)


def words(text: str, *cuts: int) -> Words:
    """Tokens of one character each behind an empty first one; `cuts` join a character to the one before it."""
    starts = [place for place in range(len(text)) if place not in cuts]
    spans = [(0, 0), *zip(starts, [*starts[1:], len(text)], strict=True)]
    return Words(list(range(len(spans))), spans)


def test_previous_and_first_pair_each_token_with_one_other():
    assert previous(5).tolist() == [[2, 1], [3, 2], [4, 3]]
    assert first(4).tolist() == [[1, 0], [2, 0], [3, 0]]


def test_a_copy_is_a_repeated_pair_and_looks_at_what_came_next():
    #      0  1  2  3  4  5  6  7
    ids = [9, 1, 2, 3, 8, 1, 2, 3]
    assert copied(ids).tolist() == [[6, 3], [7, 4]]  # 5 begins the copy: before it stood another token
    assert copied([9, 1, 2, 3]).tolist() == []


def test_brackets_pair_each_closer_with_its_own_opener():
    text = "(a[b])]"
    assert brackets(text, words(text)).tolist() == [[5, 3], [6, 1]]  # the last one closes nothing
    assert brackets("()", words("()", 1)).tolist() == []  # one token holds both
    double = "([a])"
    assert sorted(brackets(double, words(double, 1)).tolist()) == [[3, 1], [4, 1]]  # one opening token, two closers


def test_recall_pairs_the_token_before_an_answer_with_the_value():
    text = "ab = 12\nc = 3\nab ? 12\nc ? "
    found = recalled(text, words(text))
    assert found.tolist() == [[19, 6], [19, 7], [26, 13]]
    assert text[18] == text[25] == " "  # tokens 19 and 26, since the first one is empty
    assert text[5:7] == "12"


def test_a_query_gives_to_all_its_keys_together():
    weights = np.zeros((1, 2, 4, 4), dtype=np.float32)
    weights[0, 1, 3] = [0.5, 0.25, 0.25, 0.0]
    weights[0, 0, 2] = [0.0, 1.0, 0.0, 0.0]
    pairs = np.array([(3, 0), (3, 2), (2, 1)])
    assert given(weights, pairs).tolist() == [[[1.0, 0.0], [0.0, 0.75]]]  # query 2, then query 3
    assert even(pairs) == pytest.approx((1 / 3 + 2 / 4) / 2)


def test_the_best_head_and_the_worst_device_are_found():
    assert best_head(np.array([[0.1, 0.2], [0.5, 0.3]])) == (1, 0)
    assert max_violation(np.array([10, 20, 30])) == pytest.approx(0.5)
