"""The menus: every action with its key, and the export of pictures and numbers."""

from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path

from PySide6.QtCore import QObject, QPoint, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QFileDialog, QMainWindow, QMenu, QMessageBox, QWidget

from app.export import copy_picture, save_numbers, save_picture
from app.numbers import numbers
from app.parts import Parts
from app.session import Session
from app.touring import Touring
from model.problems import Problem


class Menus(QObject):
    """Signals: `theme_chosen(str)`, `colour_blind_chosen(bool)`, `path_chosen(str)`,
    `study_wanted()`."""

    theme_chosen = Signal(str)
    colour_blind_chosen = Signal(bool)
    path_chosen = Signal(str)
    study_wanted = Signal()

    def __init__(
        self,
        window: QMainWindow,
        parts: Parts,
        session: Session,
        touring: Touring,
        *,
        samples: list[tuple[str, str, str]],
    ) -> None:
        super().__init__(window)
        self._touring = touring
        self._window, self._parts, self._session = window, parts, session
        self._samples = samples
        self._recent = QMenu(self.tr("Recent"), window)
        self._export = self._export_menu()
        self._file_menu()
        self._run_menu()
        self._view_menu()
        self._tools_menu()
        self._help_menu()
        parts.top.export_wanted.connect(self._pop_up_export)

    def show_recent(self, paths: tuple[str, ...]) -> None:
        """What was opened lately; what is gone cannot be chosen."""
        self._recent.clear()
        for path in paths:
            action = self._recent.addAction(path.replace("&", "&&"), partial(self.path_chosen.emit, path))
            action.setEnabled(Path(path).exists())
        self._recent.setEnabled(bool(paths))

    # ---- menus -----------------------------------------------------------------------------------------

    def _file_menu(self) -> None:
        menu = self._window.menuBar().addMenu(self.tr("&File"))
        self._add(menu, self.tr("Open checkpoint folder…"), self._choose_checkpoint, "Ctrl+O")
        self._add(menu, self.tr("Open GGUF file…"), self._choose_gguf, "Ctrl+Alt+O")
        self._add(menu, self.tr("Open recording…"), self._choose_recording, "Ctrl+Shift+O")
        menu.addMenu(self._recent)
        menu.addSeparator()
        menu.addMenu(self._export)
        menu.addSeparator()
        self._add(menu, self.tr("Quit"), self._window.close, "Ctrl+Q")

    def _run_menu(self) -> None:
        menu, parts = self._window.menuBar().addMenu(self.tr("&Run")), self._parts
        self._add(menu, self.tr("Run the prompt"), parts.prompt.submit, "Ctrl+Return")
        self._add(menu, self.tr("Go to the prompt"), parts.prompt.focus_prompt, "Ctrl+L")
        menu.addMenu(self._sample_menu())
        self._add(menu, self.tr("Stop"), self._session.back_out, "Esc")
        self._add(menu, self.tr("Prove this model"), self._session.prove, "Ctrl+P")
        self._add(menu, self.tr("Profile experts over texts…"), self._choose_texts)
        menu.addSeparator()
        self._add(menu, self.tr("Restart the engine"), self._session.start_engine)

    def _sample_menu(self) -> QMenu:
        menu = QMenu(self.tr("Samples"), self._window)
        for _domain, title, prompt in self._samples:
            self._add(menu, title.replace("&", "&&"), partial(self._parts.prompt.take_sample, prompt))
        return menu

    def _view_menu(self) -> None:
        menu = self._window.menuBar().addMenu(self.tr("&View"))
        for dock in self._parts.docks.docks():
            menu.addAction(dock.toggleViewAction())
        front = menu.addMenu(self.tr("Bring to front"))
        for number, view in enumerate(self._parts.views.values(), start=1):
            bring = partial(self._parts.docks.bring_forward, view)
            self._add(front, view.title(), bring, f"Ctrl+{number}" if number <= 9 else "")
        self._add(menu, self.tr("Reset layout"), self._parts.docks.reset, "Ctrl+Shift+R")
        menu.addSeparator()
        for label, step in ((self.tr("Next layer"), 1), (self.tr("Previous layer"), -1)):
            self._add(menu, label, partial(self._step_layer, step), "Ctrl+Down" if step > 0 else "Ctrl+Up")
        for label, step in ((self.tr("Next head"), 1), (self.tr("Previous head"), -1)):
            self._add(menu, label, partial(self._step_head, step), "Ctrl+Right" if step > 0 else "Ctrl+Left")
        menu.addSeparator()
        self._add(menu, self.tr("Pin the head in view"), self._pin, "Ctrl+K")
        self._add(menu, self.tr("Which heads connect two tokens"), self._ask_pair, "Ctrl+Shift+F")
        menu.addSeparator()
        for key, label in (("system", self.tr("System theme")), ("light", self.tr("Light")), ("dark", self.tr("Dark"))):
            self._add(menu, label, partial(self.theme_chosen.emit, key))
        blind = self._add(menu, self.tr("Colour-blind map"), self._nothing)
        blind.setCheckable(True)
        blind.toggled.connect(self.colour_blind_chosen)

    def _tools_menu(self) -> None:
        menu = self._window.menuBar().addMenu(self.tr("&Tools"))
        self._add(menu, self.tr("Attention study: MHA, GQA, MQA, MLA"), self.study_wanted.emit, "Ctrl+Shift+A")

    def _help_menu(self) -> None:
        menu = self._window.menuBar().addMenu(self.tr("&Help"))
        self._add(menu, self.tr("Model card"), lambda: self._session.show_card(True), "Ctrl+I")
        self._add(menu, self.tr("Keys"), self._show_keys, "F1")
        self._add(menu, self.tr("Take or leave the tour"), self._touring.toggle, "F2")
        self._add(menu, self.tr("Next stop of the tour"), self._touring.next, "Alt+Right")
        self._add(menu, self.tr("Stop before"), self._touring.back, "Alt+Left")
        self._add(menu, self.tr("About Latent Loupe"), self._show_about)

    def _export_menu(self) -> QMenu:
        menu = QMenu(self.tr("Export"), self._window)
        for name, title in self._parts.export_titles.items():
            part = menu.addMenu(title)
            self._picture_actions(part, name)
            part.addSeparator()
            for suffix in (".npz", ".csv"):
                label = self.tr("Numbers as {}…").format(suffix[1:])
                self._add(part, label, partial(self._save_numbers, name, suffix))
        menu.addSeparator()
        self._picture_actions(menu.addMenu(self.tr("Whole window")), "window")
        return menu

    def _picture_actions(self, menu: QMenu, name: str) -> None:
        for scale in (1, 2, 3, 4):
            label = self.tr("PNG at {}×…").format(scale)
            self._add(menu, label, partial(self._save_picture, name, ".png", scale))
        self._add(menu, self.tr("SVG…"), partial(self._save_picture, name, ".svg", 1))
        self._add(menu, self.tr("PDF…"), partial(self._save_picture, name, ".pdf", 1))
        self._add(menu, self.tr("Copy picture"), partial(self._copy, name))

    def _add(self, menu: QMenu, label: str, do: Callable[[], object], key: str = "") -> QAction:
        action = QAction(label, self._window)
        if key:
            action.setShortcut(QKeySequence(key))
        action.triggered.connect(lambda _checked=False: do())
        menu.addAction(action)
        return action

    # ---- doing -----------------------------------------------------------------------------------------

    def save_picture(self, name: str, path: Path, scale: float) -> None:
        """Write one view, or the whole window, as a picture."""
        save_picture(self.widget(name), path, scale=scale, title=self.caption(name))

    def widget(self, name: str) -> QWidget:
        """The widget an export name means: a view with its header, or the window."""
        if name == "window":
            return self._window
        if name == "study" and not self._parts.has_study:
            self.study_wanted.emit()  # which puts it into its window
        frame = self._parts.exported(name).parentWidget()
        assert frame is not None
        return frame

    def caption(self, name: str) -> str:
        """What a picture shows, in one sentence."""
        return self._window.windowTitle() if name == "window" else self._parts.exported(name).sentence()

    def _save_picture(self, name: str, suffix: str, scale: float) -> None:
        self._ask_for_file(name, suffix, lambda path: self.save_picture(name, path, scale))

    def _save_numbers(self, name: str, suffix: str) -> None:
        arrays = numbers(name, self._session.state)
        if not arrays:
            self._session.say(self.tr("There are no numbers yet; run a prompt first."))
            return
        self._ask_for_file(name, suffix, lambda path: save_numbers(arrays, path))

    def _copy(self, name: str) -> None:
        copy_picture(self.widget(name), text=self.caption(name))

    def _ask_for_file(self, name: str, suffix: str, write: Callable[[Path], None]) -> None:
        dialog = QFileDialog(self._window, self.tr("Export"), f"{name}{suffix}", f"*{suffix}")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(suffix[1:])
        dialog.fileSelected.connect(lambda path: self._try(write, Path(path)))
        dialog.open()

    def _try(self, write: Callable[[Path], None], path: Path) -> None:
        try:
            write(path)
        except Problem as problem:
            self._session.say(str(problem))

    def _choose_checkpoint(self) -> None:
        self._ask_for_folder(self.tr("Open checkpoint"))

    def _choose_gguf(self) -> None:
        # No file dialog of any system takes a folder or a file, so a file has an entry of its own.
        dialog = QFileDialog(self._window, self.tr("Open GGUF file"), "", self.tr("GGUF files (*.gguf);;All files (*)"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self.path_chosen)
        dialog.open()

    def _choose_recording(self) -> None:
        self._ask_for_folder(self.tr("Open recording"))

    def _choose_texts(self) -> None:
        self._ask_for_folder(self.tr("Folder of texts, one a domain"), then=self._session.profile_experts)

    def _ask_for_folder(self, title: str, *, then: Callable[[str], object] | None = None) -> None:
        dialog = QFileDialog(self._window, title)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(then or self.path_chosen.emit)
        dialog.open()

    def _pop_up_export(self) -> None:
        bar = self._parts.top
        corner = bar.rect().bottomRight() - QPoint(self._export.sizeHint().width() + 8, 0)
        self._export.popup(bar.mapToGlobal(corner))

    def _pin(self) -> None:
        self._session.pin_head()
        self._parts.docks.bring_forward(self._parts.compare)

    def _ask_pair(self) -> None:
        self._session.choose("heads_mode", "pair")
        self._parts.docks.bring_forward(self._parts.heads)

    def _step_layer(self, step: int) -> None:
        self._session.choose_layer(self._session.state.selection.layer + step)

    def _step_head(self, step: int) -> None:
        self._session.choose_head(self._session.state.selection.head + step)

    def _show_keys(self) -> None:
        actions = [action for action in self._all_actions() if action.shortcut().toString()]
        rows = [(action.shortcut().toString(), action.text().replace("&", "")) for action in actions]
        rows += [(self.tr("F, 0"), self.tr("Fit or reset a view")), (self.tr("Arrows"), self.tr("Move the selection"))]
        self._tell(self.tr("Keys"), table(rows))

    def _show_about(self) -> None:
        text = self.tr(
            "Latent Loupe shows the inside of MLA + MoE language models: attention rebuilt from the latent KV cache, "
            "expert routing, device load, and KV memory.\n\nIt makes no network connection and collects nothing."
        )
        self._tell(self.tr("About Latent Loupe"), text)

    def _tell(self, title: str, text: str) -> None:
        box = QMessageBox(QMessageBox.Icon.NoIcon, title, text, QMessageBox.StandardButton.Close, self._window)
        box.open()

    def _all_actions(self) -> list[QAction]:
        return [action for menu in self._window.menuBar().findChildren(QMenu) for action in menu.actions()]

    def _nothing(self) -> None:
        """A checkable action acts through its toggled signal."""


def table(rows: list[tuple[str, str]]) -> str:
    """Two columns as rich text: plain text has none in a font whose letters differ in width."""
    cells = (f"<tr><td><b>{escape(key)}</b></td><td>{escape(what)}</td></tr>" for key, what in rows)
    return f"<table cellspacing='0' cellpadding='3'>{''.join(cells)}</table>"
