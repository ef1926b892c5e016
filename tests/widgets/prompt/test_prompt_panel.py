"""The prompt panel: the text is kept exactly, requests carry every setting, large texts are held."""

import time

import pytest
from PySide6.QtCore import QMimeData, Qt
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QPlainTextEdit, QPushButton
from pytestqt.qtbot import QtBot

from model.config import Sampling
from widgets.palette import DARK
from widgets.prompt.prompt_editor import PromptEditor
from widgets.prompt.prompt_panel import PromptPanel
from widgets.prompt.prompt_request import PromptRequest
from widgets.prompt.run_list import RunList
from widgets.prompt.sampling_controls import SamplingControls, sampling_words
from widgets.prompt.transcript import Transcript


@pytest.fixture
def panel(qtbot: QtBot) -> PromptPanel:
    made = PromptPanel()
    qtbot.addWidget(made)
    made.show_palette(DARK)
    made.resize(288, 800)
    made.show()
    return made


def _editor(panel: PromptPanel) -> PromptEditor:
    editor = panel.findChild(PromptEditor)
    assert editor is not None
    return editor


def _paste(panel: PromptPanel, text: str) -> None:
    data = QMimeData()
    data.setText(text)
    _editor(panel).insertFromMimeData(data)


def _words(panel: PromptPanel) -> str:
    return "\n".join(label.text() for label in panel.findChildren(QLabel) if label.isVisible())


def _button(panel: PromptPanel, text: str) -> QPushButton:
    return next(button for button in panel.findChildren(QPushButton) if button.text() == text)


def test_control_enter_submits_exactly_what_was_typed(panel: PromptPanel, qtbot: QtBot) -> None:
    qtbot.keyClicks(_editor(panel), "The king said ")
    _paste(panel, "«non\u00a0break»\n中文 <b>")
    with qtbot.waitSignal(panel.submitted, timeout=1000) as told:
        qtbot.keyClick(_editor(panel), Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert told.args == [PromptRequest("The king said «non\u00a0break»\n中文 <b>", None, 48, Sampling())]


def test_plain_enter_is_a_new_line(panel: PromptPanel, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(panel.submitted):
        qtbot.keyClick(_editor(panel), Qt.Key.Key_Return)
    assert panel.prompt() == "\n"


def test_one_button_runs_and_stops_without_moving(panel: PromptPanel, qtbot: QtBot) -> None:
    panel.set_prompt("x")
    button = _button(panel, "Run")
    before = button.geometry()
    with qtbot.waitSignal(panel.submitted, timeout=1000):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    panel.show_running(True)
    QApplication.processEvents()
    assert button.text() == "Stop"
    assert button.geometry() == before
    with qtbot.waitSignal(panel.stop_wanted, timeout=1000), qtbot.assertNotEmitted(panel.submitted):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_sampling_settings_travel_with_the_request(panel: PromptPanel) -> None:
    wanted = Sampling(temperature=0.8, top_p=0.95, top_k=40, seed=7)
    panel.show_sampling(wanted, max_new_tokens=5)
    request = panel.request()
    assert request is not None
    assert (request.sampling, request.max_new_tokens) == (wanted, 5)


def test_sampling_numbers_cannot_leave_their_ranges(panel: PromptPanel) -> None:
    controls = panel.findChild(SamplingControls)
    assert controls is not None
    controls.show_sampling(Sampling(temperature=500.0, top_p=0.0, top_k=-3, seed=-1))
    assert controls.sampling() == Sampling(temperature=100.0, top_p=0.01, top_k=0, seed=0)
    assert controls.sampling().problem() is None


def test_sampling_is_put_into_a_few_words() -> None:
    assert sampling_words(Sampling(), greedy="Greedy") == "Greedy"
    words = sampling_words(Sampling(temperature=0.8, top_p=0.95, top_k=40), greedy="Greedy")
    assert words == "T 0.8 · p 0.95 · k 40"


def test_sampling_numbers_open_below_their_button(panel: PromptPanel) -> None:
    controls = panel.findChild(SamplingControls)
    assert controls is not None
    assert not controls.isVisible()
    _button(panel, "Greedy ▾").click()
    assert controls.isVisible()
    assert _button(panel, "Greedy ▴").isChecked()


def test_token_ids_are_taken_when_there_is_no_tokenizer(panel: PromptPanel) -> None:
    panel.show_tokenizer(False)
    panel.set_prompt("5, 7, 9")
    request = panel.request()
    assert request is not None
    assert (request.prompt, request.token_ids) == (None, (5, 7, 9))


def test_wrong_token_id_is_named_beside_the_editor_and_nothing_runs(panel: PromptPanel, qtbot: QtBot) -> None:
    panel.show_tokenizer(False)
    panel.set_prompt("5, 7, nine")
    with qtbot.assertNotEmitted(panel.submitted):
        _button(panel, "Run").click()
    assert '"nine" (word 3)' in _words(panel)
    panel.set_prompt("5, 7, 9")
    assert "nine" not in _words(panel)


def test_sample_replaces_the_prompt_and_undo_brings_it_back(panel: PromptPanel) -> None:
    panel.set_samples([("English", "A & B", "Once upon a time"), ("中文", "诗词", "春眠不覺曉")])
    panel.set_prompt("mine")
    _button(panel, "A && B").click()
    assert panel.prompt() == "Once upon a time"
    _editor(panel).undo()
    assert panel.prompt() == "mine"


def test_long_line_switches_wrapping_off_and_a_short_one_on_again(panel: PromptPanel) -> None:
    modes = QPlainTextEdit.LineWrapMode
    _paste(panel, "x" * 20_001)
    assert _editor(panel).lineWrapMode() == modes.NoWrap
    panel.set_prompt("short")
    assert _editor(panel).lineWrapMode() == modes.WidgetWidth


def test_million_characters_in_one_line_are_held_at_once_and_sent_whole(panel: PromptPanel) -> None:
    panel.set_prompt("before ")
    text = "w" * 1_000_000
    start = time.thread_time()
    _paste(panel, text)
    QApplication.processEvents()
    assert time.thread_time() - start < 0.6  # of the processor; laid out as one line it takes many seconds
    assert "1 M characters are held" in _words(panel)
    request = panel.request()
    assert request is not None
    assert request.prompt == "before " + text
    _button(panel, "Remove it").click()
    assert panel.prompt() == "before "


def test_text_around_the_cursor_is_kept_when_a_paste_is_held(panel: PromptPanel) -> None:
    panel.set_prompt("😀ab")
    cursor = _editor(panel).textCursor()
    cursor.setPosition(3)
    _editor(panel).setTextCursor(cursor)
    _paste(panel, "w" * 60_000)
    assert panel.prompt() == "😀a" + "w" * 60_000 + "b"


def test_text_beyond_the_limit_is_refused_with_both_sizes(panel: PromptPanel) -> None:
    panel.set_prompt("mine")
    _paste(panel, "é" * 1_100_000)
    assert panel.prompt() == "mine"
    assert "2.2 MB" in _words(panel)
    assert "at most 2 MB" in _words(panel)


def test_text_grows_at_its_end_without_being_written_anew(panel: PromptPanel) -> None:
    transcript = panel.findChild(Transcript)
    assert transcript is not None
    panel.show_text("The king", " said")
    removed: list[int] = []
    transcript.document().contentsChange.connect(lambda _place, gone, _added: removed.append(gone))
    panel.show_text("The king", " said <b>no</b>")
    assert transcript.toPlainText() == "The king said <b>no</b>"
    assert removed == [0]
    panel.show_text("Another", "")
    assert transcript.toPlainText() == "Another"


def test_prompt_is_muted_and_generated_text_in_full_ink(panel: PromptPanel) -> None:
    transcript = panel.findChild(Transcript)
    assert transcript is not None
    panel.show_text("ab", "cd")
    cursor = transcript.textCursor()
    inks = []
    for place in (1, 3):
        cursor.setPosition(place)
        inks.append(cursor.charFormat().foreground().color().name())
    assert inks == [DARK.muted, DARK.text]


def test_huge_prompt_shows_its_two_ends(panel: PromptPanel) -> None:
    transcript = panel.findChild(Transcript)
    assert transcript is not None
    panel.show_text("a" * 500_000 + "z" * 500_000, "!")
    shown = transcript.toPlainText()
    assert len(shown) < 17_000
    assert shown.startswith("aaa")
    assert shown.endswith("zz!")
    assert "994,000 characters" in shown


def test_endless_paragraph_is_drawn_in_parts_and_copied_whole(panel: PromptPanel) -> None:
    transcript = panel.findChild(Transcript)
    assert transcript is not None
    text = "中" * 30_000 + "\nnew line\n"
    for end in range(3_000, len(text) + 3_000, 3_000):
        panel.show_text("prompt\n", text[:end])
    assert transcript.text() == "prompt\n" + text
    assert max(len(line) for line in transcript.toPlainText().split("\n")) < 10_000
    transcript.selectAll()
    assert transcript.createMimeDataFromSelection().text() == "prompt\n" + text


def test_part_of_the_text_can_be_copied(panel: PromptPanel) -> None:
    transcript = panel.findChild(Transcript)
    assert transcript is not None
    panel.show_text("one\ntwo", "\nthree")
    cursor = transcript.textCursor()
    cursor.setPosition(2)
    cursor.setPosition(10, cursor.MoveMode.KeepAnchor)
    transcript.setTextCursor(cursor)
    assert transcript.createMimeDataFromSelection().text() == "e\ntwo\nth"


def test_runs_are_listed_and_asked_for(panel: PromptPanel, qtbot: QtBot) -> None:
    runs = panel.findChild(RunList)
    assert runs is not None
    panel.show_runs([("a", "this run", "14 + 29 tokens", True), ("b", "long\n.txt", "8,192 + 0", False)])
    assert [runs.item(row).text() for row in range(runs.count())] == ["this run", "long↵.txt"]
    place = runs.visualItemRect(runs.item(1)).center()
    with qtbot.waitSignal(panel.run_chosen, timeout=1000) as told:
        qtbot.mouseClick(runs.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert told.args == ["b"]


def test_current_run_has_a_filled_dot(panel: PromptPanel) -> None:
    runs = panel.findChild(RunList)
    assert runs is not None
    panel.show_runs([("a", "one", "", True), ("b", "two", "", False)])
    QApplication.processEvents()
    image = runs.viewport().grab().toImage()
    dots = [image.pixelColor(6, runs.visualItemRect(runs.item(row)).center().y() + 1).name() for row in (0, 1)]
    assert dots[0] == DARK.text
    assert dots[1] not in (DARK.text, DARK.muted)


def test_dropped_files_are_left_to_the_window(panel: PromptPanel) -> None:
    data = QMimeData()
    data.setUrls(["file:///tmp/model"])
    assert not _editor(panel).canInsertFromMimeData(data)


def test_a_low_panel_gives_the_room_of_the_samples_to_the_text(panel: PromptPanel) -> None:
    panel.set_samples([("English", "English tale", "The king")])
    assert _button(panel, "English tale").isVisible()
    panel.resize(288, 450)
    assert not _button(panel, "English tale").isVisible()
    panel.resize(288, 800)
    assert _button(panel, "English tale").isVisible()


def test_chat_is_offered_only_where_there_are_a_template_and_a_tokenizer(panel: PromptPanel) -> None:
    assert not _button(panel, "Chat").isVisible()
    panel.show_chat_template(True)
    assert _button(panel, "Chat").isVisible()
    panel.show_tokenizer(False)
    assert not _button(panel, "Chat").isVisible()
    panel.show_tokenizer(True)
    assert _button(panel, "Chat").isVisible()


def test_chat_sends_the_system_message_and_raw_does_not(panel: PromptPanel, qtbot: QtBot) -> None:
    panel.show_chat_template(True)
    panel.set_prompt("Hello")
    system = panel.findChild(QLineEdit)
    assert system is not None
    with qtbot.waitSignal(panel.style_chosen, timeout=1000) as told:
        _button(panel, "Chat").click()
    assert told.args == ["chat"]
    assert system.isVisible()
    qtbot.keyClicks(system, "Be brief.")
    assert panel.request() == PromptRequest("Hello", None, 48, Sampling(), chat=True, system="Be brief.")
    panel.show_style("raw")
    assert not system.isVisible()
    assert panel.request() == PromptRequest("Hello", None, 48, Sampling())
    panel.show_style("chat")
    assert panel.request() == PromptRequest("Hello", None, 48, Sampling(), chat=True, system="Be brief.")


def test_a_checkpoint_without_template_never_sends_a_chat(panel: PromptPanel) -> None:
    panel.show_chat_template(True)
    panel.show_style("chat")
    panel.show_chat_template(False)
    request = panel.request()
    assert request is not None
    assert not request.chat
