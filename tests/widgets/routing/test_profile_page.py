"""The profile page: numbers of a hand-made profile, where they are drawn, and how an expert is chosen."""

import numpy as np
import pytest
from PySide6.QtCore import Qt

from model.expert_profile import ExpertCounts, ExpertProfile, LayerProfile, TypicalToken
from widgets.palette import DARK
from widgets.routing.profile_data import LIFT_FLOOR, layer_domains, log_lifts
from widgets.routing.profile_layout import lay_out
from widgets.routing.profile_line import ProfileLine
from widgets.routing.profile_page import ProfilePage
from widgets.routing.routing_view import RoutingView
from widgets.selection import Selection

PROFILE = ExpertProfile(
    model="tiny",
    fingerprint="f",
    texts="held-out texts",
    domains=["en", "fr", "<b>zh</b>"],
    domain_tokens=[1000, 1000, 500],
    layers=[
        LayerProfile(
            1,
            [
                ExpertCounts([100, 800, 0], [TypicalToken(" de", 90, 100, 3, 20), TypicalToken("\n", 5, 9, 1.5, 3)]),
                ExpertCounts([500, 100, 300]),
                ExpertCounts([400, 100, 200]),
                ExpertCounts([0, 0, 0]),
            ],
        )
    ],
)  # fmt: skip


@pytest.fixture
def layer():
    return layer_domains(PROFILE, 1)


@pytest.fixture
def page(qtbot, layer) -> ProfilePage:
    page = ProfilePage()
    qtbot.addWidget(page)
    page.resize(520, 300)
    page.show_palette(DARK)
    page.show_layer(layer)
    page.show()
    return page


def test_rates_are_shares_of_each_domain_and_domains_count_alike(layer):
    np.testing.assert_allclose(layer.rates[0], [0.1, 0.8, 0.0])
    np.testing.assert_allclose(layer.overall, [0.3, 0.4, 0.3, 0.0], atol=1e-12)  # not 900 of 2,500
    np.testing.assert_allclose(layer.lifts()[0], [1 / 3, 8 / 3, 0.0])
    assert layer.strongest(0) == 1
    assert layer.tokens == 2500
    assert layer_domains(PROFILE, 0) is None


def test_log_lifts_end_at_a_floor_and_never_are_nan(layer):
    values = log_lifts(layer)
    assert values[0, 1] == pytest.approx(np.log2(8 / 3))
    assert values[0, 2] == pytest.approx(np.log2(LIFT_FLOOR))
    assert np.isfinite(values).all()


@pytest.mark.parametrize("size", [(300, 180), (520, 300), (1600, 900)])
@pytest.mark.parametrize(("experts", "domains"), [(4, 3), (16, 12), (256, 12)])
def test_every_cell_and_bar_lies_inside_the_page_and_is_found_under_the_cursor(size, experts, domains):
    place = lay_out(*size, experts=experts, domains=domains)
    for expert, domain in ((0, 0), (experts - 1, domains - 1), (experts // 2, domains // 2)):
        centre = place.cell(expert, domain).center()
        assert place.at(centre.x(), centre.y()) == (expert, domain)
    assert place.at(2.0, place.row(1)[0] + 1) == (None, 1)
    assert place.at(2.0, 2.0) is None
    assert place.cells.right() < place.bars.left()
    assert place.bar(0, 0.5, full=0.5).width() == pytest.approx(place.bars.width())
    assert place.bar(0, 0.25, full=0.5).width() == pytest.approx(place.bars.width() / 2)


def test_a_click_and_the_arrows_choose_an_expert(page, qtbot):
    chosen = []
    page.expert_chosen.connect(chosen.append)
    cell = lay_out(page.width(), page.height(), experts=4, domains=3).cell(2, 1)
    qtbot.mouseClick(page, Qt.MouseButton.LeftButton, pos=cell.center().toPoint())
    page.show_expert(2)
    qtbot.keyClick(page, Qt.Key.Key_Right)
    page.show_expert(3)
    qtbot.keyClick(page, Qt.Key.Key_Right)
    qtbot.keyClick(page, Qt.Key.Key_Left)
    assert chosen == [2, 3, 2]


def test_the_hover_tells_the_exact_share(page, qtbot, layer):
    said = []
    page.hovered_text.connect(said.append)
    cell = lay_out(page.width(), page.height(), experts=4, domains=3).cell(0, 1)
    qtbot.mouseMove(page, cell.center().toPoint())
    assert "expert 0: chosen by 80.0 % of fr's 1,000 tokens, 30.0 % over all domains" in said[-1]


def test_the_chips_are_the_selected_experts_tokens_made_visible(page):
    assert page.chips() == []
    page.show_expert(0)
    assert page.chips() == [("de", "×3.0"), ("↵", "×1.5")]
    page.show_expert(99)
    assert page.chips() == []


def test_what_is_selected_changes_the_picture(page):
    empty = page.grab().toImage()
    page.show_expert(0)
    first = page.grab().toImage()
    page.show_expert(3)  # never chosen: all shares are nought
    assert empty != first
    assert first != page.grab().toImage()


def test_the_selected_column_keeps_its_colours(page):
    centre = lay_out(page.width(), page.height(), experts=4, domains=3).cell(0, 1).center().toPoint()
    before = page.grab().toImage().pixelColor(centre)
    page.show_expert(0)
    assert page.grab().toImage().pixelColor(centre) == before
    assert before != DARK.colour("surface")


def test_the_line_tells_the_expert_in_a_sentence(qtbot, layer):
    line = ProfileLine()
    qtbot.addWidget(line)
    line.show_expert(layer, 0)
    told = line.full_text()
    assert told == "expert 0: 80 % of fr, 30 % of all · “de”  “↵” · 2,500 tokens of held-out texts"
    line.show_expert(layer, 4)
    assert line.isHidden()
    line.show_expert(layer, 0)
    line.show_expert(None, 0)
    assert line.isHidden()


def test_the_routing_view_shows_the_profile_before_any_run_and_says_what_to_do_without_one(qtbot, layer):
    view = RoutingView()
    qtbot.addWidget(view)
    view.show_mode("profile")
    view.show_profile(None, "Profile them first.")
    assert view.is_empty()
    assert view.accessibleDescription() == "Profile them first."
    view.show_profile(layer, "")
    view.show_selection(Selection(layer=1, expert=0))
    assert not view.is_empty()
    assert view.sentence().startswith("layer 1 · domain × expert · 2,500 tokens of held-out texts")
    view.show_mode("tokens")
    assert view.is_empty()
