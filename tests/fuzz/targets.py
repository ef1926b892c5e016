"""What is fuzzed: one function per reader of outside text or bytes, that takes anything and may only refuse.

A target raises nothing for what its reader refuses in the way it promises; whatever else comes out of it is a find.
What a reader accepts is checked against its own limits and, where there is one, against the library for the format.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from safetensors import safe_open

from model.checkpoint.chat import ChatTemplate, chat_spans, read_template, template_notes
from model.checkpoint.families.table import parse_config
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.formats.scheme import read_scheme
from model.checkpoint.gguf.container import read_container
from model.checkpoint.summary import summarise
from model.checkpoint.tokenizer import Tokenizer
from model.checkpoint.tokenizer_files import read_tokenizer
from model.expert_profile import NAME_LIMIT, read_profile
from model.messages import Array, decode_command, decode_event
from model.network.rope import frequencies, softmax_scale
from model.outside import parse_json
from model.problems import Problem
from model.recording.recording import Recording
from model.shapes import parameters_total
from model.tensorfile import read_header
from tests.bad.limits import check_container, check_header
from tests.fuzz import seeds
from widgets.card_text import LONGEST_BLOCK, MOST_BLOCKS, MOST_ROWS, parse_card

TEXTS = ("hello world", "", "a<｜User｜>b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaab", "世界 👋🏽\n", "e" + "\u0301" * 20)


class Target(NamedTuple):
    """`run` gets the bytes and a folder of its own; `seeds` are sound inputs; `is_json`: they are JSON texts."""

    run: Callable[[bytes, Path], None]
    seeds: Callable[[], list[bytes]]
    is_json: bool = True


@contextmanager
def refusing() -> Iterator[None]:
    """A refusal as the readers promise it: one printable sentence of bounded length."""
    try:
        yield
    except Problem as problem:
        text = str(problem)
        assert text.endswith("."), text
        assert text.isprintable(), ascii(text)
        assert len(text) < 1000, text


def safetensors(data: bytes, folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(data)
    with refusing():
        header = read_header(path)
        check_header(header)
        with safe_open(path, framework="np") as file:
            assert set(file.keys()) == header.entries.keys()


def gguf(data: bytes, folder: Path) -> None:
    path = folder / "model.gguf"
    path.write_bytes(data)
    with refusing():
        check_container(read_container(path))


def gguf_model(data: bytes, folder: Path) -> None:
    """The front of a GGUF file as a model and as a tokenizer; the data behind it are a hole."""
    path = folder / "model.gguf"
    path.write_bytes(data)
    os.truncate(path, len(data) + 2**17)
    with refusing():
        summarise(read_checkpoint(path))
    with refusing():
        _try_tokenizer(read_tokenizer(path, vocab_size=300))
    with refusing():
        read_template(path)


def config(data: bytes, folder: Path) -> None:
    with refusing():
        values = parse_json(data, where="config.json")
        if isinstance(values, dict):
            read_scheme(values, Path("config.json"))
            parsed = parse_config(values, Path("config.json"))
            assert parameters_total(parsed.config) > 0
            assert all(note.isprintable() for note in parsed.notes)
            frequencies(parsed.config.rope, parsed.config.qk_rope_head_dim)
            softmax_scale(parsed.config)


def checkpoint(data: bytes, folder: Path) -> None:
    """A whole folder: {"config": …, "header": …}; its weights are a hole of the size that the header asks for."""
    with suppress(ValueError, RecursionError):
        parts = json.loads(data)
        if not isinstance(parts, dict):
            return
        (folder / "config.json").write_text(json.dumps(parts.get("config")))
        header = json.dumps(parts.get("header")).encode()
        path = folder / "model.safetensors"
        path.write_bytes(len(header).to_bytes(8, "little") + header)
        os.truncate(path, 8 + len(header) + _end(parts.get("header")))
    with refusing():
        summarise(read_checkpoint(folder))


def _end(header: Any) -> int:
    ends = [0]
    for entry in header.values() if isinstance(header, dict) else ():
        offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
        if isinstance(offsets, list) and offsets and type(offsets[-1]) is int:
            ends.append(offsets[-1])
    return min(max(ends), 2**40)


def index(data: bytes, folder: Path) -> None:
    seeds.write_shards(folder)
    (folder / "model.safetensors.index.json").write_bytes(data)
    with refusing():
        read_checkpoint(folder)


def tokenizer(data: bytes, folder: Path) -> None:
    (folder / "tokenizer.json").write_bytes(data)
    with refusing():
        _try_tokenizer(read_tokenizer(folder, vocab_size=300))


def tiktoken(data: bytes, folder: Path) -> None:
    (folder / "tiktoken.model").write_bytes(data)
    with refusing():
        _try_tokenizer(read_tokenizer(folder, vocab_size=600))


def settings(data: bytes, folder: Path) -> None:
    """`tokenizer_config.json` beside a sound tokenizer: its special tokens and chat templates."""
    (folder / "tokenizer.json").write_bytes(seeds.tokenizers_()[0])
    (folder / "tokenizer_config.json").write_bytes(data)
    with refusing():
        _try_tokenizer(read_tokenizer(folder, vocab_size=300))
    with refusing():
        read_template(folder)
    assert all(note.isprintable() for note in template_notes(folder)[1])


def _try_tokenizer(read: Tokenizer | None) -> None:
    for text in TEXTS if read is not None else ():
        with refusing():
            assert read is not None
            ids = read.encode(text, parse_control=True)
            assert all(0 <= token < 600 for token in ids)
            assert len(read.pieces(ids)) == len(ids)
            read.decode(ids)


def template(data: bytes, _folder: Path) -> None:
    """A chat template, rendered in its helper process as the engine does it: a few a second, so most are valid."""
    chat = ChatTemplate(data.decode("utf-8", "replace"), "chat_template.jinja", {"bos_token": "<s>"})
    began = time.monotonic()
    with refusing():
        chat_spans(chat, "hello", "be brief", controls=("<s>",), seconds=0.5)
    assert time.monotonic() - began < 8


def manifest(data: bytes, folder: Path) -> None:
    seeds.copy_run(folder)
    (folder / "manifest.json").write_bytes(data)
    _open_recording(folder)


def chunk(data: bytes, folder: Path) -> None:
    seeds.copy_run(folder)
    (folder / seeds.CHUNK).write_bytes(data)
    _open_recording(folder)


def _open_recording(folder: Path) -> None:
    with refusing():
        recording = Recording.open(folder)
        assert recording.tokens <= seeds.RUN_TOKENS
        recording.texts()
        for name, column in recording.columns.items():
            if column.kind != "heavy":
                recording.light(name)


def profile(data: bytes, folder: Path) -> None:
    path = folder / "experts.json"
    path.write_bytes(data)
    with refusing():
        found = read_profile(path)
        for layer in found.layers:
            for expert in layer.experts:
                assert all(0.0 <= rate <= 1.0 for rate in found.rates(expert))
                assert all(len(token.text) <= NAME_LIMIT for token in expert.typical)


def card(data: bytes, _folder: Path) -> None:
    began = time.monotonic()
    _front, blocks = parse_card(data.decode("utf-8", "replace"))
    assert len(blocks) <= MOST_BLOCKS
    assert all(len(block.text) <= LONGEST_BLOCK and len(block.rows) <= MOST_ROWS for block in blocks)
    assert time.monotonic() - began < 5.0


def commands(data: bytes, _folder: Path) -> None:
    with suppress(msgspec.DecodeError):
        decode_command(data)


def events(data: bytes, _folder: Path) -> None:
    with suppress(msgspec.DecodeError):
        event = decode_event(data)
        for name in event.__struct_fields__:
            value = getattr(event, name)
            if isinstance(value, Array):
                assert value.numpy().shape == value.shape


TARGETS: dict[str, Target] = {
    "safetensors": Target(safetensors, seeds.safetensors),
    "gguf": Target(gguf, seeds.gguf, is_json=False),
    "gguf-model": Target(gguf_model, seeds.gguf_models, is_json=False),
    "config": Target(config, seeds.configs),
    "checkpoint": Target(checkpoint, seeds.checkpoints),
    "index": Target(index, seeds.indices),
    "tokenizer": Target(tokenizer, seeds.tokenizers_),
    "tiktoken": Target(tiktoken, seeds.tiktokens, is_json=False),
    "settings": Target(settings, seeds.settings),
    "template": Target(template, seeds.templates, is_json=False),
    "manifest": Target(manifest, seeds.manifests),
    "chunk": Target(chunk, seeds.chunks),
    "profile": Target(profile, seeds.profiles),
    "card": Target(card, seeds.cards, is_json=False),
    "commands": Target(commands, seeds.commands, is_json=False),
    "events": Target(events, seeds.events, is_json=False),
}
