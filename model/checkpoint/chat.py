"""The chat template of a checkpoint: where it comes from, and a prompt put into it.

Looked for in this order, the first one counts: `chat_template.jinja`, then `chat_template` in
`tokenizer_config.json` (a text, or a list of named ones of which "default" is meant); in a GGUF file its key.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from model.checkpoint.confined import confined
from model.checkpoint.gguf.container import read_container
from model.checkpoint.gguf.parts import first_part
from model.checkpoint.gguf.vocabulary import token_named
from model.checkpoint.tokenizer import Span
from model.checkpoint.tokenizer_json import SETTINGS, read_settings, token_text
from model.outside import read_bounded
from model.problems import Problem

JINJA = "chat_template.jinja"
TEMPLATE_LIMIT = 256 * 2**10  # bytes
RENDER_SECONDS = 2.0
RENDER_BYTES = 64 * 10**6
_ROLES = ("bos", "eos", "unk", "pad")
_KEY = "chat_template"


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A template, the file it is from, and the tokens that it may write by name ("bos_token" and so on)."""

    text: str
    source: str
    tokens: Mapping[str, str]


def read_template(path: str | Path) -> ChatTemplate | None:
    """The template of a checkpoint folder or a GGUF file, or None. Raises Problem when the file of one is damaged."""
    path = Path(path)
    if path.suffix == ".gguf" and not path.is_dir():
        path = first_part(path)
        return gguf_template(read_container(path).metadata, path)
    found = _in_folder(path)
    if not found:
        return None
    settings = read_settings(path)
    named = {f"{role}_token": token_text(settings.get(f"{role}_token")) for role in _ROLES}
    source, text = found[0]
    return ChatTemplate(text, source, {name: token for name, token in named.items() if token is not None})


def template_notes(folder: Path) -> tuple[bool, list[str]]:
    """Whether a folder has a template, and what a person should know: never raises."""
    try:
        found = _in_folder(folder)
    except Problem as problem:
        return False, [f"The chat template is left out: {problem}"]
    if len(found) > 1 and found[0][1].strip() != found[1][1].strip():
        return True, [f"{found[0][0]} and {found[1][0]} hold different chat templates; {found[0][0]} is used."]
    return bool(found), []


def gguf_template(metadata: Mapping[str, object], path: Path) -> ChatTemplate | None:
    """The template among the keys of a GGUF file, or None. Raises Problem for one that is too long."""
    text = metadata.get("tokenizer.chat_template")
    if not isinstance(text, str) or not text:
        return None
    named = {f"{role}_token": token_named(metadata, role) for role in _ROLES}
    tokens = {name: token for name, token in named.items() if token is not None}
    return ChatTemplate(_bounded(text, str(path)), path.name, tokens)


def chat_spans(
    template: ChatTemplate,
    prompt: str,
    system: str = "",
    *,
    controls: Collection[str],
    seconds: float = RENDER_SECONDS,
) -> list[Span]:
    """One user message, behind a system message if there is one, as the template writes them, up to the answer.

    What the person typed stays apart from what the template wrote: it is rendered once more with marks in the
    messages' place, which show where they have come out. `controls` are the tokenizer's control tokens. Raises
    Problem when the template fails, takes more than its time or 64 MB, or changes a message that has one of them
    in it, so that it could not be told from the template's own.
    """
    typed = [text for text in (system, prompt) if text]
    marks = [f"x{secrets.token_hex(16)}x" for _ in typed]
    variables = [_variables(template, texts, has_system=bool(system)) for texts in (typed, marks)]
    try:
        answer = confined(
            "render",
            {"template": template.text, "variables": variables},
            seconds=seconds,
            memory_bytes=RENDER_BYTES,
        )
    except Problem as problem:
        raise Problem(f"The chat template of {template.source} failed ({problem}); use a raw prompt.") from None
    rendered, marked = map(str, answer)
    for texts in product(*({text: None, text.strip(): None} for text in typed)):
        if (spans := _filled(marked, dict(zip(marks, texts, strict=True)))) and _joined(spans) == rendered:
            return spans
    if any(control in text for control in controls for text in typed):
        raise Problem(
            f"The chat template of {template.source} changes the message, so that control tokens typed in it cannot "
            "be told from its own; leave them out, or use a raw prompt."
        )
    return [Span(rendered, typed=False)]


def _variables(template: ChatTemplate, texts: Sequence[str], *, has_system: bool) -> dict[str, object]:
    roles = ("system", "user") if has_system else ("user",)
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    if len(messages) < len(roles):  # the prompt is empty
        messages.append({"role": "user", "content": ""})
    return {"messages": messages, "add_generation_prompt": True, "tools": None, "documents": None, **template.tokens}


def _filled(marked: str, texts: Mapping[str, str]) -> list[Span]:
    """The marks' places filled again; a template may also write a message twice, or not at all."""
    spans = [Span(marked, typed=False)]
    for mark, text in texts.items():
        spans = [piece for span in spans for piece in ([span] if span.typed else _cut(span.text, mark, text))]
    return spans


def _cut(marked: str, mark: str, text: str) -> list[Span]:
    first, *rest = marked.split(mark)
    return [Span(first, typed=False), *(span for part in rest for span in (Span(text, True), Span(part, False)))]


def _joined(spans: Sequence[Span]) -> str:
    return "".join(span.text for span in spans)


def _in_folder(folder: Path) -> list[tuple[str, str]]:
    """(file, template) of each that there is, the one that counts first."""
    found: list[tuple[str, str]] = []
    path = folder / JINJA
    if path.is_file():
        found.append((JINJA, read_bounded(path, limit=TEMPLATE_LIMIT).decode("utf-8", "replace")))
    if (text := _in_settings(read_settings(folder).get(_KEY))) is not None:
        found.append((SETTINGS, _bounded(text, str(folder / SETTINGS))))
    return [(name, text) for name, text in found if text.strip()]


def _in_settings(value: object) -> str | None:
    """A text, or of named ones the default, or the only one."""
    if not isinstance(value, list):
        return value if isinstance(value, str) else None
    named = {str(entry.get("name")): entry.get("template") for entry in value if isinstance(entry, dict)}
    chosen = named.get("default") if len(named) != 1 else next(iter(named.values()))
    return chosen if isinstance(chosen, str) else None


def _bounded(text: str, where: str) -> str:
    if len(text.encode("utf-8", "replace")) > TEMPLATE_LIMIT:
        raise Problem(f"The chat template of {where} is longer than {TEMPLATE_LIMIT:,} bytes; use a raw prompt.")
    return text
