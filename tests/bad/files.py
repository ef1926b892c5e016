"""Damaged checkpoints by name, each with what the refusal must say. Built on demand; no binary is stored."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from model.tensorfile import write_tensors
from tests.model.checkpoint.sample import read_index, tensors_of, write_config, write_index, write_sample, write_sharded


class Bad(NamedTuple):
    """How a folder is damaged, and a phrase of the one sentence that refuses it."""

    make: Callable[[Path], object]
    phrase: str


def weights(folder: Path) -> Path:
    return folder / "model.safetensors"


def with_bytes(content: bytes) -> Callable[[Path], object]:
    """A sound config beside a weight file of these bytes."""
    return lambda folder: weights(write_config(folder)).write_bytes(content)


def with_header(text: str | bytes, data: int = 0) -> Callable[[Path], object]:
    content = text if isinstance(text, bytes) else text.encode()
    return with_bytes(len(content).to_bytes(8, "little") + content + bytes(data))


def with_entry(data: int = 4, name: str = "x", **fields: object) -> Callable[[Path], object]:
    entry = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]} | fields
    return with_header(json.dumps({name: entry}), data)


def with_ranges(*ranges: tuple[int, int], data: int) -> Callable[[Path], object]:
    header = {
        f"t{number}": {"dtype": "U8", "shape": [max(end - start, 0)], "data_offsets": [start, end]}
        for number, (start, end) in enumerate(ranges)
    }
    return with_header(json.dumps(header), data)


def with_config(**changes: object) -> Callable[[Path], object]:
    """Sound weights beside a config with some keys changed."""
    return lambda folder: write_config(write_sample(folder), **changes)


def with_config_text(change: Callable[[str], str]) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        path = write_sample(folder) / "config.json"
        path.write_text(change(path.read_text()))

    return make


def with_map(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    """A sharded folder whose weight map is changed."""

    def make(folder: Path) -> None:
        weight_map: dict[str, Any] = dict(read_index(write_sharded(folder)))
        change(weight_map)
        write_index(folder, weight_map)

    return make


def with_shard_named(name: str) -> Callable[[Path], object]:
    return with_map(lambda weight_map: weight_map.update({"lm_head.weight": name}))


def without_tensors(*endings: str) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        kept = {name: x for name, x in tensors_of().items() if not name.endswith(endings)}
        write_tensors(weights(write_config(folder)), kept)

    return make


def truncated(folder: Path) -> None:
    content = weights(write_sample(folder)).read_bytes()
    weights(folder).write_bytes(content[:-1000])


def shard_missing(folder: Path) -> None:
    (write_sharded(folder) / "a-2.safetensors").unlink()


def shard_empty_of_what_the_index_says(folder: Path) -> None:
    weight_map = read_index(write_sharded(folder))
    write_index(folder, weight_map | {"lm_head.weight": other(weight_map["lm_head.weight"])})


def other(name: str) -> str:
    return "a-1.safetensors" if name == "a-2.safetensors" else "a-2.safetensors"


def tensor_in_two_shards(folder: Path) -> None:
    weight_map = read_index(write_sharded(folder))
    tensors = tensors_of()
    twice = next(name for name, file in weight_map.items() if file == "a-1.safetensors")
    second = {name: x for name, x in tensors.items() if weight_map[name] == "a-2.safetensors" or name == twice}
    write_tensors(folder / "a-2.safetensors", second)


def pipe(folder: Path) -> None:
    os.mkfifo(weights(write_config(folder)))


def config_pipe(folder: Path) -> None:
    write_sample(folder)
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")


def unix_socket(folder: Path) -> None:
    write_config(folder)
    here = Path.cwd()
    os.chdir(folder)  # a socket's path may have 107 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("model.safetensors")
    os.chdir(here)


def linked_to(target: str) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        write_sample(folder)
        weights(folder).rename(folder.parent / f"{folder.name}-elsewhere.safetensors")
        weights(folder).symlink_to(target.format(folder=folder.name))

    return make


def only(name: str) -> Callable[[Path], object]:
    return lambda folder: (write_config(folder) / name).write_bytes(b"\x80\x02}")


DEEP = "[" * 5000 + "]" * 5000
LONG = "1" * 5000
TWICE = '{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
MANY = '{"__metadata__":{},' + ",".join(f'"{n}":0' for n in range(200_001)) + "}"

BAD: dict[str, Bad] = {
    # 1, 2: length
    "empty file": Bad(with_bytes(b""), "too short, 0 bytes"),
    "seven bytes": Bad(with_bytes(b"1234567"), "too short, 7 bytes"),
    "length alone": Bad(with_bytes((2).to_bytes(8, "little")), "too short, 8 bytes"),
    "length 2**63": Bad(with_bytes((2**63).to_bytes(8, "little") + b"{}"), "at most 33,554,432 are read"),
    "length 2**64 - 1": Bad(with_bytes((2**64 - 1).to_bytes(8, "little") + b"{}"), "at most 33,554,432 are read"),
    "length 101 MB": Bad(with_bytes((101 * 10**6).to_bytes(8, "little") + b"{}"), "at most 33,554,432 are read"),
    "length beyond the file": Bad(with_bytes((500).to_bytes(8, "little") + b"{}" * 9), "ends within its header"),
    # 3, 4: JSON
    "header not JSON": Bad(with_header("{nonsense"), "not valid JSON"),
    "header not UTF-8": Bad(with_header(b'{"\xff\xfe":1}'), "not valid JSON"),
    "header with BOM": Bad(with_header(b"\xef\xbb\xbf{}"), "no header at its start"),
    "header an array": Bad(with_header("[1, 2, 3]"), "no header at its start"),
    "header nested": Bad(with_header('{"a":' + DEEP + "}"), "nested too deeply"),
    "header nested 65 levels": Bad(with_header('{"a":' + "[" * 65 + "]" * 65 + "}"), "nested too deeply"),
    "header with NaN": Bad(with_header('{"a":NaN}'), "NaN is not a JSON number"),
    "name twice": Bad(with_header(TWICE, 4), "'x' appears twice"),
    "metadata of numbers": Bad(with_header('{"__metadata__":{"a":1}}'), "not a table of texts"),
    # 5, 6, 7: ranges and shapes
    "overlap": Bad(with_ranges((0, 4), (2, 6), data=6), "'t1' starts at byte 2, where 4 was due"),
    "hole": Bad(with_ranges((0, 4), (6, 8), data=8), "'t1' starts at byte 6, where 4 was due"),
    "backwards": Bad(with_ranges((4, 0), data=4), "'t0'"),
    "beyond the end": Bad(with_ranges((0, 400), data=100), "cut off"),
    "bytes left over": Bad(with_ranges((0, 4), data=9), "5 bytes after the last tensor"),
    "shape and range differ": Bad(with_entry(shape=[5]), "does not fill its 4 bytes"),
    "dtype and range differ": Bad(with_entry(dtype="F32"), "does not fill its 4 bytes"),
    "shape overflows 64 bits": Bad(with_entry(shape=[2**31] * 3, data_offsets=[0, 0], data=0), "does not fill"),
    "empty but enormous": Bad(with_entry(shape=[0, 2**62], data_offsets=[0, 0], data=0), "from 0 to 2147483648"),
    "rank 5000": Bad(with_entry(shape=[1] * 5000), "at most 8 dimensions"),
    "dimension -1": Bad(with_entry(shape=[-1]), "not a whole number from 0"),
    "dimension 1.5": Bad(with_entry(shape=[1.5]), "not a whole number from 0"),
    "dimension true": Bad(with_entry(shape=[True, 4]), "not a whole number from 0"),
    "dimension 2**64": Bad(with_entry(shape=[2**64]), "not a whole number from 0"),
    "no shape": Bad(with_header('{"x":{"dtype":"U8"}}'), "lacks dtype, shape or data_offsets"),
    "offsets of three": Bad(with_entry(data_offsets=[0, 4, 4]), "no byte range"),
    "unknown dtype": Bad(with_entry(dtype="F31"), "unknown dtype 'F31'"),
    # 8: counts and names
    "200,001 tensors": Bad(with_header(MANY), "lists 200,001 tensors"),
    "name of a megabyte": Bad(with_entry(name="n" * 10**6), "longer than 512 bytes"),
    "name with NUL": Bad(with_entry(name="a\0b"), "'a\\x00b'"),
    "name with a line break": Bad(with_entry(name="a\nb"), "cannot be shown"),
    "name written right to left": Bad(with_entry(name="a\u202eb"), "'a\\u202eb'"),
    # 10, 11, 12
    "download stopped": Bad(truncated, "is cut off: it has"),
    "shard missing": Bad(shard_missing, "lacks a-2.safetensors"),
    "index names a tensor the shard lacks": Bad(shard_empty_of_what_the_index_says, "lacks lm_head.weight"),
    "tensor in two shards": Bad(tensor_in_two_shards, "both hold model.embed_tokens.weight"),
    "index without a map": Bad(lambda folder: write_index(write_config(folder), {}), "no weight_map"),
    "index of a list": Bad(lambda folder: write_index(write_config(folder), ["a"]), "no weight_map"),
    **{
        f"shard named {name!a}": Bad(with_shard_named(name), "points outside its folder")
        for name in (
            "../x.safetensors",
            "/etc/x.safetensors",
            "C:\\x.safetensors",
            "\\\\host\\x.safetensors",
            "",
            "a\0b.safetensors",
            ".",
            "sub/x.safetensors",
            ".hidden.safetensors",
            "model.bin",
            "a.safetensors\n",
        )
    },
    "shard named by a number": Bad(
        with_map(lambda weight_map: weight_map.update({"lm_head.weight": 7})), "points outside its folder"
    ),
    "2,001 shards": Bad(
        with_map(lambda weight_map: weight_map.update({f"x{n}": f"x{n}.safetensors" for n in range(2001)})),
        "at most 2,000",
    ),
    # 13, 14: what is no file
    "link to elsewhere": Bad(linked_to("../{folder}-elsewhere.safetensors"), "link out of its folder"),
    "dangling link": Bad(linked_to("nothing"), "link to nothing"),
    "loop of links": Bad(linked_to("model.safetensors"), "link to nothing"),
    "pipe": Bad(pipe, "not a regular file"),
    "socket": Bad(unix_socket, "cannot be opened"),
    "config a pipe": Bad(config_pipe, "not a regular file"),
    "weights a folder": Bad(lambda folder: weights(write_config(folder)).mkdir(), "not a regular file"),
    # 16, 25: config and weights disagree
    "tensor missing": Bad(without_tensors("0.self_attn.kv_b_proj.weight"), "model.layers.0.self_attn.kv_b_proj.weight"),
    "wrong shape": Bad(with_config(vocab_size=63), "model.embed_tokens.weight is [64, 16] instead of [63, 16]"),
    "fewer experts than configured": Bad(
        with_config(n_routed_experts=6), "the config says 6 experts, the files hold 4"
    ),
    "more layers than stored": Bad(with_config(num_hidden_layers=3), "model.layers.2."),
    # 19: other formats
    "PyTorch pickles only": Bad(only("pytorch_model.bin"), "convert them to safetensors"),
    "a .pt file only": Bad(only("model.pt"), "convert them to safetensors"),
    "GGUF only": Bad(only("model-q4.gguf"), "GGUF files"),
    "no weights at all": Bad(write_config, "no model.safetensors and no model.safetensors.index.json"),
    "LFS pointer": Bad(with_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "git lfs pull"),
    "web page": Bad(with_bytes(b"<!DOCTYPE html><html>404</html>"), "web page"),
    "pickle under another name": Bad(with_bytes(b"\x80\x02}q\x00." + bytes(50)), "PyTorch pickle"),
    "zip under another name": Bad(with_bytes(b"PK\x03\x04" + bytes(50)), "PyTorch pickle"),
    "GGUF under another name": Bad(with_bytes(b"GGUF\x03\0\0\0" + bytes(50)), "GGUF file"),
    # 21: config.json
    "no config": Bad(lambda folder: (write_sample(folder) / "config.json").unlink(), "has no config.json"),
    "config of 2 MB": Bad(with_config(comment="x" * 2 * 10**6), "larger than 1,000,000 bytes"),
    "config with a key twice": Bad(
        with_config_text(lambda text: text[:-1] + ', "hidden_size": 32}'), "'hidden_size' appears twice"
    ),
    "config with NaN": Bad(with_config_text(lambda text: text[:-1] + ', "x": NaN}'), "NaN is not a JSON number"),
    "config with 1e999": Bad(with_config_text(lambda text: text[:-1] + ', "x": 1e999}'), "1e999 is too large"),
    "config with 5,000 digits": Bad(with_config_text(lambda text: text[:-1] + f', "x": {LONG}}}'), "not valid JSON"),
    "config nested": Bad(with_config_text(lambda text: text[:-1] + f', "x": {DEEP}}}'), "nested too deeply"),
    "config an array": Bad(with_config_text(lambda _: "[]"), "does not hold a JSON object"),
    "config empty": Bad(with_config_text(lambda _: ""), "not valid JSON"),
    # 22, 23: values
    **{
        f"{key} = {value!a}": Bad(with_config(**{key: value}), key)
        for key, value in (
            ("num_hidden_layers", 0),
            ("num_hidden_layers", 10**9),
            ("num_hidden_layers", "2"),
            ("num_hidden_layers", True),
            ("hidden_size", None),
            ("hidden_size", 16.0),
            ("num_attention_heads", 3),
            ("kv_lora_rank", 0),
            ("q_lora_rank", -1),
            ("qk_rope_head_dim", 5),
            ("qk_rope_head_dim", 0),
            ("num_experts_per_tok", 5),
            ("num_experts_per_tok", None),
            ("n_routed_experts", 10**6),
            ("n_group", 3),
            ("n_group", None),
            ("topk_group", 3),
            ("topk_method", "noaux_tc"),
            ("routed_scaling_factor", "1"),
            ("rms_norm_eps", 0),
            ("rope_theta", -1),
            ("rope_theta", "10000"),
            ("rope_scaling", "yarn"),
            ("hidden_act", "gelu"),
            ("eos_token_id", "</s>"),
            ("eos_token_id", [1, None]),
            ("first_k_dense_replace", -1),
            ("mlp_layer_types", ["dense"]),
            ("mlp_layer_types", ["dense", "spars"]),
            ("attention_bias", "no"),
            ("tie_word_embeddings", 1),
        )
    },
    **{
        f"YaRN {changes}": Bad(with_config(rope_scaling={"type": "yarn", "factor": 4.0} | changes), key)
        for key, changes in (
            ("factor", {"factor": 0}),
            ("factor", {"factor": -1}),
            ("factor", {"factor": 10**300}),
            ("factor", {"factor": "40"}),
            ("beta_fast", {"beta_fast": -1}),
            ("mscale", {"mscale": -1}),
            ("mscale_all_dim", {"mscale_all_dim": True}),
            ("original_max_position_embeddings", {"original_max_position_embeddings": 0}),
            ("partial_rotary_factor", {"partial_rotary_factor": 0.5}),
            ("type", {"type": "longrope"}),
        )
    },
    "YaRN without a factor": Bad(with_config(rope_scaling={"type": "yarn"}), "has no factor"),
    "more experts per token than the groups hold": Bad(
        with_config(num_experts_per_tok=3), "topk_group = 1; it must be enough groups of 2 experts"
    ),
    # 24
    "unknown model_type": Bad(with_config(model_type="llama"), "supported: deepseek_v2, deepseek_v3, kimi_k2"),
    "no model_type": Bad(with_config(model_type=None), "model_type None"),
    "FP8": Bad(with_config(quantization_config={"quant_method": "fp8"}), "not supported yet"),
}
