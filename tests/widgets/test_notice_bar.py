"""Notices queue, show the newest with their count, and take no room when there are none."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from widgets.notice_bar import NoticeBar
from widgets.palette import DARK


@pytest.fixture
def host(qtbot: QtBot) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    return made


@pytest.fixture
def bar(host: QWidget) -> NoticeBar:
    column = QVBoxLayout(host)
    made = NoticeBar(host)
    column.addWidget(made)
    column.addStretch(1)
    host.resize(900, 200)
    host.show()
    return made


def _button(bar: NoticeBar, text: str) -> QPushButton:
    return next(button for button in bar.findChildren(QPushButton) if button.text() == text)


def test_empty_bar_is_hidden(qtbot: QtBot, bar: NoticeBar) -> None:
    assert not bar.isVisible()
    bar.show_notice("text", tone="info", action=None, key="a")
    assert bar.isVisible()
    bar.dismiss()
    assert not bar.isVisible()
    bar.dismiss()
    assert bar.current() is None


def test_newest_notice_is_in_front_and_the_others_are_counted(qtbot: QtBot, bar: NoticeBar) -> None:
    for key in ("a", "b", "c"):
        bar.show_notice(f"notice {key}", tone="warn", action=None, key=key)
    words = [label.text() for label in bar.findChildren(QLabel) if label.isVisible()]
    assert words == ["notice c", "+ 2 more"]
    bar.dismiss("b")
    bar.dismiss()
    current = bar.current()
    assert current is not None
    assert current.key == "a"


def test_same_key_replaces_instead_of_piling_up(qtbot: QtBot, bar: NoticeBar) -> None:
    bar.show_notice("first", tone="warn", action=None, key="a")
    bar.show_notice("second", tone="error", action="Retry", key="a")
    current = bar.current()
    assert current is not None
    assert current.text == "second"
    bar.dismiss("a")
    assert bar.current() is None


def test_action_tells_its_key_and_closing_says_which(qtbot: QtBot, bar: NoticeBar) -> None:
    bar.show_notice("The engine stopped.", tone="error", action="Restart", key="engine")
    with qtbot.waitSignal(bar.action_chosen, timeout=1000) as told:
        _button(bar, "Restart").click()
    assert told.args == ["engine"]
    with qtbot.waitSignal(bar.dismissed, timeout=1000) as closed:
        _button(bar, "×").click()
    assert closed.args == ["engine"]
    assert not bar.isVisible()


def test_markup_is_shown_literally_and_endless_text_is_bounded(qtbot: QtBot, bar: NoticeBar) -> None:
    bar.show_notice("<img src=x>" + "y" * 5000, tone="info", action=None, key="a")
    label = next(label for label in bar.findChildren(QLabel) if label.text().startswith("<img"))
    assert label.textFormat() == Qt.TextFormat.PlainText
    assert len(label.text()) <= 1500


def test_edge_has_the_colour_of_its_tone(qtbot: QtBot, bar: NoticeBar) -> None:
    bar.show_palette(DARK)
    bar.show_notice("text", tone="error", action=None, key="a")
    bar.resize(400, 40)
    image = bar.grab().toImage()
    assert image.pixelColor(image.width() // 2, 0).name() == DARK.bad
