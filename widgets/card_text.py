"""A model card's Markdown as plain blocks: headings, paragraphs, items, code, tables. Outside text, never markup.

Only what helps reading is understood. Everything else stays the text it is; tags and pictures are left out, links
show their address, and nothing is ever handed to Qt as rich text.
"""

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["heading", "paragraph", "item", "code", "table"]

MOST_BLOCKS = 300
MOST_ROWS, MOST_COLUMNS = 60, 8
LONGEST_BLOCK = 4000
LONGEST_CELL = 120
FRONT_KEYS = ("license", "license_name", "language", "base_model", "pipeline_tag", "tags", "datasets")

_TAG = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]{0,300}>", re.DOTALL)
_FENCED = re.compile(r"(^```[^\n]*\n.*?^```)", re.DOTALL | re.MULTILINE)
_PICTURE = re.compile(r"!\[([^\]\n]{0,200})\]\([^)\n]{0,500}\)")
_LINK = re.compile(r"\[([^\]\n]{1,300})\]\(([^)\s]{1,300})[^)\n]{0,100}\)")
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.{1,500}?)(?<=\S)\1")
_RULE = re.compile(r"^\s*([-*_=]\s*){3,}$")
_ITEM = re.compile(r"^\s{0,12}(?:[-*+]|\d{1,3}[.)])\s+(.*)$")


@dataclass(frozen=True, slots=True)
class Block:
    """One block; `level` counts for headings, `rows` for tables, whose first row names the columns."""

    kind: Kind
    text: str = ""
    level: int = 0
    rows: tuple[tuple[str, ...], ...] = ()


def parse_card(text: str) -> tuple[dict[str, str], list[Block]]:
    """The front matter's known keys, and the first few hundred blocks."""
    front, body = _front(text.replace("\r\n", "\n").replace("\x00", "�"))
    # What is fenced is code, in which angle brackets are what they are.
    parts = _FENCED.split(body)
    lines = "".join(part if at % 2 else _TAG.sub("", part) for at, part in enumerate(parts)).split("\n")
    blocks: list[Block] = []
    place = 0
    while place < len(lines) and len(blocks) < MOST_BLOCKS:
        block, place = _block(lines, place)
        if block is not None:
            blocks.append(block)
    return front, blocks


def inline(text: str) -> str:
    """A line without marks of emphasis, its links as `words (address)`."""
    text = _PICTURE.sub(r"\1", text)
    text = _LINK.sub(lambda found: found[1] if found[1] == found[2] else f"{found[1]} ({found[2]})", text)
    return _STRONG.sub(r"\2", text).replace("`", "").strip()[:LONGEST_BLOCK]


def _front(text: str) -> tuple[dict[str, str], str]:
    """Lines `key: value` or `key:` with `- value` below, between two lines of three dashes at the very beginning."""
    if not text.startswith("---\n"):
        return {}, text
    head, end, body = text[4:].partition("\n---\n")
    if not end:
        return {}, text
    found: dict[str, list[str]] = {}
    key = ""
    for line in head.split("\n")[:200]:
        item = _ITEM.match(line)
        if item is not None and key:
            found[key].append(item[1])
        elif ":" in line and not line.startswith(" "):
            key, _, value = line.partition(":")
            found[key] = [value.strip().strip("[]")] if value.strip() else []
    return {key: ", ".join(found[key])[:300] for key in FRONT_KEYS if found.get(key)}, body


def _block(lines: list[str], place: int) -> tuple[Block | None, int]:
    """The block that begins at a line, or None for an empty one, and the line behind it."""
    line = lines[place].strip()
    if not line or _RULE.match(line):
        return None, place + 1
    if line.startswith("```") or line.startswith("~~~"):
        return _code(lines, place, fence=line[:3])
    if line.startswith("#"):
        words = line.lstrip("#")
        return Block("heading", inline(words), level=min(len(line) - len(words), 6)), place + 1
    if line.startswith("|") and place + 1 < len(lines) and set(lines[place + 1].strip()) <= set("|-: "):
        return _table(lines, place)
    item = _ITEM.match(lines[place])
    if item is not None:
        text, place = _together(lines, place + 1, [item[1]])
        return Block("item", text), place
    text, place = _together(lines, place + 1, [line.lstrip("> ")])
    return (Block("paragraph", text) if text else None), place


def _together(lines: list[str], place: int, words: list[str]) -> tuple[str, int]:
    """Lines up to an empty one, or to one that begins something else, as one text."""
    while place < len(lines):
        line = lines[place].strip()
        if not line or line.startswith(("#", "|", "```", "~~~")) or _ITEM.match(lines[place]) or _RULE.match(line):
            break
        words.append(line.lstrip("> "))
        place += 1
    return inline(" ".join(words)), place


def _code(lines: list[str], place: int, *, fence: str) -> tuple[Block, int]:
    end = next((at for at in range(place + 1, len(lines)) if lines[at].strip().startswith(fence)), len(lines))
    return Block("code", "\n".join(lines[place + 1 : end])[:LONGEST_BLOCK]), end + 1


def _table(lines: list[str], place: int) -> tuple[Block, int]:
    rows = [_cells(lines[place])]
    place += 2
    while place < len(lines) and lines[place].strip().startswith("|"):
        if len(rows) < MOST_ROWS:
            rows.append(_cells(lines[place]))
        place += 1
    width = min(max(map(len, rows)), MOST_COLUMNS)
    return Block("table", rows=tuple(tuple((*row, *[""] * width)[:width]) for row in rows)), place


def _cells(line: str) -> list[str]:
    return [inline(cell)[:LONGEST_CELL] for cell in line.strip().strip("|").split("|")]
