"""The model card's sheet: rows, card and licence, all of it plain text, never wider than its frame."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QScrollArea

from widgets.model_card import CardFacts, ModelCard
from widgets.palette import DARK, LIGHT

WIDE = "|" + "|".join("many words in one cell " * 4 for _ in range(6)) + "|"
HOSTILE = (
    f"{WIDE}\n|-|-|-|-|-|-|\n{WIDE}\n\n<b>bold</b>\n\n| <i>a</i> | b |\n|---|---|\n| 1 | 2 |\n\n"
    + "https://example.org/"
    + "x" * 3000
)


def facts(**changes) -> CardFacts:
    values = {"name": "tiny", "path": "/models/tiny", "rows": (("size", "8 M"),), "card": "# Tiny\n\nA model."}
    return CardFacts(**(values | changes))


@pytest.fixture
def card(qtbot) -> ModelCard:
    card = ModelCard()
    qtbot.addWidget(card)
    card.resize(620, 480)
    card.show_palette(LIGHT)
    return card


def test_rows_front_matter_card_and_licence_stand_below_each_other(card):
    card.show_facts(
        facts(card="---\nlicense: mit\n---\n# Tiny\n\n- one", licence="Permission is granted", notes=("Odd.",))
    )
    assert card.texts() == [
        *("size", "8 M", "licence", "mit", "·  Odd.", "Tiny", "·  one", "Licence", "Permission is granted"),
    ]  # fmt: skip
    assert card.accessibleName() == "Model card of tiny"


def test_a_folder_without_a_card_says_so(card):
    card.show_facts(facts(card=""))
    assert "There is no card" in card.texts()[-1]


def test_outside_text_is_plain_and_never_widens_the_sheet(card, qtbot):
    card.show_facts(facts(card=HOSTILE, licence="<h1>x</h1>" + "y" * 5000))
    card.show()
    qtbot.waitExposed(card)
    labels = card.findChildren(QLabel)
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in labels)
    scroll = card.findChild(QScrollArea)
    assert scroll.widget().width() <= scroll.viewport().width()
    assert scroll.widget().height() > scroll.viewport().height()


def test_escape_and_the_button_close_it_and_keys_turn_pages(card, qtbot):
    closed = []
    card.closed.connect(lambda: closed.append(True))
    card.show_facts(facts(card="word\n\n" * 200))
    card.show()
    qtbot.waitExposed(card)
    bar = card.findChild(QScrollArea).verticalScrollBar()
    qtbot.keyClick(card, Qt.Key.Key_PageDown)
    assert bar.value() == bar.pageStep()
    qtbot.keyClick(card, Qt.Key.Key_Escape)
    next(each for each in card.findChildren(QPushButton) if each.text() == "Close").click()
    assert closed == [True, True]


def test_the_same_facts_are_not_laid_out_again_and_the_theme_is_worn(card):
    card.show_facts(facts())
    inside = card.findChild(QScrollArea).widget()
    card.show_facts(facts())
    assert card.findChild(QScrollArea).widget() is inside
    light = card.grab().toImage()
    card.show_palette(DARK)
    assert card.grab().toImage() != light
