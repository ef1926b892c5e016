"""The attention study's panel: what it says, asks for, and how it is used without a mouse."""

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from model.study_report import PaperRow, StudiedModel, StudyReport
from widgets.palette import DARK, LIGHT
from widgets.study.data import KINDS, Growth
from widgets.study.study_plots import GrowthPlot, LossPlot, ReadsPlot
from widgets.study.study_table import StudyTable, columns_of
from widgets.study.study_view import StudyView
from widgets.study.study_words import answer, curve_line

BYTES = {"mha": 2048, "gqa": 512, "mqa": 256, "mla": 576}


def report() -> StudyReport:
    models = [
        StudiedModel(
            kind=kind,  # type: ignore[arg-type]
            model_type="glm4_moe",
            parameters=1_245_000 + place,
            parameters_active=1_000_000,
            dense_width=320,
            kv_bytes_formula=BYTES[kind],
            kv_bytes_measured=float(BYTES[kind]),
            held_out={"tales": [2.0, 2.1], "laws": [3.0, 3.3]},
            induction=[0.5, 0.7],
            repetition_gain=[1.0, 2.0],
            tokens_per_second={"64": 900.4, "2048": 400.0},
            training_seconds=[1, 2],
        )
        for place, kind in enumerate(KINDS)
    ]
    paper = [PaperRow("Table 9", "elements", {"mha": "110.6K", "mla": "15.6K"})]
    return StudyReport(1, "a card", "a CPU", 9000, [20, 21], models, paper)


def growth(held: int = 5, per_token: int = 576) -> Growth:
    tokens = np.arange(3, held + 1)
    reads = np.tile(np.arange(held, 0, -1), (4, 1))
    return Growth(tokens, tokens * 0 + 70_000, tokens * per_token, per_token, reads, np.ones((4, held), np.int64))


@pytest.fixture
def view(qtbot: QtBot) -> StudyView:
    made = StudyView()
    qtbot.addWidget(made)
    made.show_palette(DARK)
    made.resize(1100, 800)
    return made


def test_it_is_empty_until_there_is_a_report_and_says_what_is_shown(view: StudyView) -> None:
    assert view.is_empty()
    view.clear("report.json is missing")
    assert view.accessibleDescription() == "report.json is missing"
    view.show_report(report())
    assert not view.is_empty()
    assert "9,000 tokens each · 2 seeds · trained on a card" in view.sentence()


def test_the_table_has_mean_and_spread_of_all_seeds_and_both_kinds_of_bytes() -> None:
    cells = [column.cells["mla"] for column in columns_of(report())]
    assert cells == ["1,245,003", "576", "576", "2.6000 ± 0.1000", "0.60 ± 0.10", "900", "400"]


def test_the_counts_answer_why_q_is_not_cached() -> None:
    told = answer(growth(), "mla")
    assert "5 tokens: the first token's entry was read again 4 times" in told
    assert "on average 2.0 times, 15 readings in each layer" in told
    assert "query was used once" in told
    assert "Run a prompt" in answer(None, "mla")


def test_bytes_are_exact_held_used_and_by_formula() -> None:
    assert curve_line(growth(), "gqa") == ("GQA, 2 groups at 5 tokens: held 70,000 B, used 2,880 B, by formula 2,880 B")
    assert curve_line(growth(), "mla", at=9) == ""


def test_the_button_runs_and_stops_and_return_does_the_same(view: StudyView, qtbot: QtBot) -> None:
    view.show_report(report())
    with qtbot.waitSignal(view.compare_wanted) as asked:
        view._button.click()
    assert asked.args == [view.prompt()]
    with qtbot.waitSignal(view.compare_wanted):
        qtbot.keyClick(view._prompt, Qt.Key.Key_Return)
    view.show_running(True)
    with qtbot.waitSignal(view.stop_wanted):
        view._button.click()


def test_arrow_keys_choose_whose_counts_are_drawn(view: StudyView, qtbot: QtBot) -> None:
    view.show_report(report())
    view.show_curves({kind: growth(per_token=BYTES[kind]) for kind in KINDS}, {"mla": "a king\nof rain"})
    table = view.findChild(StudyTable)
    with qtbot.waitSignal(table.kind_chosen) as chosen:
        qtbot.keyClick(table, Qt.Key.Key_Up)
    assert chosen.args == ["mqa"]
    assert "MQA at 5 tokens" in view.sentence()


def test_it_paints_in_both_themes_and_fits_again(view: StudyView) -> None:
    view.show_report(report())
    view.show_curves({kind: growth(per_token=BYTES[kind]) for kind in KINDS}, {})
    pictures = []
    for palette in (DARK, LIGHT):
        view.show_palette(palette)
        pictures.append(view.grab().toImage())
    assert pictures[0] != pictures[1]
    plot = view.findChild(LossPlot)
    plot.getViewBox().setRange(xRange=(0, 1))
    plot.fit()
    assert plot.getViewBox().viewRange()[0][1] > 3.3


def test_plots_without_data_say_what_will_come_and_have_no_numbers(qtbot: QtBot) -> None:
    grown, read = GrowthPlot(), ReadsPlot()
    for plot, nothing, something in (
        (grown, lambda: grown.show_curves({}), lambda: grown.show_curves({"mla": growth()})),
        (read, lambda: read.show_growth(None), lambda: read.show_growth(growth())),
    ):
        qtbot.addWidget(plot)
        nothing()
        assert [text.startswith("Run the prompt: ") for text in _texts(plot)] == [True]
        assert not plot.getAxis("left").style["showValues"]
        something()
        assert not any(text.startswith("Run the prompt: ") for text in _texts(plot))
        assert plot.getAxis("left").style["showValues"]


def _texts(plot: pg.PlotWidget) -> list[str]:
    return [item.toPlainText() for item in plot.getPlotItem().items if isinstance(item, pg.TextItem)]
