"""Two tokens to ask about: typed as a position or as a token's text, or clicked in any map."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QWidget

from widgets.token_text import visible

FIELD_WIDTH = 120


def find_token(texts: Sequence[str], typed: str, *, before: int | None = None) -> int | None:
    """The position that was typed, or the last token with this text, at or before `before`. None: there is none."""
    words, last = typed.strip(), len(texts) - 1 if before is None else min(before, len(texts) - 1)
    number = words.removeprefix("#").replace(",", "")
    if number.isascii() and number.isdigit() and int(number) <= last:
        return int(number)
    for token in range(last, -1, -1):
        if texts[token].strip() == words and words:
            return token
    return None


class PairQuestion(QWidget):
    """Signals: `pair_chosen(int, int)`, query and key, the key never after the query."""

    pair_chosen = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._texts: Sequence[str] = ()
        self._query, self._key = QLineEdit(self), QLineEdit(self)
        self._found = QLabel("", self)
        self._found.setProperty("role", "muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for field, name in ((self._query, self.tr("query")), (self._key, self.tr("key"))):
            field.setFixedWidth(FIELD_WIDTH)
            field.setPlaceholderText(self.tr("token or position"))
            field.setAccessibleName(name)
            field.returnPressed.connect(self._ask)
            label = QLabel(name, self)
            label.setProperty("role", "muted")
            row.addWidget(label)
            row.addWidget(field)
        row.addWidget(self._found, 1)

    def show_tokens(self, texts: Sequence[str]) -> None:
        """The tokens that can be asked about."""
        self._texts = texts

    def show_pair(self, query: int, key: int) -> None:
        """Put a pair into the fields; asks nothing."""
        for field, token in ((self._query, query), (self._key, key)):
            if not field.hasFocus():
                field.setText(f"{token}")
        self._found.setText(self._named(query, key))

    def type_pair(self, query: str, key: str) -> None:
        """Fill both fields and ask, as a person would."""
        self._query.setText(query)
        self._key.setText(key)
        self._ask()

    def note(self) -> str:
        """What is said beside the fields."""
        return self._found.text()

    def _ask(self) -> None:
        query = find_token(self._texts, self._query.text())
        if query is None:
            self._found.setText(self.tr("No token “{0}” here.").format(visible(self._query.text() or " ")))
            return
        key = find_token(self._texts, self._key.text(), before=query)
        if key is None:
            words = self.tr("No token “{0}” at or before {1}.")
            self._found.setText(words.format(visible(self._key.text() or " "), query))
            return
        self._found.setText(self._named(query, key))
        self.pair_chosen.emit(query, key)

    def _named(self, query: int, key: int) -> str:
        texts = [visible(self._texts[token]) if token < len(self._texts) else "…" for token in (query, key)]
        return self.tr("{0} “{1}” → {2} “{3}”").format(f"{query:,}", texts[0], f"{key:,}", texts[1])
