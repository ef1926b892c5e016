"""The shipped figures, as far as they can be held without the corpus."""

import json
from pathlib import Path

import pytest

from model.training.bars import bars
from model.training.printed import printed

SHIPPED = Path(__file__).parents[3] / "resources" / "loupe-mini"


@pytest.fixture(scope="module")
def facts():
    return json.loads((SHIPPED / "report.json").read_text(encoding="utf-8"))


def test_the_page_shows_each_figure_beside_its_bar(facts):
    page = printed(facts)
    assert f"{facts['domain_expert_bits_mean']:8.3f}  ≥ 1.2" in page
    for name, cost in facts["held_out"].items():
        assert f"{name:<16}{cost['bits_per_byte']:8.3f}{cost['xz_bits_per_byte']:8.3f}" in page


def test_a_bar_is_missed_on_its_wrong_side_alone(facts):
    verdicts = [
        {bar.name: bar.holds for bar in bars(dict(facts, domain_expert_bits_mean=bits))} for bits in (1.19, 1.21)
    ]
    changed = [name for name, holds in verdicts[0].items() if holds != verdicts[1][name]]
    assert changed == ["bits between domain and top-1 expert, mean"]


def test_the_card_names_each_bar_that_is_missed(facts):
    card = (SHIPPED / "README.md").read_text(encoding="utf-8")
    for bar in bars(facts):
        assert (f"- {bar.name}: {bar.figure:.3f}" in card) == (not bar.holds)


def test_the_card_says_what_the_report_says(facts):
    card = (SHIPPED / "README.md").read_text(encoding="utf-8")
    assert f"{facts['training']['tokens'] / 1e6:.1f} million tokens" in card
    for name, cost in facts["held_out"].items():
        assert f"| {name} | {cost['bits_per_byte']:.3f} |" in card
    assert facts["samples"][0]["text"] in card
