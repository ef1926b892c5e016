from threading import Event

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton

from widgets.devices import layouter as layouter_module
from widgets.devices.data import DeviceLoad, ExpertGraph
from widgets.devices.devices_view import DevicesView
from widgets.devices.graph_canvas import GraphCanvas
from widgets.devices.layouter import Layouter
from widgets.devices.load_canvas import LoadCanvas
from widgets.devices.numbers_row import BETWEEN_FIELDS, NumbersRow
from widgets.devices.placement_button import PlacementButton
from widgets.palette import DARK, LIGHT
from widgets.selection import Selection

NONE = Qt.KeyboardModifier.NoModifier


def load(devices=4, layers=7, placement="contiguous"):
    values = np.arange(layers * devices, dtype=np.float64).reshape(layers, devices) + 10
    worst = values.max(1) / values.mean(1) - 1
    return DeviceLoad(
        layers=tuple(range(1, layers + 1)), device_load=values, traffic=np.arange(devices**2).reshape(devices, devices),
        max_violation=worst, balancedness=1 / (1 + worst), total_max_violation=0.15, total_balancedness=0.87, cv=0.12,
        gini=0.07, entropy=float("nan"), placement=placement, devices=devices, tokens=46,
    )  # fmt: skip


def graph(layer=5, experts=8):
    block = np.arange(experts) // (experts // 2)
    together = np.where(block[:, None] == block[None, :], 40, 2)
    return ExpertGraph(layer, np.full(experts, 50), together, np.arange(experts) * 4 // experts)


@pytest.fixture
def view(qtbot):
    view = DevicesView()
    qtbot.addWidget(view)
    view.resize(720, 420)
    view.show_palette(DARK)
    view.show_devices(4, 16)
    view.show_selection(Selection(layer=5, expert=3, device=2))
    return view


def load_canvas(view):
    view.grab()
    return view.findChild(LoadCanvas)


def mouse(widget, kind, place, button=Qt.MouseButton.NoButton):
    QApplication.sendEvent(widget, QMouseEvent(kind, place, widget.mapToGlobal(place), button, button, NONE))


def press(widget, key):
    QApplication.sendEvent(widget, QKeyEvent(QEvent.Type.KeyPress, key, NONE))


def heard(*signals):
    said = []
    for signal in signals:
        signal.connect(said.append)
    return said


def test_it_begins_empty_with_a_hint(view):
    assert view.is_empty()
    view.show_load(load())
    assert not view.is_empty()
    view.clear("nothing yet")
    assert view.is_empty()
    assert view.accessibleDescription() == "nothing yet"


def test_the_sentence_says_that_the_placement_is_simulated(view):
    view.show_load(load())
    row = load().balancedness[4], load().max_violation[4]
    assert view.sentence() == (
        f"simulated · layer 5: balancedness {row[0]:.2f}, MaxVio {row[1]:.2f} · 4 devices · contiguous"
    )
    view.show_selection(Selection(layer=0))
    assert view.sentence() == "simulated · layer 0 is dense · 4 devices · contiguous"


def test_imbalance_is_told_by_its_field_names_and_nothing_by_a_dash(view):
    view.show_load(load())
    row = view.findChild(NumbersRow)
    told = [row.value(name) for name in ("balancedness", "MaxVio", "CV", "Gini", "entropy")]
    assert told == ["0.87", "0.15", "0.12", "0.07", "–"]


def test_a_narrow_row_drops_its_heading_first_and_then_its_last_numbers(qtbot):
    row = NumbersRow("ALL LAYERS", dict.fromkeys(("balancedness", "MaxVio", "CV"), ""))
    qtbot.addWidget(row)

    def hidden(width):
        row.resize(width, 24)
        row.grab()
        return [child.isHidden() for child in (row._heading, *row._fields)]

    assert hidden(1000) == [False] * 4
    fields = [field.sizeHint().width() for field in row._fields]
    assert hidden(24 + sum(fields) + 2 * BETWEEN_FIELDS) == [True, False, False, False]
    assert hidden(24 + fields[0]) == [True, False, True, True]


def test_bars_have_the_colours_of_their_devices_and_other_layers_are_dimmed(view):
    view.show_load(load())
    view.show_selection(Selection(layer=5))
    canvas = load_canvas(view)
    image = canvas.grab().toImage()
    ratio = image.devicePixelRatio()

    def colour(row, device):
        place = canvas.bar_rectangle(row, device).center() * ratio
        return image.pixelColor(int(place.x()), int(place.y()))

    assert colour(4, 1) == DARK.category(1)
    assert colour(4, 3) == DARK.category(3)
    assert colour(3, 1) != DARK.category(1)


def test_bars_stand_on_zero_and_are_as_high_as_their_load(view):
    view.show_load(load())
    canvas = load_canvas(view)
    low, high = canvas.bar_rectangle(0, 0), canvas.bar_rectangle(6, 3)
    assert low.bottom() == high.bottom()
    assert high.height() / low.height() == pytest.approx(37 / 10, rel=0.03)


def test_a_click_on_a_bar_chooses_layer_and_device(view):
    view.show_load(load())
    canvas = load_canvas(view)
    told = heard(view.layer_chosen, view.device_chosen)
    mouse(canvas, QEvent.Type.MouseButtonPress, canvas.bar_rectangle(2, 3).center(), Qt.MouseButton.LeftButton)
    assert told == [3, 3]


def test_hovering_reads_bars_and_traffic_exactly(view):
    view.show_load(load())
    canvas = load_canvas(view)
    said = heard(view.hovered_text)
    mouse(canvas, QEvent.Type.MouseMove, canvas.bar_rectangle(4, 1).center())
    assert said[-1] == "layer 5, device 1 (simulated): 27 assignments, 0.98 × mean"
    matrix = canvas.matrix_rectangle()
    cell = matrix.width() / 4
    mouse(canvas, QEvent.Type.MouseMove, matrix.topLeft() + QPointF(2.5 * cell, 1.5 * cell))
    assert said[-1] == "6 tokens sent from device 1 to device 2 (simulated)"
    mouse(canvas, QEvent.Type.MouseMove, matrix.topLeft() + QPointF(1.5 * cell, 1.5 * cell))
    assert said[-1] == "5 tokens stay on device 1 (simulated)"
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
    assert said[-1] == ""


def test_arrows_move_device_and_layer(view):
    view.show_load(load())
    canvas = load_canvas(view)
    devices, layers = heard(view.device_chosen), heard(view.layer_chosen)
    press(canvas, Qt.Key.Key_Right)
    press(canvas, Qt.Key.Key_Up)
    assert (devices, layers) == ([3], [6])


def test_the_number_of_devices_is_stepped_or_typed_and_setters_stay_silent(view):
    told = heard(view.devices_changed)
    view.show_devices(8, 16)
    assert told == []
    field = view.findChild(QLineEdit)
    press(field, Qt.Key.Key_Up)
    assert told == [9]
    field.setText("2")
    field.editingFinished.emit()
    assert told == [9, 2]
    view.show_devices(16, 16)
    assert field.text() == "16"
    more = next(button for button in view.findChildren(QPushButton) if button.text() == "›")
    assert not more.isEnabled()


def test_a_placement_is_chosen_from_the_menu(view):
    told = heard(view.placement_chosen)
    view.show_placement("round-robin")
    button = view.findChild(PlacementButton)
    assert (told, button.text()) == ([], "round-robin ▾")
    button.choices()[0].trigger()
    assert told == ["contiguous"]


def test_sixty_four_devices_are_drawn_without_numbers_in_the_cells(view):
    view.show_load(load(64, 26))
    canvas = load_canvas(view)
    assert canvas.matrix_rectangle().width() >= 64
    assert canvas.matrix_rectangle().right() <= canvas.width()
    assert "64 devices" in view.sentence()


def test_the_graph_is_laid_out_beside_the_window_and_names_neighbours(view, qtbot):
    view.show_load(load())
    view.show_graph(graph())
    view.show_mode("graph")
    qtbot.waitUntil(lambda: not view.is_computing(), timeout=10_000)
    assert view.sentence() == "layer 5 · 8 experts · 2 communities · lines: pairs more often than chance"
    lines = view._side.text().splitlines()
    assert [line.split("(")[0].strip("\u2007 ") for line in lines] == ["0", "1", "2"]
    assert "(40 tokens," in lines[0]
    assert view._side_title.text() == "EXPERT 3 FIRES WITH"


def test_with_many_experts_the_sentence_says_that_edges_were_left_out(view):
    view.show_graph(graph(experts=40))
    view.show_mode("graph")
    assert view.sentence() == "layer 5 · 40 experts · lines: the 4 strongest pairs of each beyond chance"
    assert "Laying out" in view.findChild(GraphCanvas).waiting


def test_a_click_on_a_circle_chooses_its_expert_and_hovering_tells_its_tokens(view, qtbot):
    view.show_graph(graph())
    view.show_mode("graph")
    qtbot.waitUntil(lambda: not view.is_computing(), timeout=10_000)
    view.grab()
    canvas = view.findChild(GraphCanvas)
    place = QPointF(*canvas.centres()[6])
    chosen, said = heard(view.expert_chosen), heard(view.hovered_text)
    mouse(canvas, QEvent.Type.MouseMove, place)
    mouse(canvas, QEvent.Type.MouseButtonPress, place, Qt.MouseButton.LeftButton)
    press(canvas, Qt.Key.Key_Right)
    assert chosen == [6, 4]
    assert said == ["layer 5, expert 6 (device 3): 50 tokens"]


def test_circles_have_the_colours_of_their_communities(view, qtbot):
    view.show_graph(graph())
    view.show_selection(Selection(layer=5))
    view.show_mode("graph")
    qtbot.waitUntil(lambda: not view.is_computing(), timeout=10_000)
    view.grab()
    canvas = view.findChild(GraphCanvas)
    image, ratio = canvas.grab().toImage(), canvas.devicePixelRatioF()
    for expert, community in ((0, 0), (7, 1)):
        place = (canvas.centres()[expert] + [0, 0.75 * canvas.radii()[expert]]) * ratio
        assert image.pixelColor(int(place[0]), int(place[1])) == DARK.category(community)


def test_a_dense_layer_has_no_graph_and_says_so(view):
    view.show_load(load())
    view.show_graph(graph())
    view.show_mode("graph")
    view.show_selection(Selection(layer=0))
    assert view.is_empty()
    assert "layer 0 is dense" in view.accessibleDescription()


def test_late_layouts_are_dropped_and_the_next_wish_is_served(qtbot, monkeypatch):
    gate = Event()
    real = layouter_module.lay_out

    def slow(wanted, before=None):
        gate.wait(5)
        return real(wanted, before)

    monkeypatch.setattr(layouter_module, "lay_out", slow)
    layouter = Layouter()
    pictures = heard(layouter.laid_out)
    layouter.ask(graph(3))
    layouter.ask(graph(4))
    gate.set()
    qtbot.waitUntil(lambda: not layouter.is_busy(), timeout=10_000)
    assert [picture.graph.layer for picture in pictures] == [4]
    layouter.close()


def test_the_same_layer_is_laid_out_again_only_after_a_while(qtbot, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(layouter_module, "monotonic", lambda: now[0])
    layouter = Layouter()
    pictures = heard(layouter.laid_out)
    layouter.ask(graph())
    qtbot.waitUntil(lambda: len(pictures) == 1, timeout=10_000)
    layouter.ask(graph())
    layouter._poll()
    assert layouter._running is None
    now[0] += 2.1
    qtbot.waitUntil(lambda: len(pictures) == 2, timeout=10_000)
    layouter.close()


def test_a_layouter_closes_while_it_is_computing(monkeypatch):
    gate = Event()
    monkeypatch.setattr(layouter_module, "lay_out", lambda *_: gate.wait(5))
    layouter = Layouter()
    layouter.ask(graph())
    pictures = heard(layouter.laid_out)
    layouter.close()
    gate.set()
    layouter._poll()
    assert (pictures, layouter.is_busy()) == ([], False)


def test_it_paints_onto_a_vector_page(view, tmp_path):
    view.show_palette(LIGHT)
    view.show_load(load())
    view.grab()
    page = QSvgGenerator()
    page.setFileName(str(tmp_path / "devices.svg"))
    page.setSize(QSize(720, 420))
    page.setViewBox(QRect(0, 0, 720, 420))
    painter = QPainter(page)
    view.render(painter, QPoint())
    painter.end()
    written = (tmp_path / "devices.svg").read_text(encoding="utf-8")
    assert "assignments per simulated device" in written
    assert "tokens sent, from device × to device" in written
