import numpy as np
import pytest
from PySide6.QtCore import QPointF

from widgets.latents.data import Drift, LatentMap, Ranks, Reading
from widgets.latents.heat import strongest
from widgets.latents.latents_view import LatentsView
from widgets.palette import DARK
from widgets.selection import Selection


@pytest.fixture
def view(qtbot):
    made = LatentsView()
    qtbot.addWidget(made)
    made.resize(640, 400)
    made.show_palette(DARK)
    made.show_tokens(6)
    made.show_selection(Selection(token=2, layer=1, head=1))
    return made


def latent_map(cell=1):
    values = np.arange(48, dtype=np.float32).reshape(6, 8) - 24
    return LatentMap(
        layer=1, tokens=(0, 6 * cell), cell=cell, values=values, norms=np.ones((6, 2), np.float32),
        rope_norms=np.ones((6, 2), np.float32),
    )  # fmt: skip


def test_the_value_farthest_from_zero_stands_for_its_neighbours():
    values = np.zeros((100, 100), dtype=np.float32)
    values[30, 40], values[31, 41] = 1.0, -5.0
    pooled = strongest(values, 10, 10)
    assert pooled.shape == (10, 10)
    assert pooled[3, 4] == -5.0
    assert np.count_nonzero(pooled) == 1


def test_each_mode_says_what_it_shows(view):
    view.show_map(latent_map())
    assert view.sentence() == "layer 1 · 6 tokens × 8 dimensions, every token"
    view.show_ranks(Ranks(tokens=6, ranks=np.array([3, np.nan], np.float32), spectra=np.ones((2, 8), np.float32)))
    view.show_mode("rank")
    assert view.sentence().startswith("6 tokens · 1 of 2 layers")
    view.show_reading(Reading(layer=1, norms=np.ones((4, 8), np.float32), singular=np.ones((4, 4), np.float32)))
    view.show_mode("reading")
    assert view.sentence().startswith("layer 1 · W_UK")
    assert not view.grab().isNull()


def test_hover_reads_token_dimension_value_and_norm(view, qtbot):
    view.show_map(latent_map())
    heat = view._heat
    heat.resize(400, 240)
    area = heat.area()
    place = heat.at(QPointF(area.left() + area.width() * 4.5 / 6, area.top() + area.height() * 7.5 / 8))
    assert place == (7, 4)
    with qtbot.waitSignal(view.hovered_text) as told:
        heat.hovered.emit(place)
    assert told.args == ["token 4  dimension 7  c_kv +15.000  ‖c_kv‖ 1.00"]


def test_zooming_asks_for_fewer_tokens_on_the_same_grid(view, qtbot):
    view.show_tokens(100_000)
    with qtbot.waitSignal(view.range_wanted) as told:
        view._heat.zoom_wanted.emit(8.0, 0.5)
    (first, last), cell = told.args[0]
    assert first <= 50_000 <= last
    assert last - first <= 12_500 + cell
    assert first % cell == 0


def test_drift_is_measured_on_request_and_says_over_how_many_rows(view, qtbot):
    view.show_mode("drift")
    with qtbot.waitSignal(view.drift_wanted):
        view._table._button.click()
    view.show_drift(None, measuring=True)
    assert not view._table._button.isEnabled()
    numbers = np.array([[0.01, 0.2]], np.float32)
    view.show_drift(
        Drift(
            layer=1, heads=(0,), formats=("int8", "int4"), mean=numbers, worst=2 * numbers,
            bytes=np.array([100, 68]), rows=6, of=6, final=True,
        )
    )  # fmt: skip
    assert "6 of 6 rows" in view._table._words.text()
    assert not view.grab().isNull()
