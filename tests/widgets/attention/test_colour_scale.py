import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from widgets.attention.colour_scale import ColourScale, cell_image, fewer_cells, marked, round_up, scale_for
from widgets.palette import DARK, LIGHT, diverging_table, palette, sequential_table


def floats(*values):
    return np.array(values, dtype=np.float32)


def test_probabilities_have_a_fixed_scale_whatever_their_values():
    assert scale_for("probability", floats(0.001, 0.002)) == scale_for("probability", floats(0, 1))


def test_probabilities_are_placed_by_their_square_root():
    assert ColourScale("probability").place(floats(0, 0.25, 1)).tolist() == [0, 0.5, 1]


def test_ticks_of_the_bar_lie_where_the_colours_are():
    scale = ColourScale("probability")
    for place, text in scale.ticks():
        assert scale.place(floats(float(text)))[0] == pytest.approx(place, abs=1e-6)
    assert [text for _, text in scale.ticks()] == ["0", "0.05", "0.25", "0.5", "1"]


def test_scores_are_centred_at_zero_and_the_bar_names_both_ends():
    scale = scale_for("content", floats(-3.7, 1, np.nan))
    assert scale.limit == 4
    assert scale.ticks() == [(0.0, "−4"), (0.5, "0"), (1.0, "+4")]
    assert scale.place(floats(-4, 0, 4)).tolist() == [0, 0.5, 1]


def test_masked_cells_take_the_background_on_both_scales():
    for quantity in ("probability", "position"):
        for theme in (DARK, LIGHT):
            cell = scale_for(quantity, floats(1)).cells(floats(np.nan), theme)[0]
            assert tuple(cell) == theme.colour("background").getRgb()


def test_colours_are_those_of_the_two_maps():
    assert ColourScale("probability").colour(1.0, DARK).name() == DARK.sequential[-1]
    assert ColourScale("probability").colour(0.0, DARK).name() == DARK.surface
    assert ColourScale("content", 2.0).colour(-2.0, DARK).getRgb() == tuple(diverging_table()[0].tolist())
    assert ColourScale("probability").colour(0.25, LIGHT).getRgb() == tuple(
        sequential_table(LIGHT.sequential)[128].tolist()
    )


@given(st.floats(1e-20, 1e20))
def test_a_rounded_range_holds_its_value_and_not_twice_as_much(value):
    assert value * (1 - 1e-5) <= round_up(value) <= 2 * value


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_a_range_of_nothing_is_one(value):
    assert round_up(value) == 1.0


def test_all_masked_scores_have_a_range():
    assert scale_for("content", floats(np.nan)).limit == 1.0


@given(arrays(np.float32, (2, 7, 5), elements=st.floats(-10, 10, width=32)), st.integers(1, 8))
def test_a_thumbnail_never_loses_the_strongest_cell(values, most):
    few = fewer_cells(values, most)
    assert max(few.shape[1:]) <= max(most, 1)
    assert np.abs(few).max(axis=(1, 2)).tolist() == np.abs(values).max(axis=(1, 2)).tolist()


def test_a_thumbnail_is_masked_only_where_everything_is():
    values = np.full((1, 4, 4), np.nan, dtype=np.float32)
    values[0, 0, 0], values[0, 3, 1] = 0.0, -2.0
    few = fewer_cells(values, 2)
    assert few[0, 0, 0] == 0
    assert few[0, 1, 0] == -2
    assert np.isnan(few[0, :, 1]).all()


def test_a_small_map_is_left_as_it_is():
    values = np.zeros((1, 4, 4), dtype=np.float32)
    assert fewer_cells(values, 4) is values


def test_an_image_keeps_every_cell_and_outlives_its_array():
    cells = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    cells[..., 3] = 255
    image = cell_image(cells)
    wanted = tuple(cells[1, 2].tolist())
    del cells
    assert (image.width(), image.height()) == (3, 2)
    assert image.pixelColor(2, 1).getRgb() == wanted


def test_what_is_not_a_number_is_told_from_what_is_masked():
    values = np.array([[np.nan, np.nan, np.nan], [0.5, 0.5, np.nan], [0.2, np.nan, 0.8]], np.float32)
    found = marked(values, queries=(0, 3), keys=(0, 3), cell=(1, 1))
    assert np.isposinf(found).tolist() == [[True, False, False], [False] * 3, [False, True, False]]
    assert np.isnan(found).tolist() == [[False, True, True], [False, False, True], [False] * 3]
    for quantity in ("probability", "content"):
        for theme in (DARK, LIGHT, palette("dark", colour_blind=True)):
            cells = scale_for(quantity, found).cells(found, theme)
            assert tuple(cells[2, 1]) == theme.colour("nan").getRgb()
            assert tuple(cells[0, 1]) == theme.colour("background").getRgb()


def test_pooled_cells_are_masked_only_where_every_key_is_of_the_future():
    found = marked(np.full((2, 3), np.nan, np.float32), queries=(10, 14), keys=(8, 16), cell=(2, 3))
    assert np.isposinf(found).tolist() == [[True, True, False], [True, True, False]]


def test_values_without_any_nan_are_handed_on_as_they_are():
    values = np.array([[0.5, np.nan], [0.5, 0.5]], np.float32)
    assert marked(values, queries=(0, 2), keys=(0, 2), cell=(1, 1)) is values


def test_one_cell_that_is_not_a_number_leaves_the_scale_and_is_seen_when_pooled():
    values = np.ones((1, 40, 40), np.float32)
    values[0, 30, 7] = np.inf
    assert scale_for("content", values).limit == 1
    assert np.isposinf(fewer_cells(values, 10)).sum() == 1


def test_no_map_has_a_colour_like_that_of_nan():
    for theme in (DARK, LIGHT, palette("dark", colour_blind=True), palette("light", colour_blind=True)):
        nan = np.array(theme.colour("nan").getRgb()[:3])
        for table in (sequential_table(theme.sequential), diverging_table()):
            assert np.abs(table[:, :3].astype(int) - nan).sum(axis=1).min() > 90
