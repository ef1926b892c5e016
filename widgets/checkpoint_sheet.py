"""A card shown before a checkpoint is loaded: what it is, what memory it takes, and whether it fits."""

from typing import cast

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from model.config import DTYPE_BYTES, DtypeName
from widgets.checkpoint_facts import CheckpointFacts, DeviceChoice, MemoryPlan, Verdict, memory_plan
from widgets.drop_down import DropDown
from widgets.figures import bytes_text, count_text, tabular
from widgets.palette import DARK, Palette
from widgets.panel import ElidedLabel

TONES: dict[Verdict, str] = {"fits": "good", "tight": "warn", "too big": "bad"}
WIDTH = 620
ROWS = 5


class CheckpointSheet(QFrame):
    """Description, memory plan, device and number format, Open and Cancel. It blocks nothing.

    Signals: `accepted_with(str, str)`, device key and dtype; `declined()`.
    """

    accepted_with = Signal(str, str)
    declined = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.setAutoFillBackground(True)
        self.setMaximumWidth(WIDTH)
        self._palette = DARK
        self._facts: CheckpointFacts | None = None
        self._devices: tuple[DeviceChoice, ...] = ()
        self._name, self._path = ElidedLabel("", self), ElidedLabel("", self)
        self._about, self._notes, self._verdict = (self._words() for _ in range(3))
        self._cells = [[self._words() for _ in range(3)] for _ in range(ROWS)]
        self._device, self._dtype = DropDown(self), DropDown(self)
        self._open = QPushButton(self.tr("Open"), self)
        self._cancel = QPushButton(self.tr("Cancel"), self)
        self._arrange()
        self._device.currentIndexChanged.connect(self._plan_again)
        self._dtype.currentIndexChanged.connect(self._plan_again)
        self._open.clicked.connect(self._accept)
        self._cancel.clicked.connect(self.declined)
        self.hide()

    def show_palette(self, palette: Palette) -> None:
        """Take the theme's colours."""
        self._palette = palette
        self._plan_again()

    def show_facts(
        self,
        facts: CheckpointFacts,
        *,
        devices: tuple[DeviceChoice, ...] = (),
        dtypes: tuple[DtypeName, ...] = tuple(DTYPE_BYTES),
    ) -> None:
        """Describe a checkpoint and show the card; without devices there is the CPU with `free_bytes`."""
        self._facts = None
        self._devices = devices or (DeviceChoice("cpu", "CPU", facts.free_bytes),)
        self._device.clear()
        for device in self._devices:
            self._device.addItem(device.label, device.key)
        self._dtype.clear()
        for dtype in dtypes:
            self._dtype.addItem(dtype, dtype)
        self._dtype.setCurrentIndex(max(self._dtype.findData(facts.dtype), 0))
        self._facts = facts
        self._describe(facts)
        self._plan_again()
        self.show()
        (self._open if self.plan().verdict != "too big" else self._cancel).setFocus()

    def plan(self) -> MemoryPlan:
        """The memory plan for the device and number format chosen now."""
        assert self._facts is not None, "show_facts comes first"
        device = self._devices[max(self._device.currentIndex(), 0)]
        return memory_plan(self._facts, dtype=self._chosen_dtype(), free_bytes=device.free_bytes)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.declined.emit()
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            focused = self.focusWidget()
            if isinstance(focused, QPushButton):
                focused.click()
                return
        super().keyPressEvent(event)

    def _accept(self) -> None:
        self.accepted_with.emit(str(self._device.currentData()), self._chosen_dtype())

    def _chosen_dtype(self) -> DtypeName:
        return cast(DtypeName, self._dtype.currentData())

    def _describe(self, facts: CheckpointFacts) -> None:
        self._name.set_full_text(facts.name)
        self._path.set_full_text(facts.path)
        self._about.setText(description(facts))
        notes = list(facts.notes)
        self._notes.setText("\n".join(f"· {note}" for note in notes))
        self._notes.setVisible(bool(notes))
        self.setAccessibleName(facts.name)

    def _plan_again(self) -> None:
        if self._facts is None or self._dtype.currentIndex() < 0 or self._device.currentIndex() < 0:
            return
        plan = self.plan()
        for labels, texts in zip(self._cells, self._table(plan), strict=True):
            for label, text in zip(labels, texts, strict=True):
                label.setText(text)
        self._verdict.setText(self._sentence(plan))
        self._verdict.setStyleSheet(f"color: {getattr(self._palette, TONES[plan.verdict])}; font-weight: 600;")
        self.setAccessibleDescription(self._verdict.text())

    def _table(self, plan: MemoryPlan) -> list[tuple[str, str, str]]:
        assert self._facts is not None, "called with facts only"
        as_mha = self.tr("as MHA {size}")
        latents = self.tr("KV latents, {tokens} tokens")
        on_disk = self.tr("{size} on disk").format(size=bytes_text(self._facts.file_bytes))
        return [
            (self.tr("Weights"), bytes_text(plan.weights), on_disk),
            (
                latents.format(tokens=f"{plan.tokens:,}"),
                bytes_text(plan.latents),
                as_mha.format(size=bytes_text(plan.latents_mha)),
            ),
            (
                self.tr("KV latents, full context of {tokens}").format(tokens=f"{plan.context:,}"),
                bytes_text(plan.context_latents),
                as_mha.format(size=bytes_text(plan.context_mha)),
            ),
            (self.tr("Recording"), bytes_text(plan.recording), self.tr("at most")),
            (self.tr("Free"), bytes_text(plan.free), ""),
        ]

    def _sentence(self, plan: MemoryPlan) -> str:
        values = {
            "needed": bytes_text(plan.needed),
            "free": bytes_text(plan.free),
            "share": f"{100 * plan.share:.0f}",
            "tokens": f"{plan.tokens:,}",
        }
        sentences: dict[Verdict, str] = {
            "fits": self.tr("Fits: {needed} for {tokens} tokens is {share} % of the free memory."),
            "tight": self.tr("Only just fits: {needed} for {tokens} tokens is {share} % of the free memory."),
            "too big": self.tr("Does not fit: {needed} needed for {tokens} tokens, {free} free."),
        }
        text = sentences[plan.verdict].format(**values)
        if plan.verdict != "too big" and plan.weights + plan.context_latents + plan.recording > plan.free:
            text += " " + self.tr("The full context does not.")
        return text

    def _words(self) -> QLabel:
        label = QLabel(self)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setFont(tabular(label.font()))
        return label

    def _arrange(self) -> None:
        for label in (self._name, self._path):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._name.setProperty("role", "panel-title")
        self._path.setProperty("role", "muted")
        self._about.setWordWrap(True)
        self._notes.setWordWrap(True)
        self._notes.setProperty("role", "muted")
        self._verdict.setWordWrap(True)
        self._open.setProperty("role", "primary")
        self._device.setAccessibleName(self.tr("Device"))
        self._dtype.setAccessibleName(self.tr("Number format"))
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(4)
        column.addWidget(self._name)
        column.addWidget(self._path)
        column.addSpacing(8)
        column.addWidget(self._about)
        column.addWidget(self._notes)
        column.addSpacing(10)
        column.addLayout(self._grid())
        column.addSpacing(10)
        column.addWidget(self._verdict)
        column.addSpacing(10)
        column.addLayout(self._buttons())

    def _grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(20)
        grid.setVerticalSpacing(5)
        for row, (name, size, remark) in enumerate(self._cells):
            name.setProperty("role", "muted")
            remark.setProperty("role", "muted")
            size.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            for place, label in enumerate((name, size, remark)):
                grid.addWidget(label, row, place)
        grid.setColumnStretch(2, 1)
        return grid

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self._device)
        row.addWidget(self._dtype)
        row.addStretch(1)
        row.addWidget(self._cancel)
        row.addWidget(self._open)
        return row


def description(facts: CheckpointFacts) -> str:
    """The checkpoint in two lines: family and size, then attention and experts."""
    first = _translated("{family} family ({model_type}) · {total} parameters, {active} active · {layers} layers")
    lines = [
        first.format(
            family=facts.family,
            model_type=facts.model_type,
            total=count_text(facts.total),
            active=count_text(facts.active),
            layers=facts.layers,
        )
    ]
    parts = [_translated("{heads} heads, KV latent {rank}").format(heads=facts.heads, rank=facts.kv_lora_rank)]
    if facts.q_lora_rank is not None:
        parts.append(_translated("query latent {rank}").format(rank=facts.q_lora_rank))
    if facts.experts:
        experts = _translated("{chosen} of {experts} experts per token, {shared} shared")
        if facts.groups > 1:
            experts = _translated("{chosen} of {experts} experts per token in {groups} groups, {shared} shared")
        parts.append(
            experts.format(
                chosen=facts.experts_per_token, experts=facts.experts, groups=facts.groups, shared=facts.shared
            )
        )
    return "\n".join([*lines, " · ".join(parts)])


def _translated(text: str) -> str:
    return QCoreApplication.translate("CheckpointSheet", text)
