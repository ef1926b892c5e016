"""Characters that no installed font has are told apart from those that can be drawn."""

from itertools import pairwise

import pytest
from PySide6.QtGui import QFontDatabase

from widgets import scripts
from widgets.scripts import BLOCKS, STARTS, Systems, drawable
from widgets.token_text import visible


@pytest.fixture
def only_latin_and_chinese(qapp, monkeypatch):
    monkeypatch.setattr(QFontDatabase, "writingSystems", lambda: [Systems.Latin, Systems.SimplifiedChinese])
    scripts._present.cache_clear()
    yield
    scripts._present.cache_clear()


def test_the_blocks_are_in_order_and_do_not_overlap():
    assert list(STARTS) == sorted(STARTS)
    assert all(one[1] < other[0] for one, other in pairwise(BLOCKS))


@pytest.mark.parametrize("character", ["a", "é", "明", "😀", "→", "\u2d30"])
def test_scripts_with_a_font_and_those_outside_the_table_are_drawn(only_latin_and_chinese, character):
    assert drawable(character)


@pytest.mark.parametrize(("character", "shown"), [("অ", "‹985›"), ("ж", "‹436›"), ("한", "‹D55C›")])
def test_scripts_without_a_font_are_shown_by_number(only_latin_and_chinese, character, shown):
    assert not drawable(character)
    assert visible(character) == shown
