import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.token_lines import TokenLines

WIDTHS = st.lists(st.integers(1, 60).map(float), min_size=1, max_size=200)


def lines_of(widths, width, gap=4.0):
    lines = TokenLines(gap=gap)
    lines.wrap(width)
    lines.extend(widths)
    return lines


def shape(lines):
    return [list(lines.tokens_in(line)) for line in range(lines.lines())]


def test_chips_fill_a_line_and_then_wrap():
    assert shape(lines_of([10.0] * 5, 38.0)) == [[0, 1, 2], [3, 4]]  # 10 + 4 + 10 + 4 + 10 is just 38


def test_a_chip_wider_than_the_line_stands_alone():
    assert shape(lines_of([10.0, 90.0, 10.0], 40.0)) == [[0], [1], [2]]


def test_no_tokens_have_no_lines():
    assert lines_of([], 100.0).lines() == 0


def test_places_begin_anew_in_each_line():
    lines = lines_of([10.0, 10.0, 20.0], 24.0)
    assert [lines.place(token) for token in range(3)] == [(0, 10), (14, 24), (0, 20)]


def test_the_chip_under_a_point_is_found_and_gaps_are_not():
    lines = lines_of([10.0, 10.0, 20.0], 24.0)
    assert lines.token_at(0, 5) == 0
    assert lines.token_at(0, 12) is None
    assert lines.token_at(0, 20) == 1
    assert lines.token_at(1, 5) == 2
    assert lines.token_at(1, 23) is None
    assert lines.token_at(2, 5) is None


def test_the_nearest_chip_of_another_line_is_the_one_under_it():
    lines = lines_of([10.0] * 6, 38.0)
    assert lines.nearest(1, 19.0) == 4


@given(WIDTHS, st.integers(1, 120))
def test_every_token_is_in_exactly_one_line_and_fits_it(widths, width):
    lines = lines_of(widths, float(width))
    assert [token for line in shape(lines) for token in line] == list(range(len(widths)))
    for line in range(lines.lines()):
        tokens = lines.tokens_in(line)
        assert len(tokens) == 1 or lines.place(tokens[-1])[1] <= width + 1e-3
        assert all(lines.line_of(token) == line for token in tokens)


@given(WIDTHS, WIDTHS, st.integers(1, 120))
def test_adding_at_the_end_gives_the_same_lines_as_all_at_once(first, second, width):
    grown = lines_of(first, float(width))
    grown.extend(second)
    assert shape(grown) == shape(lines_of(first + second, float(width)))


def test_wrapping_at_another_width_moves_every_line():
    lines = lines_of([10.0] * 4, 24.0)
    lines.wrap(100.0)
    assert shape(lines) == [[0, 1, 2, 3]]


def test_clearing_forgets_all():
    lines = lines_of([10.0] * 4, 24.0)
    lines.clear()
    assert len(lines) == 0
    lines.extend([5.0])
    assert lines.place(0) == pytest.approx((0, 5))
