import numpy as np
import pytest
from PySide6.QtCore import QPointF

from widgets.chart import Chart, ChartData, Series, by_pixel, extent, value_range
from widgets.palette import DARK


def floats(*values):
    return np.array(values, dtype=np.float32)


def test_a_peak_among_a_hundred_thousand_points_keeps_its_height():
    values = np.zeros(131_072, dtype=np.float32)
    values[77_777] = 3.0
    low, high = by_pixel(values, 300)
    assert len(high) == 300
    assert high.max() == 3.0
    assert low.max() == 0.0


def test_few_points_are_drawn_as_they_are():
    values = floats(1, 2, 3)
    assert by_pixel(values, 10)[0] is values


def test_the_range_is_of_the_finite_numbers():
    data = ChartData(title="", series=(Series(values=floats(1, np.nan, np.inf, 2), first=3),), low=None)
    assert value_range(data) == (1.0, pytest.approx(2.04))
    assert extent(data) == (3, 7)


def test_pointing_at_a_chart_tells_the_index_and_pressing_chooses_it(qtbot):
    chart = Chart()
    qtbot.addWidget(chart)
    chart.resize(300, 140)
    chart.show_palette(DARK)
    chart.show_data(ChartData(title="entropy", series=(Series(values=np.arange(8, dtype=np.float32)),)))
    area = chart.area()
    assert chart._index_at(QPointF(area.left() + area.width() * 5.5 / 8, area.center().y())) == 5
    assert chart._index_at(QPointF(2, 2)) is None
    assert chart.accessibleName() == "entropy"


def test_bars_stand_on_zero_in_the_accent(qtbot):
    chart = Chart()
    qtbot.addWidget(chart)
    chart.resize(300, 140)
    chart.show_palette(DARK)
    chart.show_data(ChartData(title="", series=(Series(values=floats(1, 0, 1), bars=True),), high=1.0))
    area, image = chart.area(), chart.grab().toImage()
    middle = area.center().y()
    places = [area.left() + area.width() * share for share in (1 / 6, 1 / 2, 5 / 6)]
    tall = [image.pixelColor(int(x), int(middle)).name() == DARK.accent for x in places]
    assert tall == [True, False, True]
