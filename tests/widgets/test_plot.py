import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from widgets.palette import DARK, LIGHT
from widgets.plot import CellImage, Plot


@pytest.fixture
def plot(qtbot):
    made = Plot()
    qtbot.addWidget(made)
    made.resize(300, 200)
    made.show_palette(DARK)
    made.setXRange(0, 10, padding=0)
    made.setYRange(0, 5, padding=0)
    made.grab()
    return made


def at(plot, x, y):
    return plot.mapFromScene(plot.getViewBox().mapViewToScene(QPointF(x, y)))


def click(widget, place):
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    for kind, held in ((QEvent.Type.MouseButtonPress, left), (QEvent.Type.MouseButtonRelease, none)):
        where = QPointF(place)
        event = QMouseEvent(kind, where, widget.mapToGlobal(where), left, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(widget, event)


def test_the_background_is_the_surface_of_each_theme(plot):
    for theme in (DARK, LIGHT):
        plot.show_palette(theme)
        assert plot.grab().toImage().pixelColor(5, 5).name() == theme.surface


def test_moving_over_the_plot_tells_where_in_data(plot, qtbot):
    with qtbot.waitSignal(plot.hovered) as told:
        plot._moved(QPointF(plot.mapToScene(at(plot, 4, 2))))
    assert told.args[0].x() == pytest.approx(4, abs=0.1)
    assert told.args[0].y() == pytest.approx(2, abs=0.1)


def test_moving_over_the_axis_tells_nothing(plot, qtbot):
    with qtbot.assertNotEmitted(plot.hovered):
        plot._moved(QPointF(plot.mapToScene(QPoint(1, 199))))


def test_a_click_tells_where_in_data(plot, qtbot):
    with qtbot.waitSignal(plot.clicked) as told:
        click(plot.viewport(), at(plot, 7, 1))
    assert told.args[0].x() == pytest.approx(7, abs=0.15)


@pytest.mark.parametrize("key", [Qt.Key.Key_F, Qt.Key.Key_0])
def test_f_and_zero_show_everything(plot, key):
    plot.plot([0, 100], [0, 50])
    plot.setXRange(3, 4, padding=0)
    QTest.keyClick(plot, key)
    left, right = plot.viewRange()[0]
    assert left <= 0
    assert right >= 100


def test_leaving_is_told(plot, qtbot):
    with qtbot.waitSignal(plot.left):
        plot.leaveEvent(QEvent(QEvent.Type.Leave))


def test_axes_have_no_line_and_no_menu(plot):
    assert plot.getAxis("left").pen().style() == Qt.PenStyle.NoPen
    assert not plot.getPlotItem().getViewBox().menuEnabled()


def test_cells_lie_where_their_tokens_are():
    image = CellImage()
    rgba = np.zeros((2, 3, 4), dtype=np.uint8)
    image.show_cells(rgba, left=10, top=20, cell=(4.0, 2.0))
    box = image.mapRectToParent(image.boundingRect())
    assert (box.left(), box.top(), box.width(), box.height()) == (10, 20, 6, 8)
    assert isinstance(image, pg.ImageItem)


def test_cells_keep_their_exact_colours(plot):
    image = CellImage()
    plot.addItem(image)
    rgba = np.full((5, 10, 4), 255, dtype=np.uint8)
    rgba[..., :3] = (200, 30, 60)
    image.show_cells(rgba, left=0, top=0, cell=(1.0, 1.0))
    colour = plot.grab().toImage().pixelColor(at(plot, 5.5, 2.5))
    assert colour.getRgb() == (200, 30, 60, 255)
