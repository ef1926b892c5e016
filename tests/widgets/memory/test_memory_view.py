"""The KV memory view: what it says, what it paints, what it asks for."""

import time

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from widgets.memory.memory_plot import MemoryPlot
from widgets.memory.memory_series import MemorySeries
from widgets.memory.memory_view import MemoryView
from widgets.palette import DARK
from widgets.selection import Selection


def _series(held: int, *, planned: int = 62, block: int = 64) -> MemorySeries:
    tokens = np.arange(1, held + 1)
    allocated = -(-tokens // block) * block
    return MemorySeries(
        tokens=tokens,
        measured_bytes=allocated * 2_560,
        used_bytes=tokens * 2_560,
        mla=2_560,
        mha=16_384,
        gqa=4_096,
        mqa=2_048,
        gqa_groups=2,
        planned_tokens=planned,
        context_limit=2_048,
        free_bytes=1_638_400,
        layers=6,
        dtype="float32",
    )


@pytest.fixture
def view(qtbot: QtBot) -> MemoryView:
    made = MemoryView()
    qtbot.addWidget(made)
    made.show_palette(DARK)
    made.prepare()
    made.resize(620, 400)
    made.show()
    return made


def _texts(view: MemoryView) -> list[str]:
    plot = view.findChild(MemoryPlot)
    assert plot is not None
    return [item.text() for item in plot.scene().items() if hasattr(item, "text") and item.isVisible()]


def test_sentence_tells_layers_format_and_reserve(view: MemoryView) -> None:
    view.show_series(_series(43))
    assert view.sentence() == "measured bytes · 6 layers · float32 · reserve 53,760 B"


def test_lines_are_labelled_at_their_ends_with_the_same_run(view: MemoryView) -> None:
    view.show_series(_series(43, block=1))
    texts = _texts(view)
    for text in ("MLA, measured 110,080 B", "as MHA  705 kB", "as GQA, 2 groups  176 kB", "as MQA  88.1 kB"):
        assert text in texts


def test_reserve_is_named_beside_the_measured_bytes(view: MemoryView) -> None:
    view.show_series(_series(43))
    assert "MLA, measured 163,840 B\nof it reserve 53,760 B" in _texts(view)


def test_per_token_shows_bytes_of_one_token(view: MemoryView) -> None:
    view.show_series(_series(43, block=1))
    view.show_measure("per token")
    assert "MLA, measured 2,560 B per token" in _texts(view)
    assert "as MHA  16.4 kB" in _texts(view)
    assert "per token" in view.sentence()


def test_selection_reads_the_token_in_sentence_and_hairline(view: MemoryView) -> None:
    view.show_series(_series(43, block=1))
    view.show_selection(Selection(token=21))
    assert view.sentence().startswith("measured 56,320 B at token 21 · 6 layers")
    assert "token 21: 56,320 B" in _texts(view)
    view.show_selection(Selection(token=60))
    assert "token" not in view.sentence()


def test_free_memory_is_told_in_tokens(view: MemoryView) -> None:
    view.show_series(_series(43))
    words = [label.text() for label in view.findChildren(type(view._free))]
    assert any(word.startswith("free memory: 640 more tokens, as MHA 100") for word in words)


def test_axes_do_not_move_while_tokens_stream_in(view: MemoryView) -> None:
    plot = view.findChild(MemoryPlot)
    assert plot is not None
    ranges = []
    for held in (1, 20, 43, 62):
        view.show_series(_series(held))
        ranges.append(plot.getViewBox().viewRange())
    assert all(found == ranges[0] for found in ranges)
    assert ranges[0][0] == [0.0, 64.0]


def test_zoomed_plot_stays_put_until_f_is_pressed(view: MemoryView, qtbot: QtBot) -> None:
    view.show_series(_series(43))
    plot = view.findChild(MemoryPlot)
    assert plot is not None
    plot.getViewBox().scaleBy(x=0.5)
    plot.getViewBox().sigRangeChangedManually.emit([True, True])
    zoomed = plot.token_range()
    view.show_series(_series(100, planned=100))
    assert plot.token_range() == zoomed
    qtbot.keyClick(plot, Qt.Key.Key_F)
    assert plot.token_range() == (0.0, 112.0)


def _count(image: QImage, colour: QColor) -> int:
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    pixels = np.frombuffer(image.constBits(), dtype=np.uint32)
    return int(np.count_nonzero(pixels & 0xFFFFFF == colour.rgb() & 0xFFFFFF))


def test_measured_line_is_painted_in_the_accent(view: MemoryView) -> None:
    view.show_series(_series(43))
    QApplication.processEvents()
    assert _count(view._plot.grab().toImage(), DARK.colour("accent")) > 200


def test_click_asks_for_the_token_cached_there(view: MemoryView, qtbot: QtBot) -> None:
    view.show_series(_series(43))
    plot = view.findChild(MemoryPlot)
    assert plot is not None
    with qtbot.waitSignal(view.token_chosen, timeout=1000) as told:
        plot.clicked.emit(QPointF(22.2, 5.0))
    assert told.args == [21]
    with qtbot.waitSignal(view.token_chosen, timeout=1000) as told:
        plot.clicked.emit(QPointF(60.0, 5.0))
    assert told.args == [42]


def test_arrow_keys_ask_for_neighbours(view: MemoryView, qtbot: QtBot) -> None:
    view.show_series(_series(43))
    view.show_selection(Selection(token=21))
    asked: list[int] = []
    view.token_chosen.connect(asked.append)
    plot = view.findChild(MemoryPlot)
    assert plot is not None
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End):
        qtbot.keyClick(plot, key)
    assert asked == [20, 22, 0, 42]


def test_hover_reads_exact_bytes(view: MemoryView, qtbot: QtBot) -> None:
    view.show_series(_series(43))
    plot = view.findChild(MemoryPlot)
    assert plot is not None
    with qtbot.waitSignal(view.hovered_text, timeout=1000) as told:
        plot.hovered.emit(QPointF(43.1, 5.0))
    assert told.args == [
        "43 tokens · measured 163,840 B, used 110,080 B, reserve 53,760 B · MHA 704,512 B, GQA 176,128 B, MQA 88,064 B"
    ]
    with qtbot.waitSignal(view.hovered_text, timeout=1000) as told:
        plot.hovered.emit(QPointF(60.0, 5.0))
    assert told.args is not None
    assert told.args[0].startswith("60 tokens · MLA by formula 153,600 B")


def test_switches_ask_and_show_only_when_set(view: MemoryView, qtbot: QtBot) -> None:
    view.show_scale("log")
    view.show_series(_series(43))
    buttons = {button.text(): button for button in view.findChildren(QPushButton)}
    with qtbot.waitSignal(view.scale_chosen, timeout=1000) as told:
        qtbot.mouseClick(buttons["linear"], Qt.MouseButton.LeftButton)
    assert told.args == ["linear"]
    with qtbot.waitSignal(view.measure_chosen, timeout=1000) as told:
        qtbot.mouseClick(buttons["per token"], Qt.MouseButton.LeftButton)
    assert told.args == ["per token"]
    plot = view.findChild(MemoryPlot)
    assert plot is not None
    assert plot.getViewBox().viewRange()[1] == [3.0, 7.0]
    view.show_scale("linear")
    assert plot.getViewBox().viewRange()[1] == [0.0, 1_500_000.0]


def test_empty_view_gives_its_hint(view: MemoryView) -> None:
    view.show_series(_series(43))
    assert not view.is_empty()
    view.show_series(_series(0))
    assert view.is_empty()
    view.clear("Nothing yet.")
    assert view.accessibleDescription() == "Nothing yet."


def test_hundred_thousand_tokens_are_drawn_quickly(view: MemoryView) -> None:
    series = _series(100_000, planned=100_000)
    view.show_series(series)
    spent = []
    for _ in range(5):
        start = time.thread_time()
        view.show_series(series)
        spent.append(time.thread_time() - start)
    assert min(spent) < 0.06  # of the processor: other work goes on beside the tests


def test_view_is_drawn_as_vectors(view: MemoryView, tmp_path: object) -> None:
    view.show_series(_series(43))
    path = f"{tmp_path}/memory.svg"
    generator = QSvgGenerator()
    generator.setFileName(path)
    generator.setSize(view.size())
    painter = QPainter(generator)
    try:
        view.render(painter, QPoint())
    finally:
        painter.end()
    with open(path, encoding="utf-8") as file:  # noqa: PTH123  # one short read
        drawn = file.read()
    assert "as MHA" in drawn
    assert drawn.count("<path") + drawn.count("<polyline") >= 4


def test_reading_of_the_selection_never_covers_the_measured_label(view: MemoryView) -> None:
    view.show_series(_series(100_000, planned=100_000))
    view.show_selection(Selection(token=90_000))
    plot = view.findChild(MemoryPlot)
    assert plot is not None
    labels = [item for item in plot.scene().items() if hasattr(item, "text") and item.isVisible()]
    read = next(item for item in labels if item.text().startswith("token 90"))
    measured = next(item for item in labels if item.text().startswith("MLA"))
    assert not read.sceneBoundingRect().intersects(measured.sceneBoundingRect())
