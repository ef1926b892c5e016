import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton

from widgets.panel import HEADER_HEIGHT, ElidedLabel, Panel


@pytest.fixture
def panel(qtbot):
    made = Panel("Attention")
    qtbot.addWidget(made)
    made.resize(400, 300)
    made.set_body(QLabel("body"))
    return made


def test_a_panel_is_named_for_screen_readers(panel):
    assert panel.title() == "Attention"
    assert panel.accessibleName() == "Attention"


def test_the_sentence_is_also_the_accessible_description(panel):
    panel.show_sentence("layer 5 · head 3 · 46 × 46 tokens, every cell")
    assert panel.sentence() == "layer 5 · head 3 · 46 × 46 tokens, every cell"
    assert panel.accessibleDescription() == panel.sentence()
    assert not panel.is_empty()


def test_a_hint_takes_the_place_of_body_and_sentence(panel):
    panel.show_sentence("something")
    panel.show_hint("Type a prompt.")
    assert panel.is_empty()
    assert panel.sentence() == ""
    assert panel.accessibleDescription() == "Type a prompt."


def test_a_sentence_brings_the_body_back(panel):
    panel.show_hint("Type a prompt.")
    panel.show_sentence("layer 1")
    assert not panel.is_empty()


def test_markup_in_a_hint_is_shown_as_it_is(panel):
    panel.show_hint("<b>not bold</b>")
    hints = [label for label in panel.findChildren(QLabel) if label.text() == "<b>not bold</b>"]
    assert [label.textFormat() for label in hints] == [Qt.TextFormat.PlainText]


def test_tools_stand_at_the_right_end_of_the_header(panel):
    tool = QPushButton("max")
    panel.add_tool(tool)
    panel.grab()
    assert panel.header.height() == HEADER_HEIGHT
    assert panel.header.rect().contains(tool.geometry())
    assert tool.geometry().right() > panel.header.width() - 16


def test_a_long_sentence_never_widens_the_panel(panel):
    before = panel.minimumSizeHint().width()
    panel.show_sentence("very long " * 200)
    assert panel.minimumSizeHint().width() == before


def test_an_elided_label_keeps_its_whole_text_as_tooltip_without_markup(qtbot):
    label = ElidedLabel()
    qtbot.addWidget(label)
    label.resize(60, 20)
    label.set_full_text("<b>a sentence that does not fit</b>")
    assert label.text().endswith("…")
    assert label.full_text() == "<b>a sentence that does not fit</b>"
    assert "<" not in label.toolTip()


def test_an_elided_label_shows_everything_once_there_is_room(qtbot):
    label = ElidedLabel("a few words")
    qtbot.addWidget(label)
    label.resize(20, 20)
    label.grab()
    label.resize(400, 20)
    label.grab()
    assert label.text() == "a few words"
    assert label.toolTip() == ""


def test_a_narrow_panel_says_its_sentence_below_the_header(panel):
    panel.show_sentence("layer 5 · head 3 · 46 × 46 tokens, every cell")
    panel.grab()
    below = [label for label in panel.findChildren(ElidedLabel) if not label.isHidden() and label.text()]
    assert [label.text() for label in below] == ["layer 5 · head 3 · 46 × 46 tokens, every cell"]
    assert not panel.header.isAncestorOf(below[0])
    panel.resize(800, 300)
    panel.grab()
    shown = [label for label in panel.findChildren(ElidedLabel) if not label.isHidden() and label.text()]
    assert len(shown) == 1
    assert panel.header.isAncestorOf(shown[0])
    panel.resize(400, 300)
    panel.show_hint("Run a prompt.")
    assert below[0].isHidden()
