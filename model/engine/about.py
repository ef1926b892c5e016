"""The ReadAbout command: what lies beside a checkpoint's weights, for people. Outside text, cut to a bound."""

import os
from pathlib import Path

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.gguf.container import read_container
from model.engine.agenda import Work
from model.engine.opened import aside
from model.expert_profile import FILE_NAME, ExpertProfile, read_profile
from model.messages import About, ReadAbout
from model.outside import open_regular, read_json_object
from model.problems import Problem

CARDS = ("README.md", "README.txt", "README", "MODEL_CARD.md")
SOURCES = ("SOURCES.md",)
LICENCES = ("LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "LICENSE-MODEL", "COPYING")
CARD_LIMIT = 128 * 1024  # bytes shown of a card
LICENCE_LIMIT = 32 * 1024
REPORT, REPORT_LIMIT, MOST_FIGURES = "report.json", 10**6, 1000
GGUF_KEYS = ("name", "description", "author", "organization", "license", "license.name", "url", "source.url")


def about(command: ReadAbout) -> Work:
    """Card, licence, figures and expert profile; what cannot be used is left out, and said. Raises Problem."""
    checkpoint = yield from aside(lambda: read_checkpoint(command.path))
    found = yield from aside(lambda: _found(command.request, checkpoint))
    yield found


def _found(request: int, checkpoint: Checkpoint) -> About:
    path, notes = checkpoint.path, list[str]()
    if path.is_file():
        return About(request=request, path=str(path), card=_gguf_card(path))
    return About(
        request=request,
        path=str(path),
        card="\n\n".join(filter(None, (_first(path, names, CARD_LIMIT, notes) for names in (CARDS, SOURCES)))),
        licence=_first(path, LICENCES, LICENCE_LIMIT, notes),
        report=_report(path / REPORT, notes),
        profile=_profile(checkpoint, notes),
        notes=notes,
    )


def _first(folder: Path, names: tuple[str, ...], limit: int, notes: list[str]) -> str:
    """The beginning of the first of these files that is there."""
    name = next((name for name in names if os.path.lexists(folder / name)), None)
    if name is None:
        return ""
    try:
        with open_regular(folder / name) as file:
            content = file.read(limit + 1)
    except (Problem, OSError) as problem:
        notes.append(str(problem))
        return ""
    if len(content) > limit:
        notes.append(f"{name} is longer than the {limit:,} bytes shown of it.")
    return content[:limit].decode("utf-8", "replace")


def _report(file: Path, notes: list[str]) -> dict[str, float]:
    """Every number of the report by the names on the way to it, joined by points."""
    if not os.path.lexists(file):
        return {}
    figures: dict[str, float] = {}
    try:
        _flatten(read_json_object(file, limit=REPORT_LIMIT), "", figures)
    except Problem as problem:
        notes.append(str(problem))
    return figures


def _flatten(values: dict[str, object], prefix: str, figures: dict[str, float]) -> None:
    for name, value in values.items():
        if len(figures) >= MOST_FIGURES:
            return
        if isinstance(value, dict):
            _flatten(value, f"{prefix}{name}.", figures)
        elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
            figures[f"{prefix}{name}"] = float(value)


def _profile(checkpoint: Checkpoint, notes: list[str]) -> ExpertProfile | None:
    """The profile beside the weights, if it is this model's."""
    file, router = checkpoint.path / FILE_NAME, checkpoint.config.router
    if not os.path.lexists(file) or router is None:
        return None
    try:
        profile = read_profile(file)
    except Problem as problem:
        notes.append(str(problem))
        return None
    sizes = [(layer.layer, len(layer.experts)) for layer in profile.layers]
    if profile.fingerprint != checkpoint.fingerprint or sizes != [
        (layer, router.experts) for layer in checkpoint.config.moe_layers
    ]:
        notes.append(f"{FILE_NAME} was made for another checkpoint; profile the experts again.")
        return None
    return profile


def _gguf_card(path: Path) -> str:
    """What the file's own keys say of it."""
    metadata = read_container(path).metadata
    said = ((key, metadata.get(f"general.{key}")) for key in GGUF_KEYS)
    return "\n\n".join(f"{key}: {value[: CARD_LIMIT // 8]}" for key, value in said if isinstance(value, str) and value)
