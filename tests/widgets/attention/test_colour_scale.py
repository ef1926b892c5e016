import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from widgets.attention.colour_scale import ColourScale, cell_image, fewer_cells, round_up, scale_for
from widgets.palette import DARK, LIGHT, diverging_table, sequential_table


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
