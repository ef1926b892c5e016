"""The checkpoint that comes with the program."""

from pathlib import Path

BUNDLED = Path(__file__).resolve().parent.parent / "resources" / "loupe-mini"


def checkpoint_path(named: str | None) -> str:
    """The checkpoint a person named, or the bundled one; absolute, since the engine is another process."""
    return str(BUNDLED if named is None else Path(named).expanduser().absolute())
