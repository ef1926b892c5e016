"""The top bar says what is open, and asks for everything else."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from widgets.model_chip import ModelChip
from widgets.palette import DARK, LIGHT
from widgets.proof_badge import ProofBadge
from widgets.selection import Selection
from widgets.stepper import Stepper
from widgets.top_bar import TopBar


def _bar(qtbot: QtBot) -> TopBar:
    bar = TopBar()
    qtbot.addWidget(bar)
    bar.resize(1280, 44)
    bar.show()
    return bar


def _words(bar: TopBar) -> list[str]:
    QApplication.processEvents()
    return [label.text() for label in bar.findChildren(QLabel) if label.isVisible()]


def test_open_model_is_described_in_one_line(qtbot: QtBot) -> None:
    bar = _bar(qtbot)
    bar.show_model("loupe-mini", "DeepSeek-V2 family", 10_200_000, 4_100_000, "cpu", "float32")
    words = _words(bar)
    for word in ("loupe-mini", "DeepSeek-V2 family", "10.2 M", "4.1 M active", "CPU", "float32"):
        assert word in words


def test_loading_and_no_model_hide_the_proof(qtbot: QtBot) -> None:
    bar = _bar(qtbot)
    badge = bar.findChild(ProofBadge)
    assert badge is not None
    bar.show_loading("V2-Lite", 0.43)
    assert "opening, 43 %" in _words(bar)
    assert not badge.isVisible()
    bar.show_no_model("no model open")
    assert "no model open" in _words(bar)
    assert "10.2 M" not in _words(bar)


def test_name_that_looks_like_markup_is_shown_as_it_is(qtbot: QtBot) -> None:
    bar = _bar(qtbot)
    bar.show_model("<b>x</b>", "f", 1, 1, "cpu", "float32")
    label = next(label for label in bar.findChildren(QLabel) if label.text() == "<b>x</b>")
    assert label.textFormat() == Qt.TextFormat.PlainText


def test_proof_is_told_in_words_and_colour_and_can_be_asked_for(qtbot: QtBot) -> None:
    bar = _bar(qtbot)
    bar.show_palette(DARK)
    bar.show_proof("passed", "max |Δ| 3.1e-7", "what it means")
    badge = bar.findChild(ProofBadge)
    assert badge is not None
    bar.show_model("m", "f", 1, 1, "cpu", "float32")
    assert badge.accessibleName() == "proved max |Δ| 3.1e-7"
    image = badge.grab().toImage()
    ratio = image.devicePixelRatio()
    assert image.pixelColor(int(16 * ratio), int(14 * ratio)).name() == DARK.good
    with qtbot.waitSignal(bar.proof_wanted, timeout=1000):
        badge.click()


def test_selection_is_shown_and_steps_are_asked_for(qtbot: QtBot) -> None:
    bar = _bar(qtbot)
    bar.show_selection(Selection(layer=5, head=3), 8, 16)
    layer, head = bar.findChildren(Stepper)
    assert (layer.value(), head.value()) == (5, 3)
    asked: list[tuple[str, int]] = []
    bar.layer_chosen.connect(lambda value: asked.append(("layer", value)))
    bar.head_chosen.connect(lambda value: asked.append(("head", value)))
    layer.findChildren(QPushButton)[1].click()
    head.findChildren(QPushButton)[0].click()
    assert asked == [("layer", 6), ("head", 2)]


def test_theme_button_names_the_other_theme(qtbot: QtBot) -> None:
    bar = _bar(qtbot)
    names = []
    for palette in (DARK, LIGHT):
        bar.show_palette(palette)
        names += [button.text() for button in bar.findChildren(QPushButton) if button.text() in ("Light", "Dark")]
    assert names == ["Light", "Dark"]


def test_everything_fits_at_1280_pixels(qtbot: QtBot) -> None:
    bar = _bar(qtbot)
    name = "DeepSeek-Coder-V2-Lite-Instruct"
    bar.show_model(name, "DeepSeek-V2 family", 15_700_000_000, 2_400_000_000, "cuda:0", "bfloat16")
    bar.show_proof("passed", "max |Δ| 3.1e-7", "")
    bar.show_selection(Selection(layer=26, head=15), 27, 16)
    assert bar.minimumSizeHint().width() <= 1280


def test_a_narrow_bar_keeps_name_and_device_whole_and_leaves_the_rest_to_the_tooltip(qtbot: QtBot) -> None:
    bar = _bar(qtbot)
    bar.resize(900, 44)
    bar.show_model("loupe-mini", "DeepSeek-V2", 10_200_000, 4_100_000, "cpu", "float32")
    bar.show_proof("passed", "max |Δ| 8.9e-07", "")
    QApplication.processEvents()
    shown = [label for label in bar.findChildren(QLabel) if label.isVisible()]
    whole = {label.text() for label in shown if label.width() >= label.sizeHint().width()}
    assert {"loupe-mini", "CPU"} <= whole
    assert "10.2 M" not in _words(bar)
    bar.resize(1280, 44)
    assert "10.2 M" in _words(bar)


def test_notes_of_the_model_can_be_read_on_hover(qtbot: QtBot) -> None:
    bar = _bar(qtbot)
    bar.show_model("m", "f", 1, 1, "cpu", "float32", ("auto_map is ignored", "<b>routers</b> decide in float32"))
    chip = bar.findChild(ModelChip)
    assert chip is not None
    assert "auto_map is ignored" in chip.toolTip()
    assert "<" not in chip.toolTip()
