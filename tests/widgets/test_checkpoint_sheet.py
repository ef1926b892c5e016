"""The card before a checkpoint is loaded: its plan, its verdict, and what it asks for."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QComboBox, QDoubleSpinBox, QLabel, QPushButton, QScrollArea
from pytestqt.qtbot import QtBot

from widgets.checkpoint_facts import CheckpointFacts, DeviceChoice, memory_plan
from widgets.checkpoint_sheet import CheckpointSheet
from widgets.checkpoint_words import description, verdict_text
from widgets.figures import parameters_text
from widgets.palette import DARK

FACTS = CheckpointFacts(
    name="V2-Lite",
    path="/models/V2-Lite",
    family="DeepSeek-V2",
    model_type="deepseek_v2",
    layers=27,
    heads=16,
    q_lora_rank=None,
    kv_lora_rank=512,
    experts=64,
    experts_per_token=6,
    shared=2,
    groups=1,
    total=15_706_484_224,
    active=2_660_000_000,
    kv_bytes={"mla": 31_104, "mha": 276_480, "gqa": 69_120, "mqa": 17_280},
    dtype="bfloat16",
    file_bytes=31_412_968_448,
    weight_bytes=31_412_968_448,
    free_bytes=80_000_000_000,
    context=163_840,
    has_tokenizer=True,
    resident_bytes=31_412_968_448,
)
PAGED = replace(
    FACTS,
    file_bytes=661 * 10**9,
    weight_bytes=1_342 * 10**9,
    resident_bytes=14_800_000_000,
    expert_cache_bytes=2_000_000_000,
    largest_expert_bytes=88_080_384,
)


def _sheet(qtbot: QtBot) -> CheckpointSheet:
    sheet = CheckpointSheet()
    qtbot.addWidget(sheet)
    sheet.show_palette(DARK)
    return sheet


def _words(sheet: CheckpointSheet) -> list[str]:
    return [label.text() for label in sheet.findChildren(QLabel) if label.isVisible()]


def _button(sheet: CheckpointSheet, text: str) -> QPushButton:
    return next(button for button in sheet.findChildren(QPushButton) if button.text() == text)


def test_plan_counts_what_stays_latents_and_recording() -> None:
    plan = memory_plan(FACTS)
    assert plan.latents == 31_104 * 2048
    assert plan.context_mha == 276_480 * 163_840
    assert plan.needed == 31_412_968_448 + 31_104 * 2048 + 1_000_000_000


@pytest.mark.parametrize(("free", "verdict"), [(36.2e9, "fits"), (35.9e9, "tight"), (32.4e9, "too big")])
def test_verdict_warns_above_nine_tenths(free: float, verdict: str) -> None:
    assert memory_plan(replace(FACTS, free_bytes=int(free))).verdict == verdict


def test_what_the_engine_says_does_not_fit_does_not_fit() -> None:
    assert memory_plan(replace(FACTS, fits=False)).verdict == "too big"


def test_short_context_bounds_the_ordinary_run() -> None:
    assert memory_plan(replace(FACTS, context=512)).tokens == 512


def test_no_run_is_planned_beyond_what_is_modelled(qtbot: QtBot) -> None:
    limited = replace(FACTS, dense_tokens=1024)
    plan = memory_plan(limited)
    assert (plan.tokens, plan.context) == (1024, 1024)
    assert "Runs up to 1,024 tokens" in description(limited)
    assert "Runs up to" not in description(replace(FACTS, dense_tokens=163_840))


def test_sizes_are_written_as_makers_write_them() -> None:
    assert "1,026.41 B parameters" in description(replace(FACTS, total=1_026_408_232_448))
    assert "15.71 B parameters, 2.66 B active" in description(FACTS)
    assert parameters_text(10_200_000) == "10.2 M"
    assert parameters_text(999_499_999) == "999 M"
    assert parameters_text(999_500_000) == "1.00 B"


def test_formats_tokenizer_and_zero_experts_are_described() -> None:
    facts = replace(FACTS, formats={"bfloat16": 20 * 10**9, "fp8 e4m3": 641 * 10**9}, has_chat_template=True)
    assert "Stored as fp8 e4m3\u2002641 GB · bfloat16\u200220 GB" in description(facts)
    assert "Tokenizer and chat template" in description(facts)
    assert "No tokenizer: prompts are token ids" in description(replace(facts, has_tokenizer=False))
    assert "6 of 64 experts per token, 2 shared, 16 of them zero experts" in description(
        replace(facts, zero_experts=16)
    )


def test_description_names_groups_and_query_latent_only_where_there_are_some() -> None:
    assert "group" not in description(FACTS)
    assert "query latent" not in description(FACTS)
    other = description(replace(FACTS, groups=8, q_lora_rank=1536))
    assert "in 8 groups" in other
    assert "query latent 1,536" in other


def test_table_and_verdict_are_shown(qtbot: QtBot) -> None:
    sheet = _sheet(qtbot)
    sheet.show_facts(FACTS)
    words = _words(sheet)
    for word in ("31.4 GB", "63.7 MB", "as MHA 566 MB", "5.1 GB", "as MHA 45.3 GB", "80 GB"):
        assert word in words
    assert any(word.startswith("Fits: 32.5 GB") for word in words)


def test_cancel_has_the_focus_when_it_does_not_fit(qtbot: QtBot) -> None:
    sheet = _sheet(qtbot)
    sheet.show_facts(replace(FACTS, free_bytes=12_000_000_000))
    assert sheet.focusWidget() is _button(sheet, "Cancel")
    assert any(word.startswith("Does not fit") for word in _words(sheet))
    sheet.show_facts(replace(FACTS, path="/models/other"))
    assert sheet.focusWidget() is _button(sheet, "Open")


def test_paged_checkpoint_tells_what_stays_and_what_is_read(qtbot: QtBot) -> None:
    sheet = _sheet(qtbot)
    sheet.show_facts(PAGED)
    words = _words(sheet)
    for word in (
        "Stays in memory",
        "14.8 GB",
        "Expert cache",
        "2 GB",
        "of that; holds 22 experts of 88.1 MB",
        "661 GB",
    ):
        assert word in words
    assert any(word.endswith("experts are read from the files when they are chosen.") for word in words)
    assert _button(sheet, "Open").isEnabled()
    assert sheet.focusWidget() is _button(sheet, "Open")


def test_what_the_engine_would_refuse_cannot_be_opened_and_says_why(qtbot: QtBot) -> None:
    sheet = _sheet(qtbot)
    sheet.show_facts(replace(PAGED, fits=False, budget_bytes=8 * 10**9))
    assert "Does not fit the budget: 14.8 GB must stay in memory, 8 GB are allowed." in _words(sheet)
    assert sheet.focusWidget() is _button(sheet, "Cancel")
    assert not _button(sheet, "Open").isEnabled()
    assert "8 GB are allowed" in _button(sheet, "Open").toolTip()
    with qtbot.waitSignal(sheet.declined, timeout=1000):
        qtbot.keyClick(sheet, Qt.Key.Key_Return)


@pytest.mark.parametrize(
    ("budget", "free", "sentence"),
    [
        (15e9, 80e9, "Does not fit the budget: 14.8 GB of weights and one run are more than 15 GB."),
        (0, 12e9, "Does not fit: 14.8 GB must stay in memory, 12 GB free."),
        (0, 29e9, "more than the automatic budget, a part of the 29 GB free; set a larger one."),
    ],
)
def test_a_refusal_names_the_bound_that_was_crossed(budget: float, free: float, sentence: str) -> None:
    facts = replace(PAGED, fits=False, budget_bytes=int(budget), free_bytes=int(free))
    assert verdict_text(facts, memory_plan(facts)).endswith(sentence)


def test_what_only_the_recording_would_crowd_out_opens_on_purpose(qtbot: QtBot) -> None:
    sheet = _sheet(qtbot)
    sheet.show_facts(replace(PAGED, free_bytes=15_000_000_000))
    assert _button(sheet, "Open anyway").isEnabled()
    assert sheet.focusWidget() is _button(sheet, "Cancel")


def test_every_note_can_be_read_also_where_the_card_is_low(qtbot: QtBot) -> None:
    sheet = _sheet(qtbot)
    notes = tuple(
        f"note {number}: " + "codebases disagree about this, and transformers is followed; " * 3 for number in range(12)
    )
    sheet.show_facts(replace(FACTS, notes=notes))
    sheet.resize(640, 500)
    QApplication.processEvents()
    label = next(label for label in sheet.findChildren(QLabel) if "note 11" in label.text())
    body = sheet.findChild(QScrollArea)
    assert label.height() >= label.heightForWidth(label.width())
    assert body.verticalScrollBar().maximum() > 0
    assert _button(sheet, "Open").geometry().bottom() < 500
    sheet.resize(640, sheet.layout().totalHeightForWidth(640))
    QApplication.processEvents()
    assert body.verticalScrollBar().maximum() == 0


def test_other_choices_ask_for_their_plan_and_are_told(qtbot: QtBot) -> None:
    sheet = _sheet(qtbot)
    devices = (DeviceChoice("cpu", "CPU"), DeviceChoice("cuda:0", "CUDA 0"))
    sheet.show_facts(FACTS, devices=devices)
    asked: list[tuple[str, str, int]] = []
    sheet.plan_wanted.connect(lambda *choices: asked.append(choices))
    device, dtype = sheet.findChildren(QComboBox)
    assert [choice.currentText() for choice in (device, dtype)] == ["automatic", "automatic"]
    device.setCurrentIndex(2)
    dtype.setCurrentIndex(dtype.findText("float32"))
    sheet.findChild(QDoubleSpinBox).setValue(7.5)
    assert asked == [("cuda:0", "auto", 0), ("cuda:0", "float32", 0), ("cuda:0", "float32", 7_500_000_000)]
    with qtbot.waitSignal(sheet.accepted_with, timeout=1000) as told:
        _button(sheet, "Open").click()
    assert told.args == ["cuda:0", "float32", 7_500_000_000]


def test_a_plan_on_its_way_is_said_and_opens_nothing(qtbot: QtBot) -> None:
    sheet = _sheet(qtbot)
    sheet.show_facts(FACTS)
    sheet.show_pending(True)
    assert "Working out the plan…" in _words(sheet)
    assert not _button(sheet, "Open").isEnabled()
    asked: list[tuple[object, ...]] = []
    sheet.plan_wanted.connect(lambda *choices: asked.append(choices))
    sheet.show_facts(replace(FACTS, asked_dtype="float32", asked_device="cpu", budget_bytes=40 * 10**9))
    assert _button(sheet, "Open").isEnabled()
    assert sheet.findChild(QDoubleSpinBox).value() == 40.0
    assert sheet.findChildren(QComboBox)[1].currentText() == "float32"
    assert not asked  # an answer must not ask again


def test_budget_is_automatic_until_somebody_sets_one(qtbot: QtBot) -> None:
    sheet = _sheet(qtbot)
    sheet.show_facts(FACTS)
    assert sheet.findChild(QDoubleSpinBox).text() == "automatic"


def test_escape_and_cancel_decline(qtbot: QtBot) -> None:
    sheet = _sheet(qtbot)
    sheet.show_facts(FACTS)
    told: list[bool] = []
    sheet.declined.connect(lambda: told.append(True))
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    _button(sheet, "Cancel").click()
    assert told == [True, True]


def test_names_from_outside_are_plain_text(qtbot: QtBot) -> None:
    sheet = _sheet(qtbot)
    sheet.show_facts(replace(FACTS, name="<b>x</b>", notes=("<i>note</i>",)))
    labels = [label for label in sheet.findChildren(QLabel) if "<" in label.text()]
    assert len(labels) == 2
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in labels)
