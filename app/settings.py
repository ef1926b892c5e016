"""What the program remembers between starts: theme, window place, recent folders, prompt style. Plain JSON of our own.

Qt's own state blobs are never stored: a damaged one aborts the process inside Qt.
"""

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QIODevice, QSaveFile, QStandardPaths

FORMAT = 1
RECENT_LIMIT = 10
KINDS_LIMIT = 100
SIZE_LIMIT = 2**20


@dataclass(frozen=True, slots=True)
class Settings:
    """`theme` is "system", "light" or "dark"; `window` x, y, width and height, or empty."""

    theme: str = "system"
    colour_blind: bool = False
    window: tuple[int, ...] = ()
    recent: tuple[str, ...] = ()
    chat_kinds: tuple[str, ...] = ()  # model types whose prompts were last put into their chat template

    def with_recent(self, path: str) -> "Settings":
        """The same with a folder at the head of the recent ones."""
        others = tuple(known for known in self.recent if known != path)
        return replace(self, recent=(path, *others)[:RECENT_LIMIT])

    def with_chat(self, kind: str, chat: bool) -> "Settings":
        """The same with the prompt style of a kind of checkpoint, its model type."""
        others = tuple(known for known in self.chat_kinds if known != kind)
        return replace(self, chat_kinds=(kind, *others)[:KINDS_LIMIT] if chat else others)


def settings_file() -> Path:
    """Where settings live on this system."""
    place = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.AppConfigLocation)
    return Path(place) / "settings.json"


def read_settings(path: Path) -> Settings:
    """Settings from a file; defaults when there is none. A damaged file is put aside as `*.bad`."""
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise ValueError("too large")
        return _checked(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError, TypeError, RecursionError):
        _put_aside(path)
        return Settings()


def write_settings(path: Path, settings: Settings) -> bool:
    """Write atomically; False when it cannot be written, and the old file is then untouched."""
    body = json.dumps({"format": FORMAT, **asdict(settings)}, ensure_ascii=False, indent=1).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    file = QSaveFile(str(path))
    if not file.open(QIODevice.OpenModeFlag.WriteOnly):
        return False
    if file.write(body) != len(body):  # a short write would be committed without an error
        file.cancelWriting()
    return bool(file.commit())


def _checked(values: Any) -> Settings:
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError("not settings of this format")
    known = {field.name: values[field.name] for field in fields(Settings) if field.name in values}
    settings = Settings(**known)
    window = tuple(int(number) for number in settings.window)
    recent = tuple(str(path) for path in settings.recent)[:RECENT_LIMIT]
    theme = settings.theme if settings.theme in ("system", "light", "dark") else "system"
    kinds = tuple(str(kind) for kind in settings.chat_kinds)[:KINDS_LIMIT]
    return Settings(theme, bool(settings.colour_blind), window if len(window) == 4 else (), recent, kinds)


def _put_aside(path: Path) -> None:
    try:
        path.replace(path.with_suffix(".bad"))
    except OSError:
        return
