"""Sound inputs that fuzzing starts from, made when they are asked for."""

import base64
import json
import struct
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from model.checkpoint.families.table import FAMILIES
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.gguf.container import read_container
from model.checkpoint.summary import summarise
from model.config import Sampling
from model.expert_profile import ExpertCounts, ExpertProfile, LayerProfile, TypicalToken
from model.messages import (
    Array,
    AttentionShown,
    Described,
    Failed,
    Generate,
    Heartbeat,
    Message,
    OpenCheckpoint,
    Opened,
    Ready,
    ShowAttention,
    Stop,
    encode,
)
from tests.model.checkpoint.gguf.convert import convert
from tests.model.checkpoint.gguf.hand import ARRAY, I32, TEXT, U32, Gguf, array, key, tensor, text, u32
from tests.model.checkpoint.sample import CONFIG, tensors_of, write_sample, write_sharded
from tests.model.recording.runs import record

RUN_TOKENS = 3
CHUNK = "chunk-000000-0003.safetensors"


@cache
def _folder(made: Any) -> dict[str, bytes]:
    """The files that a writer of the tests leaves in a folder."""
    with tempfile.TemporaryDirectory() as name:
        made(Path(name))
        return {path.name: path.read_bytes() for path in Path(name).iterdir()}


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)


def safetensors() -> list[bytes]:
    small = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"format":"pt"}}'
    return [_folder(write_sample)["model.safetensors"][:200_000], len(small).to_bytes(8, "little") + small + bytes(8)]


def write_shards(folder: Path) -> None:
    _write(folder, _folder(write_sharded))


def indices() -> list[bytes]:
    return [_folder(write_sharded)["model.safetensors.index.json"]]


def gguf() -> list[bytes]:
    keys = [
        key("general.architecture", TEXT, text("deepseek2")),
        u32("general.alignment", 64),
        key("tokenizer.ggml.tokens", ARRAY, array(TEXT, 2, text("a") + text("世"))),
        key("numbers", ARRAY, array(U32, 3, struct.pack("<3I", 1, 2, 3))),
        key("nested", ARRAY, array(ARRAY, 1, array(U32, 1, struct.pack("<I", 1)))),
    ]
    tensors = [tensor("a.weight", [32, 2], 8, 0), tensor("b.weight", [4], 0, 128)]
    return [Gguf(keys, tensors, bytes(144), alignment=64).build(), Gguf().build()]


def gguf_models() -> list[bytes]:
    """Fronts of files: a whole tiny model, and a vocabulary."""
    with tempfile.TemporaryDirectory() as name:
        folder = write_sample(Path(name), rope_parameters={"rope_type": "default", "rope_theta": 10_000.0})
        convert(folder, folder / "model.gguf")
        start = read_container(folder / "model.gguf").data_start
        model = (folder / "model.gguf").read_bytes()[:start]
    pieces = [chr(number) for number in range(ord("!"), ord("~") + 1)]
    tokens = ["<s>", "</s>", *pieces, "ab", "Ġ"]
    kinds = [3, 3, *(1 for _ in tokens[2:])]
    keys = [
        key("general.architecture", TEXT, text("deepseek2")),
        key("tokenizer.ggml.model", TEXT, text("gpt2")),
        key("tokenizer.ggml.pre", TEXT, text("deepseek-llm")),
        key("tokenizer.ggml.tokens", ARRAY, array(TEXT, len(tokens), b"".join(text(token) for token in tokens))),
        key("tokenizer.ggml.merges", ARRAY, array(TEXT, 1, text("a b"))),
        key("tokenizer.ggml.token_type", ARRAY, array(I32, len(kinds), struct.pack(f"<{len(kinds)}i", *kinds))),
        u32("tokenizer.ggml.bos_token_id", 0),
        u32("tokenizer.ggml.eos_token_id", 1),
        key("tokenizer.chat_template", TEXT, text("{{ messages[0].content }}")),
    ]
    return [model, Gguf(keys).build()]


V3 = {
    "model_type": "deepseek_v3",
    "scoring_func": "sigmoid",
    "topk_method": "noaux_tc",
    "norm_topk_prob": True,
    "rope_interleave": True,
    "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096, "beta_fast": 32,
                     "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 1.0},
}  # fmt: skip
FP8 = {"quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}}
INT4 = {
    "quantization_config": {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "config_groups": {
            "group_0": {
                "targets": ["Linear"],
                "weights": {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 32},
            }
        },
        "ignore": ["lm_head", "re:.*self_attn.*"],
    }
}


def configs() -> list[bytes]:
    flat = [CONFIG | changes for changes in ({}, V3, FP8, V3 | FP8, V3 | INT4)]
    families = [CONFIG | V3 | {"model_type": name} for name in FAMILIES]
    nested = [{"model_type": name, "text_config": CONFIG | V3} for name, family in FAMILIES.items() if family.nested]
    return [json.dumps(values).encode() for values in (*flat, *families, *nested)]


def checkpoints() -> list[bytes]:
    found = []
    for changes in ({}, {"n_group": 1, "topk_group": 1, "topk_method": "greedy"}):
        header, end = {}, 0
        for name, (dtype, values) in tensors_of(**changes).items():
            header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [end, end + values.nbytes]}
            end += values.nbytes
        found.append(json.dumps({"config": CONFIG | changes, "header": header}).encode())
    return found


def tokenizers_() -> list[bytes]:
    return [_byte_level(), _sentencepiece()]


def tiktokens() -> list[bytes]:
    tokens = [*(bytes([number]) for number in range(256)), b"ab", b"abc"]
    return [b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens))]


CHAT = (
    "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}"
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '<｜User｜>' + message['content'] | trim }}{% elif message.role == 'system' %}{{ message.content }}{% endif %}"
    "{%- endfor %}{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}"
)


def settings() -> list[bytes]:
    described = {
        "add_bos_token": True,
        "bos_token": {"content": "<s>", "special": True},
        "eos_token": "</s>",
        "added_tokens_decoder": {"0": {"content": "<s>", "special": True}},
        "chat_template": CHAT,
    }
    named = [{"name": "default", "template": CHAT}, {"name": "tools", "template": "x"}]
    return [json.dumps(described).encode(), json.dumps(described | {"chat_template": named}).encode()]


def templates() -> list[bytes]:
    loop = "{% set ns = namespace(i=0) %}{% for m in messages %}{% set ns.i = ns.i + 1 %}{{ m | tojson }}{% endfor %}"
    return [CHAT.encode(), loop.encode(), b"{% macro f(x) %}{{ x * 3 }}{% endmacro %}{{ f(messages[0].content) }}"]


@cache
def _byte_level() -> bytes:
    library = tokenizers.Tokenizer(models.BPE())
    library.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace("~", "-")])
    library.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(r"\p{N}{1,3}"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    library.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=270, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    library.train_from_iterator(["hello world"] * 9, trainer)
    return library.to_str().encode()


def _sentencepiece() -> bytes:
    vocabulary = {"<unk>": 0, "▁a": 1, "<0xE4>": 2, "a": 3, "b": 4, "ab": 5}
    library = tokenizers.Tokenizer(models.BPE(vocabulary, [("a", "b")], unk_token="<unk>", byte_fallback=True))
    library.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return library.to_str().encode()


def _recorded(folder: Path) -> None:
    record(folder, (2, 1))


def copy_run(folder: Path) -> None:
    _write(folder, _folder(_recorded))


def manifests() -> list[bytes]:
    return [_folder(_recorded)["manifest.json"]]


def chunks() -> list[bytes]:
    return [_folder(_recorded)[CHUNK]]


def profiles() -> list[bytes]:
    typical = [TypicalToken(" the", 30, 40, 2.5, 6.1)]
    layers = [LayerProfile(1, [ExpertCounts([80, 10], typical), ExpertCounts([20, 40])])]
    said = {"model": "m", "fingerprint": "f", "texts": "t", "domains": ["en", "中文"], "domain_tokens": [100, 50]}
    return [msgspec.json.encode(ExpertProfile(**said, layers=layers))]


def cards() -> list[bytes]:
    card = "---\nlicense: mit\ntags:\n- moe\n---\n# A\n\n**b** [c](http://d) ![e](f)\n\n"
    body = "|a|b|\n|-|-|\n|1|2|\n\n- i\n\n```\nx\n```\n"
    return [(card + body).encode(), b"<div align=center><img src=x></div>\n<!-- y -->"]


def commands() -> list[bytes]:
    sent: list[Message] = [
        Generate(request=1, prompt="a", token_ids=[1], sampling=Sampling(temperature=0.5, seed=3)),
        OpenCheckpoint(path="/x", dtype="bfloat16"),
        ShowAttention(run="r", layer=0, heads=[0], queries=(0, 2), keys=(0, 2), rows=2, columns=2),
        Stop(target=3),
    ]
    return [encode(message) for message in sent]


def events() -> list[bytes]:
    with tempfile.TemporaryDirectory() as name:
        summary = summarise(read_checkpoint(write_sample(Path(name))))
    values = Array("float32", (1, 2, 2), bytes(16))
    sent: list[Message] = [
        Ready(devices=["cpu"]),
        Described(summary=summary),
        Opened(summary=summary, device="cpu", dtype="float32", seconds=1.0),
        AttentionShown(
            run="r", layer=0, heads=[0], queries=(0, 2), keys=(0, 2), quantity="content", reduction="max", cell=(1, 1),
            values=values,
        ),
        Heartbeat(step_age=0.5, resident_bytes=3),
        Failed(message="no"),
    ]  # fmt: skip
    return [encode(message) for message in sent]
