"""Case 29: a chat template that loops, fills the memory, reaches out or makes no sense costs itself only."""

import pytest

from model.checkpoint.chat import ChatTemplate, chat_spans
from model.problems import Problem

ENDLESS = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
DOUBLING = (
    "{% set ns = namespace(x='a' * 999) %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}"
)
BAD = {
    "endless loop": (ENDLESS, "it took longer than 0.3 s"),
    "10**11 characters": ("{{ 'a' * 10**11 }}", "it needed more than 64 MB"),
    "10**11 characters, computed late": ("{{ messages[0].content * 10**11 }}", "it needed more than 64 MB"),
    "text that doubles 99 times": (DOUBLING, "it needed more than 64 MB"),
    "a range of a billion": ("{% for i in range(10**9) %}{% endfor %}", "Range too big"),
    "a number of a billion digits": ("{{ 10 ** (10 ** 9) }}", "it took longer than 0.3 s"),
    "recursion": ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "it calls itself without end"),
    "attribute escape": ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
    "format escape": ("{{ '{0.__class__.__init__.__globals__}'.format(messages) }}", "unsafe"),
    "a method that changes a list": ("{{ messages.append(1) }}", "unsafe"),
    "include": ("{% include '/etc/passwd' %}", "no loader"),
    "syntax error": ("{% if %}", "line 1"),
    "its own refusal": ("{{ raise_exception('System role not supported') }}", "System role not supported"),
    "a missing message": ("{{ messages[7].content.x }}", "no element 7"),
}


@pytest.mark.parametrize("name", BAD)
def test_case_29_a_bad_template_is_refused_with_its_cause(name: str) -> None:
    text, phrase = BAD[name]
    # Only what never ends is held to a short time: the others must get to their own end on a busy machine too.
    seconds = 0.3 if "0.3 s" in phrase else 60.0
    with pytest.raises(Problem) as refusal:
        chat_spans(ChatTemplate(text, "chat_template.jinja", {}), "hello", controls=(), seconds=seconds)
    sentence = str(refusal.value)
    assert phrase in sentence
    assert sentence.startswith("The chat template of chat_template.jinja failed")
    assert sentence.endswith("use a raw prompt.")
    assert sentence.isprintable()
    assert len(sentence) < 500


def test_case_29_what_is_blocked_without_an_error_gives_nothing_away() -> None:
    spans = chat_spans(ChatTemplate("{{ '' | attr('__class__') }}", "x", {}), "hello", controls=())
    assert "".join(span.text for span in spans) == ""


def test_case_29_a_template_is_told_no_date_and_no_file() -> None:
    text = "{{ strftime_now is defined }} {{ environment is defined }} {{ cycler is defined and 'x' }}"
    spans = chat_spans(ChatTemplate(text, "x", {}), "hello", controls=())
    assert "".join(span.text for span in spans) == "False False x"
