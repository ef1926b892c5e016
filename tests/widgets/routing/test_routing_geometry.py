from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from widgets.routing.geometry import (
    cell_at,
    cells_of_pixels,
    labelled_columns,
    labelled_rows,
    nice_ceiling,
    nice_stride,
    place_columns,
    row_capacity,
    visible_rows,
)


def test_room_for_rows_grows_in_steps_of_sixteen_then_of_an_eighth():
    assert [row_capacity(tokens) for tokens in (0, 1, 16, 17, 46, 129, 2048, 2049)] == [
        16, 16, 16, 32, 48, 144, 2048, 2304,
    ]  # fmt: skip


@given(st.integers(1, 20_000))
def test_there_is_always_room_and_never_much_too_much(tokens):
    room = row_capacity(tokens)
    assert tokens <= room <= max(16, tokens + max(16, tokens // 8))


def test_rows_of_a_pixel_or_more_hold_one_token():
    rows = visible_rows(0.0, 48.0, tokens=46, height=480.0)
    assert (rows.first, rows.count, rows.each, rows.height) == (0, 46, 1, 10.0)


def test_rows_smaller_than_a_pixel_are_pooled_at_fixed_multiples():
    rows = visible_rows(0.0, 1000.0, tokens=998, height=400.0)
    assert rows.each == 3
    assert rows.count == 333
    moved = visible_rows(100.0, 800.0, tokens=998, height=320.0)
    assert moved.first % moved.each == 0
    assert moved.shift <= 0


def test_a_token_lies_in_the_row_that_holds_it():
    rows = visible_rows(0.0, 1000.0, tokens=1000, height=400.0)
    assert rows.row_of(0) == 0
    assert rows.row_of(5) == 1
    assert rows.row_of(999) == 333


def test_columns_are_parted_between_devices_only():
    columns = place_columns(np.repeat([0, 1, 2, 3], 4), groups=4, width=600.0)
    gap = columns.left[1:] - columns.right[:-1]
    assert list(np.flatnonzero(gap > 1)) == [3, 7, 11]
    assert columns.right[-1] <= 600


def test_columns_follow_the_devices_under_round_robin():
    columns = place_columns(np.arange(8) % 2, groups=4, width=300.0)
    assert list(columns.order) == [0, 2, 4, 6, 1, 3, 5, 7]
    assert columns.place_of(1) == 4


def test_router_groups_that_share_a_device_are_parted_by_less():
    columns = place_columns(np.repeat([0, 1], 8), groups=4, width=600.0)
    gap = columns.left[1:] - columns.right[:-1]
    assert gap[7] > gap[3] > gap[0]


def test_many_devices_still_leave_room_for_their_experts():
    columns = place_columns(np.arange(256) // 4, groups=1, width=500.0)
    assert np.all(np.diff(columns.left) >= 0)
    assert columns.right[-1] <= 500


def test_every_pixel_knows_its_cell_and_gaps_belong_to_nobody():
    start, end = np.array([0.0, 5.0, 12.0]), np.array([4.0, 9.0, 16.0])
    assert list(cells_of_pixels(start, end, pixels=16, ratio=1.0)) == [0] * 4 + [-1] + [1] * 4 + [-1] * 3 + [2] * 4
    assert list(cells_of_pixels(start, end, pixels=8, ratio=0.5)) == [0, 0, 1, 1, -1, -1, 2, 2]


def test_the_mouse_finds_a_cell_across_the_thin_line_but_not_in_a_gap():
    start, end = np.array([0.0, 5.0, 12.0]), np.array([4.0, 9.0, 16.0])
    assert cell_at(start, end, 4.5) == 0
    assert cell_at(start, end, 10.5) is None
    assert cell_at(start, end, -1.0) is None


@given(st.integers(1, 3000), st.floats(60, 900), st.integers(0, 2999))
def test_row_names_never_touch_and_the_selected_one_is_always_there(tokens, height, selected):
    rows = visible_rows(0.0, float(row_capacity(tokens)), tokens=tokens, height=height)
    always = rows.row_of(selected) if selected < tokens else None
    chosen = labelled_rows(rows, line=14.0, always=always)
    assert all((later - earlier) * rows.height >= 14.0 - 1e-6 for earlier, later in pairwise(chosen))
    assert always is None or always in chosen


@given(st.integers(2, 200), st.floats(100, 1200))
def test_column_numbers_never_touch_and_the_selected_one_is_always_there(experts, width):
    columns = place_columns(np.arange(experts) * 4 // experts, groups=1, width=width)
    middle = (columns.left + columns.right) / 2
    chosen = labelled_columns(columns, width=20.0, always=experts // 2)
    assert experts // 2 in chosen
    spaces = np.diff(middle[chosen])
    assert np.all(spaces >= 20.0) or np.min(np.diff(middle)) == 0


def test_strides_and_ceilings_are_round():
    assert [nice_stride(least) for least in (0.3, 1.0, 1.2, 3.0, 7.0, 11.0, 120.0)] == [1, 1, 2, 5, 10, 20, 200]
    assert [nice_ceiling(value) for value in (0.0, 0.31, 0.5, 0.9, 1.1, 2.1, 16.0)] == [1, 0.5, 0.5, 1, 1.5, 3, 20]
