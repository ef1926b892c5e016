"""Token texts made visible and bounded: spaces, newlines, control characters, half characters."""

import unicodedata

from widgets.scripts import drawable

VISIBLE = {" ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍", "\u00a0": "⍽"}
# Characters that would reorder or hide the text around them.
HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def visible(text: str, *, limit: int = 24, keep_inner_spaces: bool = False) -> str:
    """A token's text for a chip or an axis: one line, nothing invisible, at most `limit` characters.

    A single leading space is dropped when letters follow it, as in running text; other spaces show.
    """
    if not text:
        return "∅"
    if len(text) > 1 and text[0] == " " and not text[1].isspace():
        text = text[1:]
    # Letters and digits only, by far the most tokens: nothing to make visible.
    if text.isalnum() and (text.isascii() or all(drawable(character) for character in text[:limit])):
        return text if len(text) <= limit else text[: limit - 1] + "…"
    shown = "".join(
        character if keep_inner_spaces and character == " " else _visible_character(character)
        for character in text[: limit + 1]
    )
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _visible_character(character: str) -> str:
    if character in VISIBLE:
        return VISIBLE[character]
    if unicodedata.category(character) in HIDDEN_CATEGORIES or not drawable(character):
        return f"‹{ord(character):X}›"
    if unicodedata.combining(character):
        return "◌" + character
    return character
