"""Every picture of README and docs, made by the app: `python -m app.pictures FOLDER [--foreign CHECKPOINT]`.

The bundled model generates while the pictures are taken; nothing on them is arranged by hand.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtWidgets import QApplication

from app.attention_pictures import take_attention
from app.bundled import RESOURCES
from app.chrome import read_samples
from app.export import save_picture
from app.qt_log import log_qt_messages
from app.session import Session
from app.tour_pictures import take_tour
from app.waiting import serve_for, wait_until
from app.window_app import RunningWindow, WindowOptions
from model.config import Sampling
from model.problems import Problem
from widgets.palette import ThemeName

SIZE = (1600, 1000)
TOKENS = 160  # more than the picture waits for, so that it shows a run that goes on
PICTURE_TOKENS = 48
DOCUMENTED = ("induction", "brackets", "expert")  # stops that README and docs may show
PROMPT = "The king said to the queen, and the queen said to the king"


@dataclass(frozen=True, slots=True)
class Shot:
    """One window picture: its name, theme, checkpoint (None: the bundled one), prompt, and size."""

    name: str
    theme: ThemeName
    checkpoint: str | None = None
    prompt: str = PROMPT
    size: tuple[int, int] = SIZE
    view: str = "window"


def shots(foreign: str | None) -> list[Shot]:
    """All pictures there are to take."""
    chinese = next((text for domain, _, text in read_samples(RESOURCES / "samples.json") if "中文" in domain), PROMPT)
    taken = [
        Shot("window-dark", "dark"),
        Shot("window-light", "light"),
        Shot("window-chinese", "light", prompt=chinese),
        Shot("window-small", "dark", size=(1280, 800)),
        *(Shot(view, "light", view=view) for view in ("attention", "routing", "load", "memory")),
    ]
    if foreign is not None:
        taken += [Shot("foreign-dark", "dark", foreign), Shot("foreign-light", "light", foreign)]
    return taken


def take(shot: Shot, folder: Path, application: QApplication) -> None:
    """Open a window, let it generate, and paint it while the run goes on."""
    with tempfile.TemporaryDirectory() as place:
        running = RunningWindow(
            application, WindowOptions(shot.checkpoint), settings=Path(place) / "settings.json", theme=shot.theme
        )
        window, session = running.window, running.session
        try:
            window.resize(*shot.size)
            window.show()
            wait_until(lambda: session.state.model is not None or bool(session.state.notices), what="the checkpoint")
            if session.state.model is None:
                raise Problem(session.state.notices[-1].text)
            wait_until(lambda: not session.state.proving, what="the proof")
            _generate(running, shot)
            save_picture(window.menus.widget(shot.view), folder / f"{shot.name}.png", scale=1, title=shot.name)
        finally:
            running.end()
            window.close()


def _generate(running: RunningWindow, shot: Shot) -> None:
    window, session = running.window, running.session
    model = session.state.model
    assert model is not None
    prompt = window.parts.prompt
    prompt.set_prompt(shot.prompt if model.summary.has_tokenizer else ", ".join(map(str, range(5, 29))))
    prompt.show_sampling(Sampling(0.7, top_p=0.95, seed=7), max_new_tokens=TOKENS)
    prompt.submitted.emit(prompt.request())
    wait_until(lambda: session.state.run is not None and session.state.run.tokens > 0, what="the run")
    session.choose_layer(model.summary.config.layers - 2)
    wait_until(lambda: _worth_a_picture(session), what="enough tokens", seconds=300)
    token = PICTURE_TOKENS // 2
    session.choose_token(token)
    wait_until(lambda: session.state.shown.row is not None and session.state.shown.row.query == token, what="the row")
    serve_for(0.1)


def _worth_a_picture(session: Session) -> bool:
    shown, run = session.state.shown, session.state.run
    if run is None or shown.attention is None or not shown.gallery or shown.row is None:
        return False
    return shown.attention.queries[1] >= min(PICTURE_TOKENS, run.tokens) and (
        run.tokens >= PICTURE_TOKENS or run.finished is not None
    )


def main(arguments: list[str]) -> int:
    """Take all pictures; returns the exit status."""
    parser = argparse.ArgumentParser(prog="app.pictures", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--foreign", help="checkpoint folder of another maker, for two more pictures")
    options = parser.parse_args(arguments)
    return take_all(options.folder, options.foreign)


def take_all(folder: Path, foreign: str | None = None) -> int:
    """All pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    painter = application()
    for shot in shots(foreign):
        take(shot, folder, painter)
    take_attention(folder, painter)
    take_tour(folder, painter, theme="dark", only=DOCUMENTED)
    for theme in ("dark", "light"):
        take_study(folder, painter, theme=theme)
    return 0


def take_study(folder: Path, painter: QApplication, *, theme: ThemeName) -> None:
    """The attention study's window behind a prompt that ran through all four models."""
    with tempfile.TemporaryDirectory() as place:
        running = RunningWindow(painter, WindowOptions(None), settings=Path(place) / "settings.json", theme=theme)
        window, session = running.window, running.session
        try:
            window.show()
            wait_until(lambda: session.state.model is not None, what="the checkpoint")
            window.open_study()
            session.compare_attentions(window.parts.study.prompt())
            wait_until(lambda: bool(session.state.study.texts or session.state.notices), what="the four", seconds=300)
            serve_for(0.2)
            save_picture(window.menus.widget("study"), folder / f"study-{theme}.png", scale=1, title="study")
        finally:
            running.end()
            window.close()


def application() -> QApplication:
    """The application that windows for pictures live in; it needs no display."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    log_qt_messages()
    made = QApplication.instance() or QApplication(["latent-loupe"])
    assert isinstance(made, QApplication)
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
