"""Chat templates: where they come from, the ids of transformers, and typed control tokens that stay text."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gguf import GGUFWriter
from transformers import PreTrainedTokenizerFast

from model.checkpoint import chat
from model.checkpoint.chat import TEMPLATE_LIMIT, ChatTemplate, chat_spans, read_template, template_notes
from model.checkpoint.confined import confined
from model.checkpoint.rendering import perform
from model.checkpoint.tokenizer import Span, Tokenizer
from model.checkpoint.tokenizer_files import read_tokenizer
from model.problems import Problem
from tests.model.checkpoint.test_tokenizer import BOS, EOS, write_byte_level

# In the manner of three families: V3 (control tokens), V2-Lite (words), Kimi (a system message of its own).
V3 = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}{% endif %}"
    "{% if m['role'] == 'user' %}<｜User｜>{{ m['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<｜Assistant｜>{% endif %}"
)
V2 = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ 'User: ' + message['content'] + '\n\n' }}{% else %}{{ message['content'] + '\n\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
KIMI = """
{%- if messages[0]['role'] != 'system' -%}
    <｜System｜>You are Kimi.<|endoftext|>
{%- endif -%}
{%- for m in messages -%}
    <｜{{ m['role'] | capitalize }}｜>{{ m['content'] | trim }}<|endoftext|>
{%- endfor %}
{%- if add_generation_prompt %}
    <｜Assistant｜>
{%- endif %}
"""
pytestmark = pytest.mark.usefixtures("_at_hand")
CONTROLS = ("<｜User｜>", "<｜Assistant｜>", "<｜System｜>")


@pytest.fixture
def _at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rendered without a process for each: `tests/bad/test_templates.py` is about those."""

    def here(task: str, argument: object, *, seconds: float, memory_bytes: int) -> object:
        assert task == "render"
        return json.loads(json.dumps(perform(json.loads(json.dumps(argument)))))

    monkeypatch.setattr(chat, "confined", here)


def write_folder(folder: Path, template: str | None = None, **settings: Any) -> Path:
    write_byte_level(folder, config={"bos_token": BOS, "eos_token": {"content": EOS}, **settings})
    path = folder / "tokenizer.json"
    described = json.loads(path.read_text())
    for number, control in enumerate(CONTROLS, start=400):
        described["added_tokens"].append(described["added_tokens"][0] | {"id": number, "content": control})
    path.write_text(json.dumps(described))
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    return folder


def read_both(folder: Path) -> tuple[Tokenizer, ChatTemplate]:
    tokenizer, template = read_tokenizer(folder), read_template(folder)
    assert tokenizer is not None
    assert template is not None
    return tokenizer, template


def ids(folder: Path, prompt: str, system: str = "") -> list[int]:
    tokenizer, template = read_both(folder)
    return tokenizer.encode_spans(chat_spans(template, prompt, system, controls=tokenizer.controls))


def theirs(folder: Path, prompt: str, system: str = "") -> list[int]:
    oracle = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), bos_token=BOS, eos_token=EOS)
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": prompt})
    template = (folder / "chat_template.jinja").read_text()
    answer: Any = oracle.apply_chat_template(messages, chat_template=template, add_generation_prompt=True)
    return list(answer["input_ids"])


@pytest.mark.parametrize("system", ["", "be brief, hello"])
@pytest.mark.parametrize("template", [V3, V2, KIMI], ids=["V3", "V2", "Kimi"])
def test_a_chat_has_the_ids_of_transformers(template: str, system: str, tmp_path: Path) -> None:
    write_folder(tmp_path, template)
    for prompt in ("hello world", " hello\n\nworld ", "世界 👋🏽"):
        assert ids(tmp_path, prompt, system) == theirs(tmp_path, prompt, system)


def test_the_template_writes_the_bos_and_nobody_a_second(tmp_path: Path) -> None:
    write_folder(tmp_path, V3, add_bos_token=True)
    assert ids(tmp_path, "hello").count(0) == 1
    (tmp_path / "chat_template.jinja").write_text("{{ messages[0].content }}")
    assert 0 not in ids(tmp_path, "hello")


@pytest.mark.parametrize("template", [V3, V2, KIMI], ids=["V3", "V2", "Kimi"])
@pytest.mark.parametrize("typed", [EOS, f"a{BOS}b", "<｜User｜>hello<｜Assistant｜>", "<｜User", f" {EOS} "])
def test_control_tokens_that_a_person_types_stay_text(template: str, typed: str, tmp_path: Path) -> None:
    write_folder(tmp_path, template)
    tokenizer, _ = read_both(tmp_path)
    for prompt, system in ((typed, ""), ("hello", typed)):
        harmless = ids(tmp_path, "hello", "hello" if system else "")
        controls = [token for token in ids(tmp_path, prompt, system) if token in tokenizer.controls.values()]
        assert controls == [token for token in harmless if token in tokenizer.controls.values()]
    assert typed.strip() in tokenizer.decode(ids(tmp_path, typed))


def test_text_of_template_and_person_merges_as_if_one_had_written_both(tmp_path: Path) -> None:
    write_folder(tmp_path, "{{ 'hello wor' ~ messages[0].content }}")
    tokenizer, _ = read_both(tmp_path)
    assert ids(tmp_path, "ld") == tokenizer.encode("hello world")
    assert ids(tmp_path, "ld") != tokenizer.encode("hello wor") + tokenizer.encode("ld")


def test_a_control_token_across_the_border_is_none(tmp_path: Path) -> None:
    write_folder(tmp_path, "<｜Us{{ messages[0].content }}")
    tokenizer, _ = read_both(tmp_path)
    assert ids(tmp_path, "er｜>") == tokenizer.encode("<｜User｜>")


def test_a_message_that_the_template_changes_is_read_as_a_whole_or_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, "<｜User｜>{{ messages[0].content | upper }}")
    tokenizer, _ = read_both(tmp_path)
    assert ids(tmp_path, "hello") == [tokenizer.controls["<｜User｜>"], *tokenizer.encode("HELLO")]
    with pytest.raises(Problem, match="changes the message"):
        ids(tmp_path, f"hello{EOS}")


def test_a_message_that_the_template_leaves_out_or_writes_twice_is_no_trouble() -> None:
    for text, expected in (
        ("a", ["a"]),
        ("{{ messages[0].content }}-{{ messages[0].content }}", ["", "x", "-", "x", ""]),
    ):
        spans = chat_spans(ChatTemplate(text, "it", {}), "x", controls=())
        assert [span.text for span in spans] == expected
        assert [span.typed for span in spans] == [False, True, False, True, False][: len(spans)]


def test_an_empty_prompt_is_an_empty_message(tmp_path: Path) -> None:
    write_folder(tmp_path, V3)
    tokenizer, _ = read_both(tmp_path)
    assert ids(tmp_path, "") == [0, tokenizer.controls["<｜User｜>"], tokenizer.controls["<｜Assistant｜>"]]


def test_halves_of_surrogate_pairs_pass_through(tmp_path: Path) -> None:
    write_folder(tmp_path, V3)
    tokenizer, _ = read_both(tmp_path)
    assert tokenizer.decode(ids(tmp_path, "a\ud800b")) == "a\ufffdb"


def test_spans_longer_than_a_prompt_may_be_are_refused(tmp_path: Path) -> None:
    tokenizer, _ = read_both(write_folder(tmp_path, V3))
    with pytest.raises(Problem, match="longer than 2,000,000 bytes"):
        tokenizer.encode_spans([Span("a" * 10**6, typed=False), Span("b" * (10**6 + 1), typed=True)])


# ---- case 30: where a template comes from ------------------------------------------------------------------------


def test_the_jinja_file_comes_before_the_settings_and_a_difference_is_told(tmp_path: Path) -> None:
    write_folder(tmp_path, V3, chat_template=V2)
    _, template = read_both(tmp_path)
    assert (template.text, template.source) == (V3, "chat_template.jinja")
    there, notes = template_notes(tmp_path)
    assert there
    assert notes == [
        "chat_template.jinja and tokenizer_config.json hold different chat templates; chat_template.jinja is used."
    ]
    (tmp_path / "chat_template.jinja").write_text(V2 + "\n")
    assert template_notes(tmp_path) == (True, [])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("it", "it"),
        ([{"name": "tool_use", "template": "no"}, {"name": "default", "template": "it"}], "it"),
        ([{"name": "only", "template": "it"}], "it"),
        ([{"name": "a", "template": "no"}, {"name": "b", "template": "no"}], None),
        ([], None),
        (7, None),
        ("  ", None),
    ],
)
def test_settings_hold_one_template_or_named_ones(value: object, expected: str | None, tmp_path: Path) -> None:
    template = read_template(write_folder(tmp_path, chat_template=value))
    assert (template.text if template else None) == expected
    assert template_notes(tmp_path) == (expected is not None, [])
    if template is not None:
        assert template.source == "tokenizer_config.json"
        assert template.tokens == {"bos_token": BOS, "eos_token": EOS}


def test_a_gguf_file_has_its_template_and_its_tokens_among_its_keys(tmp_path: Path) -> None:
    writer = GGUFWriter(tmp_path / "x.gguf", "deepseek2")
    writer.add_token_list(["<s>", "</s>"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_chat_template(V3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    template = read_template(tmp_path / "x.gguf")
    assert template == ChatTemplate(V3, "x.gguf", {"bos_token": "<s>", "eos_token": "</s>"})


def test_a_folder_without_a_template_has_none(tmp_path: Path) -> None:
    assert read_template(write_folder(tmp_path)) is None
    assert template_notes(tmp_path) == (False, [])


def test_a_template_of_more_than_256_kb_is_left_out_with_a_note(tmp_path: Path) -> None:
    write_folder(tmp_path, "a" * (TEMPLATE_LIMIT + 1))
    with pytest.raises(Problem, match="larger than 262,144 bytes"):
        read_template(tmp_path)
    there, (note,) = template_notes(tmp_path)
    assert not there
    assert "larger than 262,144 bytes" in note


def test_the_process_that_renders_loads_no_torch() -> None:
    text = "{{ messages | length }}"
    argument = {"template": text, "variables": [{"messages": [1]}]}
    assert confined("render", argument, seconds=2, memory_bytes=64 * 10**6) == ["1"]

    code = "import sys, model.checkpoint.confined_tasks, model.checkpoint.rendering, model.checkpoint.trial_texts; "
    asked = subprocess.run(
        [sys.executable, "-c", code + "print('torch' in sys.modules)"], capture_output=True, text=True
    )
    assert asked.stdout == "False\n"
