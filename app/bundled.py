"""What comes with the program: the trained checkpoint and the sample prompts."""

from pathlib import Path

RESOURCES = Path(__file__).resolve().parent.parent / "resources"
STUDY = RESOURCES / "study"  # of MHA, GQA, MQA and MLA, trained alike
BUNDLED = RESOURCES / "loupe-mini"
TOUR = RESOURCES / "tour.json"


def checkpoint_path(named: str | None) -> str:
    """The checkpoint a person named, or the bundled one; absolute, since the engine is another process."""
    return str(BUNDLED if named is None else Path(named).expanduser().absolute())
