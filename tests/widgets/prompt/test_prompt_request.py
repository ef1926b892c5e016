"""Token ids as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.prompt.prompt_request import parse_token_ids


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=40))
def test_written_ids_are_read_back(ids: list[int]) -> None:
    assert parse_token_ids(", ".join(map(str, ids))).ids == tuple(ids)


@pytest.mark.parametrize("text", ["5 7 9", "5,7,9", "5,\n7,\t9 ", " 5 , 7,9,"])
def test_commas_and_spaces_both_part_ids(text: str) -> None:
    assert parse_token_ids(text).ids == (5, 7, 9)


@pytest.mark.parametrize("word", ["nine", "-1", "1.5", "٣", "99999999999", "2147483648", "²"])
def test_word_that_is_no_id_is_named_with_its_place(word: str) -> None:
    read = parse_token_ids(f"5, 7, {word}")
    assert (read.ids, read.wrong_word, read.wrong_place) == ((), word, 3)


def test_no_words_are_no_ids() -> None:
    assert parse_token_ids(" , ").ids == ()
