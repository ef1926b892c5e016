"""The stepper asks for numbers and shows only what it is given."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from widgets.stepper import Stepper


def _stepper(qtbot: QtBot, *, value: int, count: int) -> tuple[Stepper, list[int]]:
    stepper = Stepper("Layer")
    qtbot.addWidget(stepper)
    stepper.show_value(value, count=count)
    asked: list[int] = []
    stepper.chosen.connect(asked.append)
    return stepper, asked


def test_arrow_asks_for_the_next_number_and_keeps_showing_this_one(qtbot: QtBot) -> None:
    stepper, asked = _stepper(qtbot, value=5, count=8)
    stepper.findChildren(QPushButton)[1].click()
    assert asked == [6]
    assert stepper.value() == 5


def test_arrows_end_at_both_ends(qtbot: QtBot) -> None:
    stepper, _ = _stepper(qtbot, value=0, count=1)
    assert [button.isEnabled() for button in stepper.findChildren(QPushButton)] == [False, False]


def test_typed_number_is_asked_for_on_enter_and_bounded(qtbot: QtBot) -> None:
    stepper, asked = _stepper(qtbot, value=5, count=8)
    number = stepper.findChild(QLineEdit)
    assert number is not None
    number.setText("12")
    qtbot.keyClick(number, Qt.Key.Key_Return)
    assert asked == [7]
    assert number.text() == "5"


def test_up_and_down_keys_step(qtbot: QtBot) -> None:
    stepper, asked = _stepper(qtbot, value=5, count=8)
    number = stepper.findChild(QLineEdit)
    assert number is not None
    qtbot.keyClick(number, Qt.Key.Key_Up)
    qtbot.keyClick(number, Qt.Key.Key_Down)
    assert asked == [6, 4]


def test_nothing_to_choose_shows_no_number(qtbot: QtBot) -> None:
    stepper, asked = _stepper(qtbot, value=0, count=0)
    number = stepper.findChild(QLineEdit)
    assert number is not None
    assert number.text() == ""
    qtbot.keyClick(number, Qt.Key.Key_Up)
    assert asked == []
