"""The card before a checkpoint is loaded: its plan, its verdict, and what it asks for."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from widgets.checkpoint_facts import CheckpointFacts, DeviceChoice, memory_plan
from widgets.checkpoint_sheet import CheckpointSheet, description
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


def test_plan_counts_weights_latents_and_recording() -> None:
    plan = memory_plan(FACTS, dtype="bfloat16", free_bytes=80_000_000_000)
    assert plan.latents == 31_104 * 2048
    assert plan.context_mha == 276_480 * 163_840
    assert plan.needed == 31_412_968_448 + 31_104 * 2048 + 1_000_000_000


def test_twice_as_wide_numbers_take_twice_the_memory() -> None:
    narrow = memory_plan(FACTS, dtype="bfloat16", free_bytes=1)
    wide = memory_plan(FACTS, dtype="float32", free_bytes=1)
    assert (wide.weights, wide.latents) == (2 * narrow.weights, 2 * narrow.latents)


@pytest.mark.parametrize(("free", "verdict"), [(36.2e9, "fits"), (35.9e9, "tight"), (32.4e9, "too big")])
def test_verdict_warns_above_nine_tenths(free: float, verdict: str) -> None:
    assert memory_plan(FACTS, dtype="bfloat16", free_bytes=int(free)).verdict == verdict


def test_short_context_bounds_the_ordinary_run() -> None:
    assert memory_plan(replace(FACTS, context=512), dtype="bfloat16", free_bytes=1).tokens == 512


def test_description_names_groups_and_query_latent_only_where_there_are_some() -> None:
    assert "group" not in description(FACTS)
    assert "query latent" not in description(FACTS)
    other = description(replace(FACTS, groups=8, q_lora_rank=1536))
    assert "in 8 groups" in other
    assert "query latent 1536" in other


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
    sheet.show_facts(FACTS)
    assert sheet.focusWidget() is _button(sheet, "Open")


def test_other_device_and_format_change_the_plan_and_are_told(qtbot: QtBot) -> None:
    sheet = _sheet(qtbot)
    devices = (DeviceChoice("cpu", "CPU", 12_000_000_000), DeviceChoice("cuda:0", "CUDA 0", 80_000_000_000))
    sheet.show_facts(FACTS, devices=devices)
    assert sheet.plan().verdict == "too big"
    device, dtype = sheet.findChildren(QComboBox)
    device.setCurrentIndex(1)
    assert sheet.plan().verdict == "fits"
    dtype.setCurrentIndex(dtype.findText("float32"))
    assert sheet.plan().weights == 2 * FACTS.weight_bytes
    with qtbot.waitSignal(sheet.accepted_with, timeout=1000) as told:
        _button(sheet, "Open").click()
    assert told.args == ["cuda:0", "float32"]


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
