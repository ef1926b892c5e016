"""Cards as plain blocks: what is understood, what is left out, and what no card can do."""

import pytest

from widgets.card_text import LONGEST_BLOCK, MOST_BLOCKS, MOST_COLUMNS, MOST_ROWS, Block, inline, parse_card

CARD = """---
license: mit
language: [en, zh]
tags:
- moe
- mla
unknown: x
---

# Tiny

A **small** model of
[its makers](https://example.org/a) and `code`.

- one
  more
- two

| a | b |
|---|--:|
| 1 | **2** |

```
x < y
# no heading
```
"""


def test_a_card_becomes_headings_paragraphs_items_tables_and_code():
    front, blocks = parse_card(CARD)
    assert front == {"license": "mit", "language": "en, zh", "tags": "moe, mla"}
    assert blocks == [
        Block("heading", "Tiny", level=1),
        Block("paragraph", "A small model of its makers (https://example.org/a) and code."),
        Block("item", "one more"),
        Block("item", "two"),
        Block("table", rows=(("a", "b"), ("1", "2"))),
        Block("code", "x < y\n# no heading"),
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<div align='center'><img src=x onerror=y>Hello</div>", "Hello"),
        ("<!-- hidden\nwords -->Seen", "Seen"),
        ("a <|endoftext|> b", "a <|endoftext|> b"),
        ("![logo](http://x/y.png) word", "logo word"),
        ("<script>alert(1)</script>", "alert(1)"),
    ],
)
def test_tags_and_pictures_are_left_out_and_tokens_are_not(text: str, shown: str):
    assert [block.text for block in parse_card(text)[1]] == [shown]


def test_angle_brackets_in_code_stay():
    blocks = parse_card("<p>a</p>\n\n```text\n<bear [fox]>\n```\n\n<i>b</i>")[1]
    assert [(block.kind, block.text) for block in blocks] == [
        ("paragraph", "a"),
        ("code", "<bear [fox]>"),
        ("paragraph", "b"),
    ]


def test_front_matter_that_does_not_end_is_text():
    front, blocks = parse_card("---\nlicense: mit\nmore")
    assert front == {}
    assert blocks[0].text.startswith("license: mit")


@pytest.mark.parametrize(
    "text",
    [
        *("", "\n" * 9999, "|", "|\n|", "```", "---\n---\n", "#" * 99),
        *("* " * 50_000, "[" * 99_999, "**" * 50_000, "<a" * 50_000),
    ],
)
def test_odd_texts_come_to_an_end(text: str):
    _front, blocks = parse_card(text)
    assert len(blocks) <= MOST_BLOCKS
    assert all(len(block.text) <= LONGEST_BLOCK for block in blocks)


def test_everything_is_bounded():
    _front, blocks = parse_card("\n\n".join(["word"] * 10_000))
    assert len(blocks) == MOST_BLOCKS
    wide = "|".join("x" * 500 for _ in range(100))
    table = parse_card("\n".join([f"|{wide}|", "|---|", *[f"|{wide}|"] * 500]))[1][0]
    assert len(table.rows) == MOST_ROWS
    assert {len(row) for row in table.rows} == {MOST_COLUMNS}
    assert len(inline("x" * 100_000)) == LONGEST_BLOCK
