"""Start the window: application, theme, session, engine; and end them together."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication

from app.bridge import EngineBridge
from app.bundled import BUNDLED, RESOURCES, TOUR, checkpoint_path
from app.chrome import read_samples
from app.preparing import Preparing
from app.problems import watch_for_bugs
from app.qt_log import log_qt_messages
from app.session import Session
from app.settings import read_settings, settings_file, write_settings
from app.theme import apply_theme, has_han_font
from app.window import MainWindow
from model.config import Sampling
from model.messages import CheckpointSummary, Described, DtypeChoice, Event, Opened
from model.tour import read_tour
from widgets.palette import Palette, ThemeName, palette

ROOMY = 0.9  # of the free memory; above it a person is asked
PAINT_MARK = "latent-loupe: first paint"


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """What the command line says about the window."""

    checkpoint: str | None = None
    device: str = "auto"
    dtype: DtypeChoice = "auto"
    prompt: str | None = None
    budget_bytes: int = 0  # 0: the engine's default


def open_window(options: WindowOptions) -> int:
    """Run the window until it is closed; returns the exit status."""
    _choose_input_method()
    log_qt_messages()
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationName("latent-loupe")
    running = RunningWindow(application, options)
    running.window.show()
    status = application.exec()
    running.end()
    return status


class RunningWindow(QObject):
    """One window with its session and settings; the tests and the pictures build the same."""

    def __init__(
        self, application: QApplication, options: WindowOptions, *, settings: Path | None = None, theme: str = ""
    ) -> None:
        super().__init__()
        self._application = application
        self._options = options
        self._named = False  # whether a description of the checkpoint named at the start is on its way
        self._settings_file = settings or settings_file()
        self.settings = read_settings(self._settings_file)
        if theme:
            self.settings = replace(self.settings, theme=theme)
        self.session = Session(EngineBridge(self), self)
        apply_theme(application, self.palette())
        self.window = MainWindow(self.session, samples=read_samples(RESOURCES / "samples.json"), tour=read_tour(TOUR))
        self._restore_place()
        self.window.parts.show_palette(self.palette())
        self._connect()
        # The engine's process starts after the first paint: nothing may come before the window.
        _after_first_paint(self.window, self._begin)

    def palette(self) -> Palette:
        """The palette the settings ask for."""
        return palette(self._theme(), colour_blind=self.settings.colour_blind)

    def set_theme(self, theme: str) -> None:
        """Light, dark, or as the system says."""
        self.settings = replace(self.settings, theme=theme)
        self._dress()

    def end(self) -> None:
        """Save settings and end the engine."""
        if not self.window.isMaximized():
            place = self.window.geometry()
            window = (place.x(), place.y(), place.width(), place.height())
            self.settings = replace(self.settings, window=window)
        write_settings(self._settings_file, self.settings)
        self.session.close()

    def _connect(self) -> None:
        window, session = self.window, self.session
        window.theme_wanted.connect(lambda: self.set_theme("light" if self._theme() == "dark" else "dark"))
        window.menus.theme_chosen.connect(self.set_theme)
        window.menus.colour_blind_chosen.connect(self._set_colour_blind)
        window.menus.path_chosen.connect(window.open_path)
        window.parts.prompt.style_chosen.connect(self._remember_style)
        session.told.connect(self._heed)
        watch_for_bugs(session.say)
        self._application.styleHints().colorSchemeChanged.connect(lambda _scheme: self._dress())

    def _begin(self) -> None:
        self.session.start_engine()
        Preparing(self.window.parts.memory).start()
        path = checkpoint_path(self._options.checkpoint)
        if self._options.checkpoint is None:
            self._open(path)
        else:
            self._named = True
            options = self._options
            self.session.describe(path, device=options.device, dtype=options.dtype, budget_bytes=options.budget_bytes)
        if not has_han_font():
            self.session.say(self.tr("No font for Chinese was found; install one such as fonts-noto-cjk."))

    def _heed(self, event: Event) -> None:
        if isinstance(event, Described) and self._named:
            self._named = False
            self._open_if_it_fits(event.summary)
        if isinstance(event, Opened):
            self._remember(event)

    def _open_if_it_fits(self, summary: CheckpointSummary) -> None:
        """A checkpoint named at the start needs no second word, unless it would fill the memory."""
        if summary.fits and summary.resident_bytes <= ROOMY * summary.free_bytes:
            self._open(summary.path)

    def _open(self, path: str) -> None:
        options = self._options
        self.session.open_checkpoint(
            path, device=options.device, dtype=options.dtype, budget_bytes=options.budget_bytes
        )

    def _remember_style(self, style: str) -> None:
        model = self.session.state.model
        if model is not None:
            self.settings = self.settings.with_chat(model.summary.config.model_type, style == "chat")

    def _remember(self, event: Opened) -> None:
        if event.summary.path == str(BUNDLED):
            self.session.dismiss_notice("notes")  # nobody asked for this model; the chip tells its notes
        else:
            self.settings = self.settings.with_recent(event.summary.path)
            self.window.menus.show_recent(self.settings.recent)
        chat = event.summary.config.model_type in self.settings.chat_kinds
        self.window.parts.prompt.show_style("chat" if chat and event.summary.has_chat_template else "raw")
        if self._options.prompt is not None:
            prompt, self._options = self._options.prompt, replace(self._options, prompt=None)
            self.window.parts.prompt.set_prompt(prompt)
            self.session.submit(prompt, max_new_tokens=64, sampling=Sampling())

    def _theme(self) -> ThemeName:
        if self.settings.theme in ("light", "dark"):
            return "light" if self.settings.theme == "light" else "dark"
        scheme = self._application.styleHints().colorScheme()
        return "light" if scheme == Qt.ColorScheme.Light else "dark"

    def _set_colour_blind(self, wanted: bool) -> None:
        self.settings = replace(self.settings, colour_blind=wanted)
        self._dress()

    def _dress(self) -> None:
        chosen = self.palette()
        apply_theme(self._application, chosen)
        self.window.parts.show_palette(chosen)
        self.window.show_state(self.session.state, self.session.state, everything=True)

    def _restore_place(self) -> None:
        self.window.menus.show_recent(self.settings.recent)
        if len(self.settings.window) != 4:
            return
        x, y, width, height = self.settings.window
        self.window.resize(max(width, 720), max(height, 480))
        screen = self._application.screenAt(self.window.geometry().center())
        if screen is not None and screen.availableGeometry().contains(x, y):
            self.window.move(x, y)


class _FirstPaint(QObject):
    """Calls something once, right after a widget has been painted for the first time."""

    def __init__(self, window: MainWindow, then: Callable[[], None]) -> None:
        super().__init__(window)
        self._then: Callable[[], None] | None = then
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and self._then is not None:
            then, self._then = self._then, None
            watched.removeEventFilter(self)
            if os.environ.get("LATENT_LOUPE_MARK_PAINT"):
                QTimer.singleShot(0, lambda: sys.stderr.write(PAINT_MARK + "\n") and sys.stderr.flush())
            QTimer.singleShot(0, then)
        return False


def _after_first_paint(window: MainWindow, then: Callable[[], None]) -> None:
    _FirstPaint(window, then)


def _choose_input_method() -> None:
    """The Qt wheel has no fcitx plugin; fcitx 5 answers as ibus."""
    if "QT_IM_MODULE" not in os.environ and "fcitx" in os.environ.get("XMODIFIERS", ""):
        os.environ["QT_IM_MODULE"] = "ibus"
