"""A card shown before a checkpoint is loaded: what it is, what memory it takes, and whether it fits."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from model.config import DTYPE_BYTES, DtypeName
from widgets.checkpoint_facts import CheckpointFacts, DeviceChoice, MemoryPlan, Verdict, memory_plan
from widgets.checkpoint_words import Row, description, table, verdict_text
from widgets.drop_down import DropDown
from widgets.figures import tabular
from widgets.palette import DARK, Palette
from widgets.panel import ElidedLabel

TONES: dict[Verdict, str] = {"fits": "good", "tight": "warn", "too big": "bad"}
WIDTH = 640
MOST_GIGABYTES = 1_000_000.0
BODY_STYLE = "QScrollArea, QScrollArea > QWidget > QWidget { background: transparent; }"
# Without arrows, as all number fields here; under a style sheet NoButtons leaves no room for the number (Qt 6.11).
FIELD_STYLE = """
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 0; border: none; }
QAbstractSpinBox { padding: 3px 0; }
QLineEdit { border: none; background: transparent; padding: 0; }
"""


class CheckpointSheet(QFrame):
    """Description, memory plan, device, number format and budget, Open and Cancel. It blocks nothing.

    Signals: `accepted_with(str, str, object)` and `plan_wanted(str, str, object)`: device key or "auto", dtype or
    "auto", and the budget in bytes, 0 for the engine's own choice; `declined()`.
    """

    # A budget may pass 2³¹.
    accepted_with = Signal(str, str, object)
    plan_wanted = Signal(str, str, object)
    declined = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.setAutoFillBackground(True)
        self.setMaximumWidth(WIDTH)
        self._palette = DARK
        self._facts: CheckpointFacts | None = None
        self._pending = self._filling = False
        self._name, self._path = ElidedLabel("", self), ElidedLabel("", self)
        self._about, self._notes, self._verdict = (self._words() for _ in range(3))
        self._body = _Body(self)
        self._rows: list[tuple[QLabel, QLabel, QLabel]] = []
        self._device, self._dtype = DropDown(self), DropDown(self)
        self._budget = QDoubleSpinBox(self)
        self._open = QPushButton(self.tr("Open"), self)
        self._cancel = QPushButton(self.tr("Cancel"), self)
        self._prepare()
        self._arrange()
        self._device.currentIndexChanged.connect(self._want_plan)
        self._dtype.currentIndexChanged.connect(self._want_plan)
        self._budget.valueChanged.connect(self._want_plan)
        self._open.clicked.connect(self._accept)
        self._cancel.clicked.connect(self.declined)
        self.hide()

    def show_palette(self, palette: Palette) -> None:
        """Take the theme's colours."""
        self._palette = palette
        self._refresh()

    def show_facts(
        self,
        facts: CheckpointFacts,
        *,
        devices: tuple[DeviceChoice, ...] = (),
        dtypes: tuple[DtypeName, ...] = tuple(DTYPE_BYTES),
    ) -> None:
        """Describe a checkpoint and show the card; without devices there is the CPU."""
        again = self.isVisible() and self._facts is not None and self._facts.path == facts.path
        self._facts, self._pending = facts, False
        self._offer(facts, devices or (DeviceChoice("cpu", "CPU"),), dtypes)
        self._describe(facts)
        self._refresh()
        self.show()
        if not again:
            (self._open if self.plan().verdict != "too big" else self._cancel).setFocus()

    def show_pending(self, pending: bool) -> None:
        """Say that the plan for other choices is on its way; when it does not come, the last one stands again."""
        if pending != self._pending and self._facts is not None:
            self._pending = pending
            self._refresh()

    def plan(self) -> MemoryPlan:
        """The memory plan shown."""
        assert self._facts is not None, "show_facts comes first"
        return memory_plan(self._facts)

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
        self.accepted_with.emit(*self._choices())

    def _want_plan(self) -> None:
        if self._facts is not None and not self._filling:
            self.plan_wanted.emit(*self._choices())

    def _choices(self) -> tuple[str, str, int]:
        return str(self._device.currentData()), str(self._dtype.currentData()), round(self._budget.value() * 10**9)

    def _offer(self, facts: CheckpointFacts, devices: tuple[DeviceChoice, ...], dtypes: tuple[DtypeName, ...]) -> None:
        self._filling = True
        self._device.clear()
        if len(devices) > 1:
            self._device.addItem(self.tr("automatic"), "auto")
        for device in devices:
            self._device.addItem(device.label, device.key)
        self._dtype.clear()
        self._dtype.addItem(self.tr("automatic"), "auto")
        for dtype in dtypes:
            self._dtype.addItem(dtype, dtype)
        self._device.setCurrentIndex(max(self._device.findData(facts.asked_device), 0))
        self._dtype.setCurrentIndex(max(self._dtype.findData(facts.asked_dtype), 0))
        self._budget.setValue(facts.budget_bytes / 10**9)
        self._filling = False

    def _describe(self, facts: CheckpointFacts) -> None:
        self._name.set_full_text(facts.name)
        self._path.set_full_text(facts.path)
        self._about.setText(description(facts))
        self._notes.setText("\n".join(f"· {note}" for note in facts.notes))
        self._notes.setVisible(bool(facts.notes))
        self.setAccessibleName(facts.name)

    def _refresh(self) -> None:
        if self._facts is None:
            return
        plan = self.plan()
        self._fill(table(self._facts, plan))
        text = self.tr("Working out the plan…") if self._pending else verdict_text(self._facts, plan)
        tone = "muted" if self._pending else TONES[plan.verdict]
        self._verdict.setText(text)
        self._verdict.setStyleSheet(f"color: {getattr(self._palette, tone)}; font-weight: 600;")
        anyway = plan.fits and plan.verdict == "too big"
        self._open.setText(self.tr("Open anyway") if anyway else self.tr("Open"))
        self._open.setEnabled(plan.fits and not self._pending)
        self._open.setToolTip("" if plan.fits else text)
        self.setAccessibleDescription(text)
        self._body.updateGeometry()  # a scroll area does not notice that its contents have grown
        if plan.verdict == "too big" and self._open.hasFocus():
            self._cancel.setFocus()  # Enter must not open what has turned out not to fit

    def _fill(self, rows: list[Row]) -> None:
        while len(self._rows) < len(rows):
            self._rows.append(self._row(len(self._rows)))
        for index, labels in enumerate(self._rows):
            texts = rows[index] if index < len(rows) else ("", "", "")
            for label, text in zip(labels, texts, strict=True):
                label.setText(text)
                label.setVisible(index < len(rows))

    def _row(self, row: int) -> tuple[QLabel, QLabel, QLabel]:
        name, size, remark = self._words(), self._words(), self._words()
        name.setProperty("role", "muted")
        remark.setProperty("role", "muted")
        remark.setWordWrap(True)  # else the longest remark would widen the card beyond its frame
        size.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for place, label in enumerate((name, size, remark)):
            self._grid.addWidget(label, row, place)
        return name, size, remark

    def _words(self) -> QLabel:
        label = QLabel(self)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setFont(tabular(label.font()))
        return label

    def _prepare(self) -> None:
        for label in (self._name, self._path):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._name.setProperty("role", "panel-title")
        self._path.setProperty("role", "muted")
        for text in (self._about, self._notes, self._verdict):
            text.setWordWrap(True)
        self._notes.setProperty("role", "muted")
        self._open.setProperty("role", "primary")
        self._device.setAccessibleName(self.tr("Device"))
        self._dtype.setAccessibleName(self.tr("Number format"))
        self._budget.setRange(0.0, MOST_GIGABYTES)
        self._budget.setDecimals(1)
        self._budget.setSuffix(self.tr(" GB"))
        self._budget.setSpecialValueText(self.tr("automatic"))
        self._budget.setAccessibleName(self.tr("Memory budget"))
        self._budget.setToolTip(self.tr("The most memory that weights may keep; 0 leaves the choice to the program"))
        self._budget.setKeyboardTracking(False)  # a plan for the whole number, not for each digit
        self._budget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._budget.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.UpDownArrows)
        self._budget.setStyleSheet(FIELD_STYLE)
        self._budget.lineEdit().setTextMargins(6, 0, 6, 0)
        self._budget.setFixedWidth(96)

    def _arrange(self) -> None:
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(20)
        self._grid.setVerticalSpacing(5)
        self._grid.setColumnStretch(2, 1)
        inside = self._body.column
        inside.addWidget(self._about)
        inside.addSpacing(4)
        inside.addWidget(self._notes)
        inside.addSpacing(8)
        inside.addLayout(self._grid)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(4)
        column.addWidget(self._name)
        column.addWidget(self._path)
        column.addSpacing(8)
        column.addWidget(self._body, 1)
        column.addSpacing(10)
        column.addWidget(self._verdict)
        column.addSpacing(10)
        column.addLayout(self._buttons())

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        budget = QLabel(self.tr("Budget"), self)
        budget.setProperty("role", "muted")
        budget.setBuddy(self._budget)
        row.addWidget(self._device)
        row.addWidget(self._dtype)
        row.addSpacing(4)
        row.addWidget(budget)
        row.addWidget(self._budget)
        row.addStretch(1)
        row.addWidget(self._cancel)
        row.addWidget(self._open)
        return row


class _Body(QScrollArea):
    """As high as its words where there is room; where there is none they scroll, so that no note is cut."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setStyleSheet(BODY_STYLE)
        inside = QWidget(self)
        self.column = QVBoxLayout(inside)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(4)
        self.setWidget(inside)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        layout: QLayout = self.column
        # As if the scroll bar stood there: else it comes, takes room, and so is needed.
        width -= self.verticalScrollBar().sizeHint().width()
        return layout.totalHeightForWidth(width) if layout.hasHeightForWidth() else layout.totalSizeHint().height()

    def sizeHint(self) -> QSize:
        return QSize(WIDTH - 40, self.heightForWidth(WIDTH - 40))

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 80)
