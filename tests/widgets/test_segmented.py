import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from widgets.segmented import Segmented


@pytest.fixture
def switch(qtbot):
    made = Segmented([("probability", "probability"), ("content", "content"), ("position", "position")])
    qtbot.addWidget(made)
    return made


def buttons(switch):
    return {button.text(): button for button in switch.findChildren(QPushButton)}


def test_the_first_option_is_on_at_first(switch):
    assert switch.choice() == "probability"


def test_showing_a_choice_is_silent(switch, qtbot):
    with qtbot.assertNotEmitted(switch.chosen):
        switch.show_choice("position")
    assert switch.choice() == "position"
    assert [button.isChecked() for button in buttons(switch).values()] == [False, False, True]


def test_a_click_tells_the_option(switch, qtbot):
    with qtbot.waitSignal(switch.chosen) as told:
        QTest.mouseClick(buttons(switch)["content"], Qt.MouseButton.LeftButton)
    assert told.args == ["content"]
    assert switch.choice() == "content"


def test_the_keyboard_reaches_an_option(switch, qtbot):
    with qtbot.waitSignal(switch.chosen) as told:
        QTest.keyClick(buttons(switch)["position"], Qt.Key.Key_Space)
    assert told.args == ["position"]


def test_a_forbidden_option_cannot_be_clicked(switch, qtbot):
    switch.set_option_enabled("content", enabled=False)
    with qtbot.assertNotEmitted(switch.chosen):
        QTest.mouseClick(buttons(switch)["content"], Qt.MouseButton.LeftButton)
    assert switch.choice() == "probability"


def test_ends_and_middle_are_marked_for_the_style_sheet(switch):
    assert [button.property("segment") for button in buttons(switch).values()] == ["first", "middle", "last"]
