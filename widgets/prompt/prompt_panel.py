"""The left column: the prompt, how to run it, samples, the text, and the runs so far."""

from PySide6.QtCore import Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from model.config import Sampling
from widgets.figures import bytes_text
from widgets.palette import DARK, Palette
from widgets.prompt.prompt_editor import PromptEditor
from widgets.prompt.prompt_request import PromptRequest, parse_token_ids
from widgets.prompt.prompt_style import PromptStyle, PromptStyleSwitch
from widgets.prompt.run_list import Run, RunList
from widgets.prompt.sample_buttons import Sample, SampleButtons
from widgets.prompt.sampling_controls import MOST_NEW_TOKENS, SamplingButton, SamplingControls, whole_number
from widgets.prompt.transcript import Transcript

LEAST_WIDTH = 272
EDITOR_HEIGHT = 92
DEFAULT_NEW_TOKENS = 48
ROOM_FOR_SAMPLES = 560  # pixels; in a lower panel the text needs the place, and the menu still offers samples


class PromptPanel(QWidget):
    """Everything one needs to ask, and the answer as text.

    Signals: `submitted(object)`, a PromptRequest; `stop_wanted()`; `run_chosen(str)`, a run's key;
    `style_chosen(str)`, "raw" or "chat", when a person changes it.
    """

    submitted = Signal(object)
    stop_wanted = Signal()
    run_chosen = Signal(str)
    style_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumWidth(LEAST_WIDTH)
        self._palette = DARK
        self._running, self._has_tokenizer, self._has_samples, self._has_template = False, True, False, False
        self._editor = PromptEditor(self)
        self._style = PromptStyleSwitch(self)
        self._problem = QLabel(self)
        self._run = QPushButton(self)
        self._sampling_button = SamplingButton(self)
        self._tokens = whole_number(self, most=MOST_NEW_TOKENS)
        self._sampling = SamplingControls(self)
        self._samples_title = self._section(self.tr("SAMPLES"))
        self._samples = SampleButtons(self)
        self._transcript = Transcript(self)
        self._runs_title = self._section(self.tr("RUNS"))
        self._runs = RunList(self)
        self._prepare()
        self._arrange()
        self._connect()
        self.show_palette(DARK)
        self.show_tokenizer(True)
        self.show_chat_template(False)
        self.show_running(False)

    def show_palette(self, palette: Palette) -> None:
        """Take the theme's colours."""
        self._palette = palette
        self._transcript.show_palette(palette)
        self._runs.show_palette(palette)
        self._problem.setStyleSheet(f"color: {palette.warn};")
        self.update()

    def show_running(self, running: bool) -> None:
        """Make the one button say Run or Stop."""
        self._running = running
        self._run.setText(self.tr("Stop") if running else self.tr("Run"))
        self._run.setToolTip(self.tr("Stop generating") if running else self.tr("Run the prompt (Ctrl+Enter)"))

    def show_tokenizer(self, available: bool) -> None:
        """Take text, or token ids when the model has no tokenizer."""
        self._has_tokenizer = available
        words = self.tr("Type a prompt or choose a sample; Ctrl+Enter runs it.")
        ids = self.tr("This model has no tokenizer: type token ids such as 5, 7, 9; Ctrl+Enter runs them.")
        self._editor.setPlaceholderText(words if available else ids)
        self._editor.viewport().update()  # Qt does not paint a placeholder that changes while it shows
        self._samples.setEnabled(available)
        self._style.setVisible(available and self._has_template)
        self._make_room()
        self._show_problem("")

    def show_chat_template(self, available: bool) -> None:
        """Offer the chat template of a checkpoint that has one."""
        self._has_template = available
        self._style.setVisible(available and self._has_tokenizer)
        self._make_room()

    def show_style(self, style: PromptStyle) -> None:
        """Feed the prompt raw, or through the chat template; the text stays as it is."""
        self._style.show_style(style)
        self._make_room()

    def show_text(self, prompt: str, generated: str) -> None:
        """Show the run's text, the prompt muted."""
        self._transcript.show_text(prompt, generated)

    def show_runs(self, runs: list[Run]) -> None:
        """List the runs: (key, title, detail, whether it is the one on screen)."""
        self._runs.show_runs(runs)
        self._runs_title.setVisible(bool(runs))
        self._runs.setVisible(bool(runs))

    def show_sampling(self, sampling: Sampling, *, max_new_tokens: int) -> None:
        """Set the sampling numbers."""
        self._sampling.show_sampling(sampling)
        self._tokens.setValue(max_new_tokens)

    def set_samples(self, samples: list[Sample]) -> None:
        """Offer these sample prompts: (domain, title, prompt)."""
        self._samples.show_samples(samples)
        self._has_samples = bool(samples)
        self._make_room()

    def set_prompt(self, text: str) -> None:
        """Put a prompt into the editor; undo brings back what was there."""
        self._editor.replace_text(text)

    def prompt(self) -> str:
        """What the editor holds, exactly."""
        return self._editor.text()

    def focus_prompt(self) -> None:
        """Put the cursor into the editor."""
        self._editor.setFocus()

    def take_sample(self, prompt: str) -> None:
        """Put a sample into the editor, ready to be changed or run."""
        self.set_prompt(prompt)
        self.focus_prompt()

    def submit(self) -> None:
        """Ask for a run, as the Run button does; nothing happens while one goes on."""
        if self._running:
            return
        request = self.request()
        if request is not None:
            self._show_problem("")
            self.submitted.emit(request)

    def request(self) -> PromptRequest | None:
        """What would be run now; None when the token ids cannot be read, and the panel says why."""
        text, sampling, count = self._editor.text(), self._sampling.sampling(), self._tokens.value()
        if self._has_tokenizer:
            chat = self._has_template and self._style.chat()
            return PromptRequest(text, None, count, sampling, chat, self._style.system() if chat else "")
        read = parse_token_ids(text)
        if read.wrong_word:
            sentence = self.tr('"{word}" (word {place}) is not a token id; write whole numbers apart by commas.')
            self._show_problem(sentence.format(word=read.wrong_word, place=read.wrong_place))
            return None
        if not read.ids:
            self._show_problem(self.tr("Write at least one token id, for example 5, 7, 9."))
            return None
        return PromptRequest(None, read.ids, count, sampling)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._palette.colour("surface"))
        painter.fillRect(self.width() - 1, 0, 1, self.height(), self._palette.colour("line"))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._make_room()

    def _make_room(self) -> None:
        style = 0 if self._style.isHidden() else self._style.sizeHint().height()
        for part in (self._samples_title, self._samples):
            part.setVisible(self._has_samples and self.height() >= ROOM_FOR_SAMPLES + style)

    def _prepare(self) -> None:
        self._editor.setFixedHeight(EDITOR_HEIGHT)
        self._problem.setWordWrap(True)
        self._problem.setTextFormat(self._problem.textFormat().PlainText)
        self._run.setProperty("role", "primary")
        for text in (self.tr("Run"), self.tr("Stop")):
            self._run.setText(text)
            # One width for both words: the button next to it must not move when a run starts.
            self._run.setMinimumWidth(max(self._run.minimumWidth(), self._run.sizeHint().width()))
        self._tokens.setValue(DEFAULT_NEW_TOKENS)
        self._tokens.setSuffix(self.tr(" tokens"))
        self._tokens.setAccessibleName(self.tr("New tokens"))
        self._tokens.setToolTip(self.tr("How many tokens to generate at most"))
        self._sampling.hide()
        self.set_samples([])
        self.show_runs([])
        self._show_problem("")

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 14, 14, 12)
        column.setSpacing(8)
        column.addWidget(self._section(self.tr("PROMPT")))
        column.addWidget(self._style)
        column.addWidget(self._editor)
        column.addWidget(self._problem)
        column.addSpacing(4)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self._run)
        row.addWidget(self._sampling_button)
        row.addWidget(self._tokens)
        row.addStretch(1)
        column.addLayout(row)
        column.addWidget(self._sampling)
        column.addSpacing(6)
        column.addWidget(self._samples_title)
        column.addWidget(self._samples)
        column.addSpacing(6)
        column.addWidget(self._section(self.tr("TEXT")))
        column.addWidget(self._transcript, 1)
        column.addWidget(self._runs_title)
        column.addWidget(self._runs)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

    def _connect(self) -> None:
        self._editor.submitted.connect(self.submit)
        self._editor.refused.connect(self._say_refused)
        self._editor.textChanged.connect(lambda: self._show_problem(""))
        self._run.clicked.connect(self._press)
        self._sampling_button.toggled.connect(self._sampling.setVisible)
        self._sampling.changed.connect(self._sampling_button.show_sampling)
        self._samples.chosen.connect(self.take_sample)
        self._style.chosen.connect(self._make_room)
        self._style.chosen.connect(self.style_chosen)
        self._runs.chosen.connect(self.run_chosen)

    def _section(self, text: str) -> QLabel:
        label = QLabel(text, self)
        label.setProperty("role", "section")
        return label

    def _press(self) -> None:
        if self._running:
            self.stop_wanted.emit()
        else:
            self.submit()

    def _say_refused(self, size: int, most: int) -> None:
        sentence = self.tr("Not pasted: the prompt would be {size}; at most {most} fit. Shorten it first.")
        self._show_problem(sentence.format(size=bytes_text(size), most=bytes_text(most)))

    def _show_problem(self, text: str) -> None:
        self._problem.setText(text)
        self._problem.setVisible(bool(text))
