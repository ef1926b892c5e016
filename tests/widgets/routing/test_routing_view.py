from dataclasses import replace
from time import thread_time

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QWheelEvent
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QApplication

from widgets.palette import DARK, LIGHT, sequential_table
from widgets.routing.canvas import RoutingCanvas
from widgets.routing.data import ExpertReads, RouterScores, RoutingTokens, RoutingTotals
from widgets.routing.geometry import Rows
from widgets.routing.marks import levels, pooled_weights
from widgets.routing.reads_line import ReadsLine
from widgets.routing.routing_view import RoutingView
from widgets.selection import Selection

NONE = Qt.KeyboardModifier.NoModifier


def routing(tokens=20, experts=16, chosen=4, *, layer=5):
    random = np.random.default_rng(0)
    ids = random.permuted(np.tile(np.arange(experts), (tokens, 1)), axis=1)[:, :chosen]
    weights = np.sort(random.random((tokens, chosen)).astype(np.float32), axis=1)[:, ::-1]
    return RoutingTokens(
        layer=layer, moe=True, experts=experts, chosen=chosen, groups=4, groups_per_token=2, shared=2, expert_ids=ids,
        expert_weights=np.ascontiguousarray(weights), margins=random.random(tokens).astype(np.float32),
        expert_device=np.arange(experts) * 4 // experts, devices=4,
    )  # fmt: skip


def totals():
    counts = np.arange(7 * 16).reshape(7, 16)
    return RoutingTotals(tuple(range(1, 8)), counts, counts * 0.25, 2)


@pytest.fixture
def view(qtbot):
    view = RoutingView()
    qtbot.addWidget(view)
    view.resize(640, 420)
    view.show_palette(DARK)
    view.show_tokens([f" t{number}" for number in range(20)])
    return view


def canvas_of(view):
    view.grab()
    return view.findChild(RoutingCanvas)


def mouse(widget, kind, place, buttons=Qt.MouseButton.LeftButton):
    button = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
    QApplication.sendEvent(widget, QMouseEvent(kind, place, widget.mapToGlobal(place), button, buttons, NONE))


def heard(*signals):
    said = []
    for signal in signals:
        signal.connect(said.append)
    return said


def click(widget, place):
    mouse(widget, QEvent.Type.MouseButtonPress, place)
    mouse(widget, QEvent.Type.MouseButtonRelease, place, Qt.MouseButton.NoButton)


def hover(widget, place):
    mouse(widget, QEvent.Type.MouseMove, place, Qt.MouseButton.NoButton)


def press(widget, key):
    QApplication.sendEvent(widget, QKeyEvent(QEvent.Type.KeyPress, key, NONE))


def wheel(widget, place, turn):
    event = QWheelEvent(
        place, widget.mapToGlobal(place), QPoint(), QPoint(0, turn), Qt.MouseButton.NoButton, NONE,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)


def test_it_begins_empty_with_a_hint(view):
    assert view.is_empty()
    view.show_routing(routing())
    assert not view.is_empty()
    view.clear("nothing yet")
    assert view.is_empty()
    assert view.accessibleDescription() == "nothing yet"


def test_the_sentence_says_what_is_shown(view):
    view.show_routing(routing())
    canvas_of(view)
    assert view.sentence() == "layer 5 · token × expert · top 4 of 16, 2 groups of 4 · 2 shared"
    view.show_totals(totals())
    view.show_mode("layers")
    assert view.sentence() == "7 MoE layers × 16 experts · share of tokens, 1 = uniform · 2 shared"


def test_a_dense_layer_says_that_it_has_no_experts(view):
    view.show_routing(routing())
    view.show_dense_layer(0)
    assert view.is_empty()
    assert "layer 0 is dense: every token uses the same MLP" in view.accessibleDescription()
    view.show_totals(totals())
    view.show_mode("layers")
    assert not view.is_empty()


def test_painted_cells_have_the_colours_of_their_gates(view):
    data = routing()
    view.show_routing(data)
    canvas = canvas_of(view)
    image = canvas.grab().toImage()
    ratio = image.devicePixelRatio()

    def colour(token, expert):
        place = canvas.cell_rectangle(token, expert).center() * ratio
        return image.pixelColor(int(place.x()), int(place.y()))

    strongest = data.expert_weights.max()
    token = int(np.argmax(data.expert_weights[:, 0]))
    assert strongest > 0.9
    table = sequential_table(DARK.sequential)
    bright = colour(token, int(data.expert_ids[token, 0]))
    assert bright.lightness() > QColor(*map(int, table[200])).lightness()
    unchosen = next(expert for expert in range(16) if expert not in data.expert_ids[token])
    assert colour(token, unchosen) == DARK.colour("background")


def test_a_click_chooses_the_token_and_the_expert(view):
    view.show_routing(routing())
    canvas = canvas_of(view)
    told = heard(view.token_chosen, view.expert_chosen)
    click(canvas, canvas.cell_rectangle(7, 9).center())
    assert told == [7, 9]


def test_a_click_on_an_experts_number_chooses_the_expert_alone(view, qtbot):
    view.show_routing(routing())
    canvas = canvas_of(view)
    with qtbot.assertNotEmitted(view.token_chosen), qtbot.waitSignal(view.expert_chosen) as told:
        click(canvas, QPointF(canvas.cell_rectangle(0, 3).center().x(), 14))
    assert told.args == [3]


def test_in_layers_a_click_chooses_layer_and_expert(view):
    view.show_totals(totals())
    view.show_mode("layers")
    canvas = canvas_of(view)
    told = heard(view.layer_chosen, view.expert_chosen)
    click(canvas, canvas.cell_rectangle(4, 2).center())
    assert told == [5, 2]


def test_hovering_tells_the_exact_choice(view):
    data = routing()
    view.show_routing(data)
    canvas = canvas_of(view)
    said = []
    view.hovered_text.connect(said.append)
    expert = int(data.expert_ids[7, 1])
    hover(canvas, canvas.cell_rectangle(7, expert).center())
    assert said[-1] == (
        f"token 7 “t7” → expert {expert} (device {expert // 4}) weight {data.expert_weights[7, 1]:.3g}, "
        f"rank 2 of 4, margin {data.margins[7]:.3g}"
    )
    other = next(number for number in range(16) if number not in data.expert_ids[7])
    hover(canvas, canvas.cell_rectangle(7, other).center())
    assert said[-1].endswith("not chosen")
    view.show_scores(RouterScores(5, (0, 20), np.full((20, 16), 0.125, np.float32)))
    hover(canvas, canvas.cell_rectangle(8, int(data.expert_ids[8, 0])).center())
    assert said[-1].endswith("score 0.125")
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
    assert said[-1] == ""


def test_hovering_a_total_tells_the_exact_count(view):
    view.show_totals(totals())
    view.show_mode("layers")
    canvas = canvas_of(view)
    said = []
    view.hovered_text.connect(said.append)
    hover(canvas, canvas.cell_rectangle(1, 2).center())
    assert said[-1] == "layer 2 → expert 2 (device 0): 18 of 376 assignments, 0.77 × uniform, summed weight 4.5"


def test_arrows_move_the_selection(view, qtbot):
    view.show_routing(routing())
    view.show_selection(Selection(token=3, layer=5, expert=15))
    canvas = canvas_of(view)
    with qtbot.waitSignal(view.token_chosen) as told:
        press(canvas, Qt.Key.Key_Down)
    assert told.args == [4]
    with qtbot.waitSignal(view.expert_chosen) as told:
        press(canvas, Qt.Key.Key_Left)
    assert told.args == [14]


def test_the_wheel_zooms_and_f_fits_again(view):
    view.show_routing(routing())
    canvas = canvas_of(view)
    before = canvas.cell_rectangle(7, 3)
    wheel(canvas, before.center(), 240)
    assert canvas.cell_rectangle(7, 3).height() > before.height()
    view.show_mode("tokens")
    view.show_routing(routing())
    assert canvas.cell_rectangle(7, 3).height() > before.height()
    press(canvas, Qt.Key.Key_F)
    assert canvas.cell_rectangle(7, 3) == before


def test_dragging_pans_and_chooses_nothing(view, qtbot):
    view.show_routing(routing())
    canvas = canvas_of(view)
    wheel(canvas, canvas.cell_rectangle(7, 3).center(), 480)
    start = canvas.cell_rectangle(7, 3)
    with qtbot.assertNotEmitted(view.token_chosen):
        mouse(canvas, QEvent.Type.MouseButtonPress, start.center())
        mouse(canvas, QEvent.Type.MouseMove, start.center() + QPointF(0, -20))
        mouse(canvas, QEvent.Type.MouseButtonRelease, start.center() + QPointF(0, -20), Qt.MouseButton.NoButton)
    assert canvas.cell_rectangle(7, 3).top() == pytest.approx(start.top() - 20, abs=1)


def test_rows_smaller_than_a_pixel_are_said_to_be_pooled(view):
    view.show_routing(routing(2100, 160, 6))
    canvas_of(view)
    assert "max of 8 tokens" in view.sentence()
    wheel(canvas_of(view), QPointF(300, 200), 2400)
    assert "max of" not in view.sentence()


def test_the_selected_row_wears_the_accent_and_a_selection_beyond_the_end_none(view):
    view.show_routing(routing())
    view.show_selection(Selection(token=19, layer=5, expert=3))
    framed = canvas_of(view).grab().toImage()
    view.show_selection(Selection(token=400, layer=5, expert=99))
    assert canvas_of(view).grab().toImage() != framed


def test_the_segments_change_the_mode_and_say_so(view, qtbot):
    view.show_routing(routing())
    view.show_totals(totals())
    layers = next(
        button for button in view.findChildren(type(view._switch._buttons["layers"])) if button.text() == "layers"
    )
    with qtbot.waitSignal(view.mode_chosen) as told:
        layers.click()
    assert told.args == ["layers"]
    assert view.sentence().startswith("7 MoE layers")


def test_an_update_of_two_thousand_tokens_takes_milliseconds(view):
    data = routing(2100, 160, 6)
    view.show_routing(data)
    canvas_of(view)
    best = min(_seconds(lambda: view.show_routing(data)) for _ in range(5))
    assert best < 0.02  # of the processor: token by token it would be a hundred times that


def _seconds(work):
    start = thread_time()
    work()
    return thread_time() - start


def test_it_paints_onto_a_vector_page(view, tmp_path):
    view.show_palette(LIGHT)
    view.show_routing(routing())
    canvas_of(view)
    page = QSvgGenerator()
    page.setFileName(str(tmp_path / "routing.svg"))
    page.setSize(QSize(640, 420))
    page.setViewBox(QRect(0, 0, 640, 420))
    painter = QPainter(page)
    view.render(painter, QPoint())
    painter.end()
    written = (tmp_path / "routing.svg").read_text(encoding="utf-8")
    assert "device 0" in written
    assert "<image" in written


def zero_routing():
    """Experts 12 to 15 have no weights."""
    device = np.append(np.arange(12) // 3, np.full(4, -1))
    return replace(routing(), expert_device=device)


def test_zero_experts_stand_apart_after_all_devices_and_are_named(view):
    view.show_routing(zero_routing())
    canvas = canvas_of(view)
    last, zero = canvas.cell_rectangle(3, 11), canvas.cell_rectangle(3, 12)
    assert zero.left() - last.right() > canvas.cell_rectangle(3, 11).left() - canvas.cell_rectangle(3, 10).right()
    said = heard(view.hovered_text)
    hover(canvas, zero.center())
    assert "zero expert 12 (no weights: answers with its input)" in said[-1]
    assert "device" not in said[-1]
    hover(canvas, last.center())
    assert "expert 11 (device 3)" in said[-1]
    assert ", 4 of them zero experts" in view.sentence()
    view.show_totals(totals())
    view.show_mode("layers")
    canvas_of(view)
    hover(canvas, canvas.cell_rectangle(2, 14).center())
    assert "zero expert 14" in said[-1]
    assert "device" not in said[-1]


def test_what_experts_cost_is_told_below_the_map_and_nothing_where_all_are_at_hand(view):
    view.show_routing(routing())
    canvas = canvas_of(view)
    line = view.findChild(ReadsLine)
    height = canvas.height()
    assert line.isHidden()
    view.show_reads(
        ExpertReads(
            last_hits=44, last_misses=4, last_bytes=352_000_000, last_tokens=1,
            hits=1500, misses=500, bytes=44_000_000_000, tokens=1000,
        )
    )  # fmt: skip
    assert line.full_text() == "step: hits 44, misses 4, 352 MB/token · run: hits 75 %, 44 MB/token"
    canvas_of(view)
    assert canvas.height() < height
    view.clear()
    assert line.isHidden()


def test_a_gate_that_is_not_a_number_has_a_colour_of_its_own_also_when_pooled(view):
    data = routing()
    data.expert_weights[3, 0] = np.nan
    view.show_routing(data)
    canvas = canvas_of(view)
    image, ratio = canvas.grab().toImage(), canvas.devicePixelRatio()
    place = canvas.cell_rectangle(3, int(data.expert_ids[3, 0])).center() * ratio
    assert image.pixelColor(int(place.x()), int(place.y())).name() == DARK.nan
    pooled = levels(pooled_weights(data, Rows(0, 5, 4, 1.0, 0.0)), 1.0)
    assert np.isposinf(pooled).sum() == 1
    assert np.isposinf(pooled[0, data.expert_ids[3, 0]])
