import numpy as np
import pytest
from PySide6.QtGui import QColor

from widgets.palette import (
    CIVIDIS,
    DARK,
    LIGHT,
    coloured,
    contrast,
    diverging_table,
    ink_on,
    luminance,
    palette,
    sequential_table,
)  # fmt: skip

THEMES = pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
SURFACES = pytest.mark.parametrize("surface", ["background", "surface", "raised"])
BLACK, WHITE = QColor("#000000"), QColor("#ffffff")
MASKED = QColor(1, 2, 3)


def rgb(colour):
    return colour.getRgb()[:3]


def paint(values, table, low=0.0, high=1.0):
    return coloured(np.array(values, dtype=np.float32), table, low=low, high=high, masked=MASKED)


@THEMES
@SURFACES
def test_text_reads_at_seven_to_one_on_every_surface(theme, surface):
    assert contrast(theme.colour("text"), theme.colour(surface)) >= 7.0


@THEMES
@SURFACES
def test_muted_text_reads_at_four_and_a_half_to_one_on_every_surface(theme, surface):
    assert contrast(theme.colour("muted"), theme.colour(surface)) >= 4.5


@THEMES
@SURFACES
@pytest.mark.parametrize("role", ["accent", "good", "warn", "bad"])
def test_coloured_marks_stand_out_from_every_surface(theme, surface, role):
    assert contrast(theme.colour(role), theme.colour(surface)) >= 3.0


@THEMES
def test_ink_on_the_primary_button_reads(theme):
    assert contrast(theme.colour("on_accent"), theme.colour("accent")) >= 4.5


@THEMES
def test_ink_reads_on_every_colour_a_cell_or_chip_can_have(theme):
    tables = np.concatenate([sequential_table(theme.sequential), sequential_table(CIVIDIS), diverging_table()])
    colours = [QColor(*cell) for cell in tables.tolist()] + [theme.category(index) for index in range(8)]
    assert min(contrast(ink_on(colour), colour) for colour in colours) >= 4.5


def test_contrast_of_black_and_white_is_twenty_one_both_ways():
    assert contrast(BLACK, WHITE) == pytest.approx(21.0)
    assert contrast(WHITE, BLACK) == pytest.approx(21.0)


def test_luminance_of_middle_grey_follows_the_standard():
    assert luminance(QColor("#777777")) == pytest.approx(0.1845, abs=5e-4)


@THEMES
def test_sequential_map_begins_at_the_surface_and_ends_at_its_last_stop(theme):
    table = sequential_table(theme.sequential)
    assert table.shape == (256, 4)
    assert tuple(table[0, :3]) == rgb(theme.colour("surface"))
    assert tuple(table[-1, :3]) == rgb(QColor(theme.sequential[-1]))


@THEMES
def test_sequential_map_moves_one_way_in_luminance(theme):
    table = sequential_table(theme.sequential)
    light = np.array([luminance(QColor(*cell)) for cell in table.tolist()])
    steps = np.diff(light) if theme is DARK else -np.diff(light)
    assert steps.min() > -2e-3  # a rounded channel may step back by one


def test_colour_blind_preset_changes_only_the_sequential_map():
    ordinary, preset = palette("dark"), palette("dark", colour_blind=True)
    assert preset.sequential == CIVIDIS
    assert preset.text == ordinary.text
    assert preset.categories == ordinary.categories


def test_diverging_map_is_grey_in_the_middle_and_coloured_at_both_ends():
    table = diverging_table().astype(int)
    spread = table[:, :3].max(axis=1) - table[:, :3].min(axis=1)
    assert spread[127:129].max() <= 2
    assert min(spread[0], spread[-1]) > 100
    assert table[0, 2] > table[0, 0]  # blue below zero
    assert table[-1, 0] > table[-1, 2]  # ochre above


@THEMES
def test_eight_categories_differ_and_then_repeat(theme):
    assert len({theme.category(index).name() for index in range(8)}) == 8
    assert theme.category(9) == theme.category(1)


def test_colours_beyond_the_range_are_those_at_its_ends():
    table = sequential_table(DARK.sequential)
    image = paint([-5.0, 0.0, 1.0, 7.0], table)
    assert image.tolist() == table[[0, 0, 255, 255]].tolist()


def test_middle_of_the_range_takes_the_middle_of_the_table():
    table = sequential_table(LIGHT.sequential)
    assert paint([2.0], table, low=1.0, high=3.0)[0].tolist() == table[128].tolist()


def test_not_a_number_is_painted_in_the_masked_colour_never_as_zero():
    image = paint([[np.nan, 0.0], [1.0, np.nan]], sequential_table(DARK.sequential))
    assert image[0, 0].tolist() == [1, 2, 3, 255]
    assert image[1, 1].tolist() == [1, 2, 3, 255]
    assert image[0, 1].tolist() != [1, 2, 3, 255]


@THEMES
def test_masked_and_zero_are_told_apart(theme):
    zero = tuple(sequential_table(theme.sequential)[0, :3])
    assert zero != rgb(theme.colour("background"))


def test_an_empty_range_paints_without_dividing_by_zero():
    table = sequential_table(DARK.sequential)
    assert paint([2.0], table, low=2.0, high=2.0)[0].tolist() == table[0].tolist()


def test_colouring_leaves_the_values_as_they_were():
    values = np.array([np.nan, 0.5], dtype=np.float32)
    coloured(values, sequential_table(DARK.sequential), low=0, high=1, masked=MASKED)
    assert np.isnan(values[0])
    assert values[1] == 0.5


def test_a_role_can_be_had_half_transparent():
    assert DARK.colour("accent", 0.5).alphaF() == pytest.approx(0.5, abs=0.01)
