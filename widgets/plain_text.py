"""Text from outside, put where Qt would read markup or shortcuts: tooltips and buttons."""

TOOLTIP_LIMIT = 400


def plain_tooltip(text: str, *, limit: int = TOOLTIP_LIMIT) -> str:
    """The text as a tooltip shows it: bounded, and never taken for rich text."""
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return shown.replace("<", "‹").replace("&", "＆")


def plain_label(text: str) -> str:
    """The text as a button shows it: an ampersand is a letter, not a shortcut."""
    return text.replace("&", "&&")
