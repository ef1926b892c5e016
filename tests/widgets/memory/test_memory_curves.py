"""Axis ends, ticks, thinned curves, and labels that do not collide."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.memory.memory_curves import (
    byte_axis,
    byte_axis_end,
    decade_ticks,
    formula_line,
    nice_ticks,
    spread,
    thinned,
    token_axis_end,
    token_ticks,
)


@pytest.mark.parametrize(("tokens", "end"), [(0, 16), (16, 16), (17, 20), (62, 64), (64, 64), (65, 80), (2000, 2048)])
def test_token_axis_grows_in_steps(tokens: int, end: int) -> None:
    assert token_axis_end(tokens) == end


@given(st.integers(1, 10**7))
def test_token_axis_holds_every_token_and_wastes_little(tokens: int) -> None:
    end = token_axis_end(tokens)
    assert tokens <= end <= max(16, 1.25 * tokens + 1)


@given(st.floats(1.0, 1e15))
def test_byte_axis_end_lies_on_a_tick(most: float) -> None:
    end = byte_axis_end(most)
    assert end >= most * (1 - 1e-9)
    ticks = nice_ticks(0.0, end)
    assert ticks[-1] == pytest.approx(end)
    assert 3 <= len(ticks) <= 5


def test_byte_axis_holds_all_lines_in_both_scales() -> None:
    per_token = (16_384, 4_096, 2_048, 2_560)
    assert byte_axis(per_token, tokens=64, measure="total", scale="linear") == (0.0, 1_500_000.0)
    assert byte_axis(per_token, tokens=64, measure="total", scale="log") == (3.0, 7.0)
    assert byte_axis(per_token, tokens=64, measure="per token", scale="log") == (3.0, 5.0)


def test_decades_are_thinned_when_there_are_many() -> None:
    assert decade_ticks(3.0, 7.0) == [3.0, 4.0, 5.0, 6.0, 7.0]
    assert decade_ticks(0.0, 9.0) == [0.0, 2.0, 4.0, 6.0, 8.0]


def test_token_ticks_are_quarters_of_powers_of_two() -> None:
    assert token_ticks(0.0, 64.0) == [0, 16, 32, 48, 64]
    assert token_ticks(1.2, 4.9) == [2, 3, 4]


def test_formula_is_tokens_times_bytes_per_token() -> None:
    counts, sizes = formula_line(2_560, tokens=64, measure="total", scale="linear")
    np.testing.assert_allclose(sizes, counts * 2_560)
    assert (counts[0], counts[-1]) == (1.0, 64.0)
    _, flat = formula_line(2_560, tokens=64, measure="per token", scale="log")
    np.testing.assert_allclose(flat, np.log10(2_560))


def test_short_curves_are_drawn_whole_and_long_ones_thinned_with_both_ends() -> None:
    tokens = np.arange(1, 100_001)
    assert list(thinned(tokens[:40], low=0, high=50)) == list(range(40))
    rows = thinned(tokens, low=0, high=120_000)
    assert len(rows) <= 2048
    assert (rows[0], rows[-1]) == (0, 99_999)


def test_zooming_in_shows_every_point_again() -> None:
    tokens = np.arange(1, 100_001)
    rows = thinned(tokens, low=500.0, high=600.0)
    np.testing.assert_array_equal(tokens[rows], np.arange(499, 602))


@given(st.lists(st.floats(-50.0, 500.0), min_size=1, max_size=6))
def test_labels_keep_their_distance_order_and_bounds(wanted: list[float]) -> None:
    places = spread(wanted, apart=17.0, low=0.0, high=300.0)
    ordered = [places[index] for index in sorted(range(len(wanted)), key=lambda index: wanted[index])]
    assert all(later - earlier >= 17.0 - 1e-6 for earlier, later in pairwise(ordered))
    assert ordered[0] >= 0.0
    assert ordered[-1] <= 300.0 + 1e-6


def test_labels_that_do_not_touch_stay_where_they_are() -> None:
    assert spread([100.0, 20.0, 60.0], apart=17.0, low=0.0, high=300.0) == [100.0, 20.0, 60.0]


def test_touching_labels_move_apart_evenly() -> None:
    assert spread([50.0, 50.0], apart=20.0, low=0.0, high=300.0) == pytest.approx([40.0, 60.0])
