"""The pictures of docs/attention.md: maps of 131,072, 4,096, 64 and 8 tokens, and the panels around them.

The two long runs are synthetic, the bundled model's own latents repeated, and their titles say so.
"""

import tempfile
from pathlib import Path

from PySide6.QtWidgets import QApplication

from app.commands.long_run import stretch
from app.export import save_picture
from app.waiting import serve_for, wait_until
from app.window_app import RunningWindow, WindowOptions
from model.config import Sampling
from widgets.palette import ThemeName

SIZE = (1600, 1000)
PROMPT = "The king said to the queen, and the queen said to the king"
SOURCE_TOKENS, SHORT, SHORTEST = 560, 64, 8
LENGTHS = {"attention-128k": 131_072, "attention-4k": 4096}
PATIENCE = 900.0  # seconds for every row of the longest map
PANELS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("heads-layer", "heads", {"heads_mode": "layer"}),
    ("heads-mosaic", "heads", {"heads_mode": "all"}),
    ("heads-two-tokens", "heads", {"heads_mode": "pair"}),
    ("latents", "latents", {"latents_mode": "map"}),
    ("latents-rank", "latents", {"latents_mode": "rank"}),
    ("sums", "sums", {}),
)


def take_attention(folder: Path, application: QApplication, *, theme: ThemeName = "light") -> None:
    """All of them into a folder."""
    with tempfile.TemporaryDirectory() as place:
        options = WindowOptions(dtype="bfloat16")
        running = RunningWindow(application, options, settings=Path(place) / "settings.json", theme=theme)
        running.window.resize(*SIZE)
        running.window.show()
        try:
            session = running.session
            wait_until(lambda: session.state.model is not None, what="the checkpoint", seconds=PATIENCE)
            wait_until(lambda: not session.state.proving, what="the proof", seconds=PATIENCE)
            for name, tokens in (("attention-8", SHORTEST), ("attention-64", SHORT)):
                _generate(running, tokens)
                _save(running, "attention", folder / f"{name}.png")
            _take_panels(running, folder)
            source = _generate(running, SOURCE_TOKENS)
            for name, tokens in LENGTHS.items():
                stretch(source, Path(place) / name, tokens=tokens)
                session.open_recording(str(Path(place) / name))
                _wait_for_run(running, tokens)
                _save(running, "attention", folder / f"{name}.png")
        finally:
            running.end()
            running.window.close()


def _generate(running: RunningWindow, tokens: int) -> Path:
    """A run of so many tokens in all; returns its folder."""
    session = running.session
    before = len(session.state.runs)
    session.submit(PROMPT if tokens > SHORTEST else "The king", max_new_tokens=tokens, sampling=Sampling(0.8, seed=3))
    wait_until(lambda: len(session.state.runs) > before, what="the run", seconds=PATIENCE)
    wait_until(
        lambda: session.state.run is not None and (not session.state.running or session.state.run.tokens >= tokens),
        what="the tokens",
        seconds=PATIENCE,
    )
    session.stop()
    wait_until(lambda: not session.state.running, what="the end of the run", seconds=PATIENCE)
    assert session.state.run is not None
    session.choose_layer(session.state.run.info.config.layers - 2)
    return Path(session.state.run.info.folder)


def _wait_for_run(running: RunningWindow, tokens: int) -> None:
    session = running.session
    wait_until(
        lambda: session.state.run is not None and session.state.run.tokens == tokens, what="the run", seconds=PATIENCE
    )
    session.choose_layer(session.state.runs[-1].info.config.layers - 2)


def _take_panels(running: RunningWindow, folder: Path) -> None:
    """The panels on the short run: content against position, heads, a comparison, latents, sums."""
    session, parts = running.session, running.window.parts
    session.choose("quantity", "both")
    _save(running, "attention", folder / "content-position.png")
    session.choose("quantity", "probability")
    session.ask_pair(20, 3)
    for name, view, choices in PANELS:
        for key, value in choices.items():
            session.choose(key, value)
        parts.docks.bring_forward(parts.views[view])
        _save(running, view, folder / f"{name}.png")
    for head in (0, 1):
        session.choose_head(head)
        session.pin_head()
    parts.docks.bring_forward(parts.compare)
    _save(running, "compare", folder / "compare.png")
    parts.docks.bring_forward(parts.attention)


def _save(running: RunningWindow, view: str, path: Path) -> None:
    session = running.session
    serve_for(0.5)
    kinds = ("map", "content", "position", "gallery", "row", "mosaic", "pair", "latents", "ranks", "sums", "pin:1")
    wait_until(lambda: not any(session.is_open(kind) for kind in kinds), what=path.name, seconds=PATIENCE)
    serve_for(0.3)
    save_picture(running.window.menus.widget(view), path, scale=1.5, title=path.stem)
