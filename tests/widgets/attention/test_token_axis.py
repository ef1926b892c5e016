from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.attention.token_axis import axis_labels, stride_for


def labels(*, tokens=46, length=270.0, pitch=14.0, kept=(), first=0.0, span=None):
    texts = [f" t{index}" for index in range(tokens)]
    scale = length / (span or tokens)
    return axis_labels(texts, first=first, scale=scale, length=length, pitch=pitch, kept=kept, tokens=tokens)


@given(
    st.integers(1, 40_000), st.floats(40, 2000), st.floats(8, 30), st.floats(0, 1), st.floats(0.01, 1), st.floats(0, 1)
)
def test_labels_never_overlap(tokens, length, pitch, start, part, chosen):
    span = max(tokens * part, 1.0)
    kept = (int(chosen * (tokens - 1)), int(start * (tokens - 1)))
    placed = labels(tokens=tokens, length=length, pitch=pitch, kept=kept, first=start * (tokens - span), span=span)
    places = sorted(label.place for label in placed)
    assert all(after - before >= pitch - 1e-6 for before, after in pairwise(places))
    assert all(0 <= place <= length for place in places)


def test_every_token_is_named_where_there_is_room():
    assert [label.text for label in labels(tokens=5)] == ["t0", "t1", "t2", "t3", "t4"]


def test_every_nth_is_named_where_there_is_less():
    tokens = [label.token for label in labels(tokens=46)]
    assert tokens == list(range(0, 46, 3))


def test_the_selected_token_is_named_and_its_neighbours_give_way():
    placed = labels(tokens=46, kept=(None, 22))
    tokens = {label.token for label in placed}
    assert 22 in tokens
    assert not {21, 24} & tokens
    assert [label.token for label in placed if label.kept] == [22]


def test_numbers_stand_where_words_would_be_too_far_apart():
    placed = labels(tokens=2048, kept=(1000,))
    assert placed[0].text == "t1000 1000"
    assert [label.text for label in placed[1:4]] == ["0", "200", "400"]


def test_a_token_out_of_view_has_no_label():
    assert all(label.token >= 100 for label in labels(tokens=400, first=100.0, span=20.0, kept=(5,)))


@pytest.mark.parametrize(("scale", "stride"), [(20, 1), (7, 2), (1.9, 8), (1.5, 10), (0.13, 200), (0.01, 2000)])
def test_strides_are_round_numbers(scale, stride):
    assert stride_for(scale, 14) == stride
