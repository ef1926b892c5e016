"""Damaged weights and indices: cases 1 to 16, 19 and 25, each with what the refusal must say."""

from model.tensorfile import TENSOR_LIMIT
from tests.bad.make import (
    Bad,
    device,
    fifteen_shards_missing,
    index_swapped,
    linked_shard,
    linked_to,
    of_case,
    only,
    pipe_named,
    shard_missing,
    tensor_in_two_shards,
    truncated,
    unix_socket,
    weights,
    with_bytes,
    with_config,
    with_entry,
    with_header,
    with_map,
    with_ranges,
    with_shard_named,
    with_tensor,
    without_tensors,
)
from tests.model.checkpoint.sample import write_config, write_index

DEEP = "[" * 5000 + "]" * 5000
TWICE = '{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
MANY = "{" + ",".join(f'"{n}":0' for n in range(TENSOR_LIMIT + 1)) + "}"
OUTSIDE = "points outside its folder"

LENGTHS = of_case(
    1,
    {
        "empty file": Bad(with_bytes(b""), "too short, 0 bytes"),
        "seven bytes": Bad(with_bytes(b"1234567"), "too short, 7 bytes"),
        "length alone": Bad(with_bytes((2).to_bytes(8, "little")), "too short, 8 bytes"),
    },
) | of_case(
    2,
    {
        "length 2**63": Bad(with_bytes((2**63).to_bytes(8, "little") + b"{}"), "at most 33,554,432 are read"),
        "length 2**64 - 1": Bad(with_bytes((2**64 - 1).to_bytes(8, "little") + b"{}"), "at most 33,554,432 are read"),
        "length 101 MB": Bad(with_bytes((101 * 10**6).to_bytes(8, "little") + b"{}"), "at most 33,554,432 are read"),
        "length beyond the file": Bad(with_bytes((500).to_bytes(8, "little") + b"{}" * 9), "ends within its header"),
    },
)
HEADERS = of_case(
    3,
    {
        "header not JSON": Bad(with_header("{nonsense"), "not valid JSON"),
        "header cut within a text": Bad(with_header('{"a":"b'), "line 1 column 6"),
        "header not UTF-8": Bad(with_header(b'{"\xff\xfe":1}'), "not valid JSON"),
        "header with BOM": Bad(with_header(b"\xef\xbb\xbf{}"), "no header at its start"),
        "header an array": Bad(with_header("[1, 2, 3]"), "no header at its start"),
        "header nested": Bad(with_header('{"a":' + DEEP + "}"), "nested too deeply"),
        "header nested 65 levels": Bad(with_header('{"a":' + "[" * 65 + "]" * 65 + "}"), "nested too deeply"),
        "header with NaN": Bad(with_header('{"a":NaN}'), "NaN is not a JSON number"),
        "metadata of numbers": Bad(with_header('{"__metadata__":{"a":1}}'), "not a table of texts"),
    },
) | of_case(
    4,
    {
        "name twice": Bad(with_header(TWICE, 4), "'x' appears twice"),
        "dtype twice": Bad(with_header('{"x":{"dtype":"U8","dtype":"I8"}}'), "'dtype' appears twice"),
    },
)
RANGES = of_case(
    5,
    {
        "overlap": Bad(with_ranges((0, 4), (2, 6), data=6), "'t1' starts at byte 2, where 4 was due"),
        "shared region": Bad(with_ranges((0, 4), (0, 4), data=4), "'t1' starts at byte 0, where 4 was due"),
        "hole": Bad(with_ranges((0, 4), (6, 8), data=8), "'t1' starts at byte 6, where 4 was due"),
        "hole at the start": Bad(with_ranges((2, 6), data=6), "'t0' starts at byte 2, where 0 was due"),
        "backwards": Bad(with_ranges((4, 0), data=4), "'t0'"),
        "negative": Bad(with_ranges((-4, 0), data=4), "'t0' has no byte range"),
        "beyond the end": Bad(with_ranges((0, 400), data=100), "cut off"),
        "beyond 64 bits": Bad(with_entry(data_offsets=[2**64, 2**64 + 4]), "'x' starts at byte"),
        "bytes left over": Bad(with_ranges((0, 4), data=9), "5 bytes after the last tensor"),
    },
) | of_case(
    6,
    {
        "shape and range differ": Bad(with_entry(shape=[5]), "does not fill its 4 bytes"),
        "dtype and range differ": Bad(with_entry(dtype="F32"), "does not fill its 4 bytes"),
        "shape overflows 64 bits": Bad(with_entry(shape=[2**31] * 3, data_offsets=[0, 0], data=0), "does not fill"),
        "shape wraps to four": Bad(with_entry(shape=[2**31, 2**31, 4, 1]), "does not fill"),
    },
)
SHAPES = of_case(
    7,
    {
        "empty but enormous": Bad(with_entry(shape=[0, 2**62], data_offsets=[0, 0], data=0), "from 0 to 2147483648"),
        "rank 9": Bad(with_entry(shape=[4] + [1] * 8), "at most 8 dimensions"),
        "rank 5000": Bad(with_entry(shape=[1] * 5000), "at most 8 dimensions"),
        "dimension -1": Bad(with_entry(shape=[-1]), "not a whole number from 0"),
        "dimension 1.5": Bad(with_entry(shape=[1.5]), "not a whole number from 0"),
        "dimension true": Bad(with_entry(shape=[True, 4]), "not a whole number from 0"),
        "dimension 2**64": Bad(with_entry(shape=[2**64]), "not a whole number from 0"),
        "dimension a text": Bad(with_entry(shape=["4"]), "not a whole number from 0"),
        "shape a number": Bad(with_entry(shape=4), "at most 8 dimensions"),
        "no shape": Bad(with_header('{"x":{"dtype":"U8"}}'), "lacks dtype, shape or data_offsets"),
        "entry a number": Bad(with_header('{"x":4}'), "lacks dtype, shape or data_offsets"),
        "offsets of three": Bad(with_entry(data_offsets=[0, 4, 4]), "no byte range"),
    },
)
NAMES = of_case(
    8,
    {
        "300,001 tensors": Bad(with_header(MANY), "lists 300,001 tensors"),
        "name of a megabyte": Bad(with_entry(name="n" * 10**6), "512 bytes"),
        "name of 513 bytes": Bad(with_entry(name="n" * 513), "512 bytes"),
        "no name": Bad(with_entry(name=""), "''"),
        "name with NUL": Bad(with_entry(name="a\0b"), "'a\\x00b'"),
        "name with a line break": Bad(with_entry(name="a\nb"), "cannot be shown"),
        "name written right to left": Bad(with_entry(name="a\u202eb"), "'a\\u202eb'"),
        "name with half a character": Bad(with_header('{"\\ud800":4}'), "half of a surrogate pair"),
    },
)
DTYPES = of_case(
    9,
    {
        "unknown dtype": Bad(with_entry(dtype="F31"), "unknown dtype 'F31'"),
        "4-bit floats": Bad(with_entry(dtype="F4"), "unknown dtype 'F4'"),
        "dtype a number": Bad(with_entry(dtype=4), "unknown dtype 4"),
        "whole numbers as weights": Bad(with_tensor("lm_head.weight", "I32"), "is stored as I32"),
        "8-bit floats without scales": Bad(with_tensor("lm_head.weight", "F8_E5M2"), "is stored as F8_E5M2"),
    },
)
INDEX = (
    of_case(10, {"download stopped": Bad(truncated, "is cut off: it has")})
    | of_case(
        11,
        {
            "shard missing": Bad(shard_missing, "lacks a-2.safetensors"),
            "fifteen shards missing": Bad(fifteen_shards_missing, "b-08.safetensors, b-09.safetensors and 5 more"),
            "tensor promised in the wrong shard": Bad(index_swapped("lm_head.weight"), "lacks lm_head.weight"),
            "a dozen tensors in the wrong shard": Bad(index_swapped("weight"), " more, which model.safetensors.index"),
            "tensor in two shards": Bad(tensor_in_two_shards, "both hold model.embed_tokens.weight"),
            "index without a map": Bad(lambda folder: write_index(write_config(folder), {}), "no weight_map"),
            "index of a list": Bad(lambda folder: write_index(write_config(folder), ["a"]), "no weight_map"),
            "2,001 shards": Bad(
                with_map(lambda weight_map: weight_map.update({f"x{n}": f"x{n}.safetensors" for n in range(2001)})),
                "at most 2,000",
            ),
        },
    )
    | of_case(
        12,
        {
            f"shard named {name!a}": Bad(with_shard_named(name), OUTSIDE)
            for name in (
                "../x.safetensors",
                "/etc/x.safetensors",
                "C:\\x.safetensors",
                "\\\\host\\share.safetensors",
                "",
                "a\0b.safetensors",
                ".",
                "..",
                "sub/x.safetensors",
                ".hidden.safetensors",
                "model.bin",
                "a.safetensors\n",
                "ａ.safetensors",
            )
        },
    )
    | of_case(
        12,
        {
            "shard named by a number": Bad(
                with_map(lambda weight_map: weight_map.update({"lm_head.weight": 7})), OUTSIDE
            ),
            "shard a folder": Bad(
                lambda folder: (
                    (folder / "x.safetensors").mkdir(),
                    with_map(lambda weight_map: weight_map.update({"lm_head.weight": "x.safetensors"}))(folder),
                ),
                "not a regular file",
            ),
        },
    )
)
NO_FILES = of_case(
    13,
    {
        "link to elsewhere": Bad(linked_to("../{folder}-elsewhere.safetensors"), "link out of its folder"),
        "dangling link": Bad(linked_to("nothing"), "link to nothing"),
        "loop of links": Bad(linked_to("model.safetensors"), "link to nothing"),
        "shard a link to elsewhere": Bad(linked_shard("../{folder}-elsewhere.safetensors"), "link out of its folder"),
        "shard a dangling link": Bad(linked_shard("nothing"), "link to nothing"),
    },
) | of_case(
    14,
    {
        "weights a pipe": Bad(pipe_named("model.safetensors"), "not a regular file"),
        "shard a pipe": Bad(pipe_named("a-1.safetensors"), "not a regular file"),
        "index a pipe": Bad(pipe_named("model.safetensors.index.json"), "not a regular file"),
        "config a pipe": Bad(pipe_named("config.json"), "not a regular file"),
        "generation_config a pipe": Bad(pipe_named("generation_config.json"), "not a regular file"),
        "weights a socket": Bad(unix_socket, "cannot be opened"),
        "weights a device": Bad(device("model.safetensors"), "link out of its folder"),
        "config a device": Bad(device("config.json"), "not a regular file"),
        "weights a folder": Bad(lambda folder: weights(write_config(folder)).mkdir(), "not a regular file"),
    },
)
DISAGREEING = of_case(
    16,
    {
        "tensor missing": Bad(
            without_tensors("0.self_attn.kv_b_proj.weight"), "model.layers.0.self_attn.kv_b_proj.weight"
        ),
        "wrong shape": Bad(with_config(vocab_size=63), "model.embed_tokens.weight is [64, 16] instead of [63, 16]"),
        "more layers than stored": Bad(with_config(num_hidden_layers=3), "model.layers.2."),
        "no tensor at all": Bad(with_header("{}"), "the checkpoint lacks"),
    },
) | of_case(
    25,
    {
        "fewer experts than configured": Bad(
            with_config(n_routed_experts=6), "the config says 6 experts, the files hold 4"
        ),
        "sixty of 64 experts": Bad(
            with_config(n_routed_experts=64, n_group=2), "the config says 64 experts, the files hold 4"
        ),
    },
)
FOREIGN = of_case(
    19,
    {
        "PyTorch pickles only": Bad(only("pytorch_model.bin"), "convert them to safetensors"),
        "a .pt file only": Bad(only("model.pt"), "convert them to safetensors"),
        "GGUF only": Bad(only("model-q4.gguf"), "GGUF"),
        "no weights at all": Bad(write_config, "no model.safetensors and no model.safetensors.index.json"),
        "LFS pointer": Bad(with_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "git lfs pull"),
        "web page": Bad(with_bytes(b"<!DOCTYPE html><html>404</html>"), "web page"),
        "pickle under another name": Bad(with_bytes(b"\x80\x02}q\x00." + bytes(50)), "PyTorch pickle"),
        "zip under another name": Bad(with_bytes(b"PK\x03\x04" + bytes(50)), "PyTorch pickle"),
        "GGUF under another name": Bad(with_bytes(b"GGUF\x03\0\0\0" + bytes(50)), "GGUF file"),
    },
)

BAD_WEIGHTS: dict[str, Bad] = {
    name: bad
    for table in (LENGTHS, HEADERS, RANGES, SHAPES, NAMES, DTYPES, INDEX, NO_FILES, DISAGREEING, FOREIGN)
    for name, bad in table.items()
}
