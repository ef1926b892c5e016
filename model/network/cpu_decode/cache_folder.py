"""Where machine code is kept between starts: beside the sources, or with the user's other caches."""

import os
import shutil
import sys
import tempfile
from pathlib import Path


def cache_folder(name: str, *, asked: str = "", home: Path | None = None, beside: Path | None = None) -> Path:
    """The first folder that can be written, named `name`; those of other versions beside it are deleted.

    `asked` is what the environment asks for, `beside` stands in for the sources' own folder, `home` for the user's.
    """
    places = [
        *([Path(asked)] if asked else []),
        (beside or Path(__file__).parent) / "__pycache__",
        _user_caches(home or Path.home()) / "latent-loupe",
    ]
    for place in places:
        folder = place / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"probe-{os.getpid()}").touch()
            (folder / f"probe-{os.getpid()}").unlink()
        except OSError:
            continue
        for other in place.glob(name.partition("-")[0] + "-*"):
            if other.name != name:
                shutil.rmtree(other, ignore_errors=True)
        return folder
    return Path(tempfile.mkdtemp(prefix=name))


def _user_caches(home: Path) -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    if sys.platform == "darwin":
        return home / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
