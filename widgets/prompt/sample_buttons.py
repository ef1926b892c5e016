"""Sample prompts as small buttons, in the order of their domains."""

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QPushButton, QSizePolicy, QWidget

from widgets.plain_text import plain_label, plain_tooltip
from widgets.prompt.flow_layout import FlowLayout

Sample = tuple[str, str, str]
HEIGHT = 24
BUTTON_STYLE = "QPushButton { padding: 2px 8px; font-size: 12px; }"


class SampleButtons(QWidget):
    """One button per sample.

    Signals: `chosen(str)`, the sample's prompt.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._flow = FlowLayout(self, spacing=6)
        self._samples: list[Sample] = []
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_samples(self, samples: list[Sample]) -> None:
        """Offer these (domain, title, prompt)."""
        if samples == self._samples:
            return
        self._samples = list(samples)
        while (item := self._flow.takeAt(0)) is not None:
            if (button := item.widget()) is not None:
                button.deleteLater()
        for domain, title, prompt in samples:
            self._flow.addWidget(self._button(domain, title=title, prompt=prompt))
        self.updateGeometry()

    def minimumSizeHint(self) -> QSize:
        return QSize(80, self._flow.heightForWidth(max(self.width(), 200)))

    def _button(self, domain: str, *, title: str, prompt: str) -> QPushButton:
        button = QPushButton(plain_label(title), self)
        button.setStyleSheet(BUTTON_STYLE)
        # Han and Latin buttons would have heights of their own.
        button.setFixedHeight(HEIGHT)
        button.setToolTip(plain_tooltip(f"{domain}\n{prompt}", limit=240))
        button.setAccessibleDescription(domain)
        button.clicked.connect(lambda: self.chosen.emit(prompt))
        return button
