import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtTest import QTest

from widgets.attention.head_gallery import GAP, LARGEST, Thumbnails, grid, grid_height
from widgets.palette import DARK, sequential_table

from .hand import gallery, mouse


@pytest.fixture
def thumbnails(qtbot):
    made = Thumbnails()
    qtbot.addWidget(made)
    made.show_palette(DARK)
    made.show_gallery(gallery())
    made.resize(230, 140)
    made.arrange(230, 140)
    return made


@given(st.integers(1, 128), st.integers(40, 800), st.integers(30, 800))
def test_thumbnails_never_leave_their_column(count, width, height):
    columns, side = grid(count, width=width, height=height)
    assert columns >= 1
    assert 12 <= side <= LARGEST
    assert columns * side + (columns - 1) * GAP <= width


def test_eight_heads_stand_in_two_full_rows():
    columns, side = grid(8, width=230, height=130)
    assert columns == 4
    assert grid_height(8, columns=columns, side=side) <= 130


def test_many_heads_shrink_and_then_scroll():
    columns, side = grid(128, width=230, height=130)
    assert side < 30
    assert grid_height(128, columns=columns, side=side) > 130


def test_the_chosen_head_is_framed(thumbnails):
    thumbnails.show_head(2)
    image = thumbnails.grab().toImage()
    box = thumbnails.box(2)
    assert image.pixelColor(box.center().x(), box.top() + 1).name() == DARK.accent
    other = thumbnails.box(3)
    assert image.pixelColor(other.center().x(), other.top() + 1).name() == DARK.background


def test_each_thumbnail_shows_its_own_head(thumbnails):
    thumbnails.show_head(-1)
    image, table = thumbnails.grab().toImage(), sequential_table(DARK.sequential)
    for head in (1, 7):
        box = thumbnails.box(head)
        place = int(((head + 1) / 8) ** 0.5 * 255 + 0.5)
        assert image.pixelColor(box.left() + 3, box.bottom() - 3).getRgb() == tuple(table[place].tolist())


def test_a_click_tells_the_head(thumbnails, qtbot):
    with qtbot.waitSignal(thumbnails.head_chosen) as told:
        mouse(thumbnails, QEvent.Type.MouseButtonPress, QPointF(thumbnails.box(6).center()), held=True)
    assert told.args == [6]


@pytest.mark.parametrize(("key", "head"), [(Qt.Key.Key_Left, 1), (Qt.Key.Key_Right, 3), (Qt.Key.Key_Down, 6)])
def test_arrows_move_through_the_grid(thumbnails, qtbot, key, head):
    thumbnails.show_head(2)
    with qtbot.waitSignal(thumbnails.head_chosen) as told:
        QTest.keyClick(thumbnails, key)
    assert told.args == [head]


def test_arrows_stop_at_the_ends(thumbnails, qtbot):
    thumbnails.show_head(0)
    with qtbot.assertNotEmitted(thumbnails.head_chosen):
        QTest.keyClick(thumbnails, Qt.Key.Key_Up)


def test_hovering_tells_the_head(thumbnails, qtbot):
    with qtbot.waitSignal(thumbnails.head_hovered) as told:
        mouse(thumbnails, QEvent.Type.MouseMove, QPointF(thumbnails.box(5).center()))
    assert told.args == [5]
    with qtbot.waitSignal(thumbnails.head_hovered) as told:
        thumbnails.leaveEvent(QEvent(QEvent.Type.Leave))
    assert told.args == [None]


def test_no_gallery_paints_nothing(thumbnails):
    thumbnails.show_gallery(None)
    assert thumbnails.count() == 0
    assert not thumbnails.grab().isNull()
