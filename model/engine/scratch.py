"""Where runs without a folder of their own are recorded: a temporary folder that goes with the window.

The folder carries the number of the engine's parent process. When an engine dies its runs stay, so that
they can be opened again; a later engine removes folders whose parent process is gone.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path

_NAME = re.compile(r"latent-loupe-(\d+)-\w+", re.ASCII)


class Scratch:
    """Made when first needed, removed by `close`."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def folder(self, name: str) -> Path:
        """A path for one run; its parent exists."""
        if self._folder is None:
            _sweep()
            self._folder = Path(tempfile.mkdtemp(prefix=f"latent-loupe-{os.getppid()}-"))
        return self._folder / name

    def close(self) -> None:
        """Remove everything."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _sweep() -> None:
    for entry in Path(tempfile.gettempdir()).glob("latent-loupe-*"):
        match = _NAME.fullmatch(entry.name)
        if match and entry.is_dir() and not entry.is_symlink() and _ours(entry) and not _alive(int(match[1])):
            shutil.rmtree(entry, ignore_errors=True)


def _ours(entry: Path) -> bool:
    return entry.stat().st_uid == os.getuid()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True
