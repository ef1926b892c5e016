import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QFocusEvent
from PySide6.QtTest import QTest

from widgets.attention.attention_map import MapPlot
from widgets.attention.viewport import Viewport
from widgets.palette import DARK, LIGHT, diverging_table, sequential_table

from .hand import causal, click, mouse, texts, wheel, whole_map


@pytest.fixture
def plot(qtbot):
    made = MapPlot()
    qtbot.addWidget(made)
    made.resize(420, 360)
    made.show_palette(DARK)
    made.show_tokens(texts(12))
    made.show_map(whole_map())
    return made


def middle(plot, query, key):
    return plot.layout_now().to_square(plot.view(), (key, key + 1), (query, query + 1)).center()


def colour_at(plot, query, key):
    return plot.grab().toImage().pixelColor(middle(plot, query, key).toPoint())


def test_cells_are_painted_in_the_colour_of_their_value(plot):
    assert colour_at(plot, 5, 2).getRgb() == tuple(sequential_table(DARK.sequential)[128].tolist())


def test_masked_cells_are_the_background_and_zero_is_the_surface(plot):
    plot.show_map(whole_map(values=causal(12, 0.0)))
    assert colour_at(plot, 2, 6).name() == DARK.background
    assert colour_at(plot, 6, 2).name() == DARK.surface


def test_each_cell_lies_on_its_own_tokens(plot):
    values = causal(12, 0.0)
    values[9, 4] = 1.0
    plot.show_map(whole_map(values=values))
    assert colour_at(plot, 9, 4).name() == DARK.sequential[-1]
    assert colour_at(plot, 9, 5).name() == colour_at(plot, 8, 4).name() == DARK.surface


def test_scores_use_the_diverging_map_centred_at_zero(plot):
    values = causal(12, 0.0)
    values[9, 4], values[9, 2] = -2.0, 2.0
    plot.show_map(whole_map(values=values, quantity="content"))
    table = diverging_table()
    assert colour_at(plot, 9, 4).getRgb() == tuple(table[0].tolist())
    assert colour_at(plot, 9, 2).getRgb() == tuple(table[255].tolist())
    assert colour_at(plot, 9, 6).getRgb() == tuple(table[128].tolist())


def test_another_theme_recolours_the_map(plot):
    plot.show_palette(LIGHT)
    assert colour_at(plot, 5, 2).getRgb() == tuple(sequential_table(LIGHT.sequential)[128].tolist())
    assert colour_at(plot, 2, 6).name() == LIGHT.background


def test_the_selected_row_is_framed_in_the_accent(plot):
    plot.show_query(5)
    row = plot.layout_now().to_square(plot.view(), (0, plot.view().span), (5, 6))
    image = plot.grab().toImage()
    edge = image.pixelColor(int(row.center().x()), round(row.top()) - 1)
    accent = DARK.colour("accent")
    assert abs(edge.green() - accent.green()) < 60
    assert edge.green() > 100


def test_hover_is_lighter_than_the_selection_and_keeps_the_values_readable(plot):
    before = colour_at(plot, 8, 2)
    mouse(plot, QEvent.Type.MouseMove, middle(plot, 8, 6))
    after = colour_at(plot, 8, 2)
    assert after != before
    assert abs(after.red() - before.red()) < 40


def test_hovering_tells_the_pair_and_leaving_tells_nothing(plot, qtbot):
    with qtbot.waitSignal(plot.cell_hovered) as told:
        mouse(plot, QEvent.Type.MouseMove, middle(plot, 8, 6))
    assert told.args == [(8, 6)]
    with qtbot.waitSignal(plot.cell_hovered) as told:
        mouse(plot, QEvent.Type.MouseMove, QPointF(2, 2))
    assert told.args == [None]


def test_a_click_tells_the_query_and_changes_nothing_by_itself(plot, qtbot):
    with qtbot.waitSignal(plot.query_chosen) as told:
        click(plot, middle(plot, 9, 1))
    assert told.args == [9]
    assert plot._query is None


def test_a_click_beyond_the_last_token_tells_nothing(plot, qtbot):
    plot.show_tokens(texts(9))
    with qtbot.assertNotEmitted(plot.query_chosen):
        click(plot, middle(plot, 10, 1))


def test_the_wheel_zooms_at_the_mouse_and_the_drag_pans(plot, qtbot):
    plot.show_tokens(texts(400))
    place = plot.layout_now().square.center()
    with qtbot.waitSignal(plot.view_moved):
        wheel(plot, place, 12)
    near = plot.view()
    assert near.span < 60
    assert near.left + near.span / 2 == pytest.approx(200, abs=10)
    with qtbot.assertNotEmitted(plot.query_chosen):
        mouse(plot, QEvent.Type.MouseButtonPress, place, held=True)
        mouse(plot, QEvent.Type.MouseMove, place + QPointF(-40, 0), held=True)
        mouse(plot, QEvent.Type.MouseButtonRelease, place + QPointF(-40, 0))
    assert plot.view().left == pytest.approx(near.left + 40 * near.span / plot.layout_now().square.width())
    assert plot.view().top == near.top


@pytest.mark.parametrize("key", [Qt.Key.Key_F, Qt.Key.Key_0])
def test_f_and_zero_show_the_whole_again(plot, qtbot, key):
    plot.show_tokens(texts(400))
    wheel(plot, plot.layout_now().square.center(), 5)
    assert not plot.wanted().whole
    with qtbot.waitSignal(plot.view_moved):
        QTest.keyClick(plot, key)
    assert plot.wanted().whole


def test_wheel_outside_the_square_does_not_zoom(plot, qtbot):
    with qtbot.assertNotEmitted(plot.view_moved):
        wheel(plot, QPointF(3, 3), 5)


@pytest.mark.parametrize(("key", "query"), [(Qt.Key.Key_Up, 6), (Qt.Key.Key_Down, 8)])
def test_up_and_down_choose_the_query(plot, qtbot, key, query):
    plot.show_query(7)
    with qtbot.waitSignal(plot.query_chosen) as told:
        QTest.keyClick(plot, key)
    assert told.args == [query]


def test_keys_stop_at_the_last_query(plot, qtbot):
    plot.show_query(11)
    with qtbot.waitSignal(plot.query_chosen) as told:
        QTest.keyClick(plot, Qt.Key.Key_Down)
    assert told.args == [11]


@pytest.mark.parametrize(("key", "step"), [(Qt.Key.Key_Left, -1), (Qt.Key.Key_Right, 1)])
def test_left_and_right_step_through_the_heads(plot, qtbot, key, step):
    with qtbot.waitSignal(plot.head_stepped) as told:
        QTest.keyClick(plot, key)
    assert told.args == [step]


def test_while_following_everything_is_wanted(plot):
    plot.show_tokens(texts(300))
    wanted = plot.wanted()
    assert (wanted.queries, wanted.keys, wanted.whole) == ((0, 300), (0, 300), True)
    assert wanted.cell == (2, 2)


def test_no_more_cells_are_wanted_than_there_are_pixels_for_them(plot):
    for count in (1, 7, 46, 300, 2049, 32_000):
        plot.show_tokens(texts(count))
        wanted = plot.wanted()
        assert count / wanted.cell[0] <= plot.layout_now().square.width() + 1
        assert wanted.cell[0].bit_count() == 1


def test_the_cells_of_neighbouring_views_lie_on_one_grid(plot):
    plot.show_tokens(texts(131_072))
    plot._move(Viewport(50_001.0, 90_001.0, 20_000.0))
    wanted = plot.wanted()
    assert wanted.cell[0] > 1
    assert wanted.queries[0] % wanted.cell[0] == wanted.keys[0] % wanted.cell[1] == 0


def test_a_double_click_goes_to_the_cell(plot, qtbot):
    plot.show_tokens(texts(4000))
    place = middle(plot, 3000, 1000)
    query, key = plot.layout_now().cell_at(plot.view(), place, 4000)
    with qtbot.waitSignal(plot.view_moved):
        mouse(plot, QEvent.Type.MouseButtonDblClick, place, held=True)
    view = plot.view()
    assert view.span == 24
    assert (view.left + 12, view.top + 12) == (key + 0.5, query + 0.5)


def test_the_pixels_seen_before_stay_until_finer_ones_come(plot):
    plot.show_tokens(texts(4096))
    values = np.full((256, 256), 0.25, dtype=np.float32)
    plot.show_map(whole_map(4096, values=values, cell=(16, 16)))
    plot._move(Viewport(100.0, 2000.0, 64.0))
    stretched = plot.grab().toImage().pixelColor(middle(plot, 2010, 140).toPoint())
    assert stretched.getRgb() == tuple(sequential_table(DARK.sequential)[128].tolist())
    fine = np.zeros((64, 64), dtype=np.float32)
    plot.show_map(whole_map(4096, queries=(2000, 2064), keys=(100, 164), values=fine))
    assert colour_at(plot, 2010, 140).name() == DARK.surface
    plot._move(Viewport(400.0, 2000.0, 64.0))  # where only the coarse one reaches
    assert colour_at(plot, 2010, 440) == stretched


def test_a_needle_is_seen_in_the_overview_of_a_very_long_text(plot):
    plot.resize(420, 360)
    plot.show_tokens(texts(131_072))
    cell = plot.wanted().cell[0]
    cells = -(-131_072 // cell)
    values = np.zeros((cells, cells), dtype=np.float32)
    values[cells * 3 // 4, cells // 3] = 0.9
    plot.show_map(whole_map(131_072, values=values, cell=(cell, cell)))
    image = plot.grab().toImage()
    square = plot.layout_now().square.toRect()
    loud = [
        image.pixelColor(x, y).red()
        for y in range(square.top(), square.bottom())
        for x in range(square.left(), square.right())
    ]
    assert max(loud) > 230


def test_old_rectangles_are_forgotten_beyond_a_bound(plot):
    plot.show_tokens(texts(4000))
    for first in range(0, 3000, 50):
        one = np.zeros((20, 20), dtype=np.float32)
        plot.show_map(whole_map(4000, queries=(first, first + 20), keys=(0, 20), values=one))
    assert len(plot._layers.painted()) <= 24


def test_zoomed_in_only_what_is_visible_is_wanted(plot):
    plot.show_tokens(texts(400))
    plot._move(Viewport(100.5, 200.0, 20.0))
    wanted = plot.wanted()
    assert (wanted.queries, wanted.keys, wanted.whole) == ((200, 220), (100, 121), False)


def test_the_whole_map_stays_under_a_finer_one(plot):
    plot.show_tokens(texts(40))
    plot.show_map(whole_map(40))
    plot.show_map(whole_map(40, queries=(20, 30), keys=(10, 20), values=np.zeros((10, 10), dtype=np.float32)))
    assert colour_at(plot, 25, 15).name() == DARK.surface
    assert colour_at(plot, 35, 5).getRgb() == tuple(sequential_table(DARK.sequential)[128].tolist())


def test_a_map_of_another_head_leaves_nothing_of_the_old_one(plot):
    plot.show_tokens(texts(40))
    plot.show_map(whole_map(40))
    plot.show_map(whole_map(40, head=4, queries=(20, 30), keys=(10, 20), values=np.zeros((10, 10), dtype=np.float32)))
    assert colour_at(plot, 35, 5).name() == DARK.background


def test_the_old_map_keeps_its_place_while_text_grows(plot):
    plot.show_tokens(texts(12))
    before = colour_at(plot, 5, 2)
    plot.show_tokens(texts(23))
    assert colour_at(plot, 5, 2) == before
    assert colour_at(plot, 20, 2).name() == DARK.background


def test_a_selected_query_out_of_view_is_brought_into_it(plot):
    plot.show_tokens(texts(400))
    plot._move(Viewport(100.0, 200.0, 20.0))
    plot.show_query(300)
    assert plot.view().top <= 300 < plot.view().top + 20


def test_a_shorter_text_forgets_the_zoom(plot):
    plot.show_tokens(texts(400))
    plot._move(Viewport(100.0, 200.0, 20.0))
    plot.show_tokens(texts(5))
    assert plot.wanted().whole


@pytest.mark.parametrize("size", [(200, 160), (480, 260), (1600, 1200)])
def test_nothing_is_laid_out_beyond_the_widget(plot, size):
    plot.resize(*size)
    layout = plot.layout_now()
    assert layout.square.width() == layout.square.height()
    assert layout.bar.right() < size[0]
    assert layout.square.bottom() + layout.tilted_width <= size[1]
    assert not plot.grab().isNull()


def test_only_focus_by_keyboard_draws_an_outline(plot):
    edge = plot.layout_now().square.adjusted(-4, 0, 0, 0).topLeft().toPoint() + QPoint(0, 80)
    plain = plot.grab().toImage().pixelColor(edge)
    plot.focusInEvent(QFocusEvent(QEvent.Type.FocusIn, Qt.FocusReason.MouseFocusReason))
    assert plot.grab().toImage().pixelColor(edge) == plain
    plot.focusInEvent(QFocusEvent(QEvent.Type.FocusIn, Qt.FocusReason.TabFocusReason))
    assert plot.grab().toImage().pixelColor(edge) != plain
    plot.focusOutEvent(QFocusEvent(QEvent.Type.FocusOut))
    assert plot.grab().toImage().pixelColor(edge) == plain
