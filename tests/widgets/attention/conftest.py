import pytest

from widgets.attention.attention_view import AttentionView
from widgets.palette import DARK
from widgets.selection import Selection

from .hand import gallery, profile, texts, whole_map


@pytest.fixture
def view(qtbot):
    """A view of twelve tokens, token 7 and head 3 selected."""
    made = AttentionView()
    qtbot.addWidget(made)
    made.show_palette(DARK)
    made.resize(680, 390)
    made.show_tokens(texts(12))
    made.show_map(whole_map())
    made.show_gallery(gallery())
    made.show_row(profile())
    made.show_selection(Selection(token=7, layer=5, head=3))
    made.grab()
    return made
