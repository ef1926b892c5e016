"""Which `quantization_config` is read, and how each other one is refused by its name."""

from pathlib import Path
from typing import Any

import pytest

from model.checkpoint.formats.scheme import BlockFp8, PackedInt4, read_scheme
from model.problems import Problem
from tests.model.checkpoint.true_shapes import INT4

CONFIG = Path("config.json")
FP8: dict[str, Any] = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 64], "scale_fmt": "ue8m0"}
UNSUPPORTED = {
    "gptq": ({"quant_method": "gptq", "bits": 4}, "'gptq'"),
    "awq": ({"quant_method": "awq"}, "'awq'"),
    "bitsandbytes": ({"quant_method": "bitsandbytes"}, "'bitsandbytes'"),
    "no method": ({}, "None"),
    "fp8 e5m2": (FP8 | {"fmt": "e5m2"}, "'e5m2'"),
    "fp8 without blocks": (FP8 | {"weight_block_size": None}, "weight_block_size None"),
    "fp8 with empty blocks": (FP8 | {"weight_block_size": [0, 128]}, "weight_block_size"),
    "nvfp4": (INT4 | {"format": "nvfp4-pack-quantized"}, "'nvfp4-pack-quantized'"),
    "float-quantized": (INT4 | {"format": "float-quantized"}, "'float-quantized'"),
    "no groups": (INT4 | {"config_groups": {}}, "0 different config_groups"),
    "sparse": (INT4 | {"sparsity_config": {"format": "sparse-24-bitmask"}}, "sparse-24"),
}


def changed(**weights: object) -> dict[str, Any]:
    """The int4 scheme with other weights."""
    group = INT4["config_groups"]["group_0"]
    return INT4 | {"config_groups": {"group_0": group | {"weights": group["weights"] | weights}}}


def test_the_supported_schemes_are_read_with_their_blocks() -> None:
    assert read_scheme({}, CONFIG) is None
    assert read_scheme({"quantization_config": FP8}, CONFIG) == BlockFp8(128, 64)
    assert read_scheme({"quantization_config": INT4}, CONFIG) == PackedInt4(32)
    assert read_scheme({"text_config": {"quantization_config": INT4}}, CONFIG) == PackedInt4(32)


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_other_schemes_are_refused_by_name_with_what_is_supported(name: str) -> None:
    described, phrase = UNSUPPORTED[name]
    with pytest.raises(Problem, match=r"supported: fp8 .* and compressed-tensors pack-quantized int4") as refusal:
        read_scheme({"quantization_config": described}, CONFIG)
    assert phrase in str(refusal.value)


@pytest.mark.parametrize(
    ("weights", "phrase"),
    [
        ({"num_bits": 8}, "num_bits 8"),
        ({"symmetric": False}, "symmetric False"),
        ({"type": "float"}, "type 'float'"),
        ({"strategy": "channel"}, "strategy 'channel'"),
        ({"group_size": -1}, "group_size -1"),
        ({"actorder": "group"}, "reordered columns"),
    ],
)
def test_other_kinds_of_packed_weights_are_refused(weights: dict[str, object], phrase: str) -> None:
    with pytest.raises(Problem, match=phrase):
        read_scheme({"quantization_config": changed(**weights)}, CONFIG)


def test_a_config_that_is_no_object_is_refused() -> None:
    with pytest.raises(Problem, match="no object"):
        read_scheme({"quantization_config": "fp8"}, CONFIG)
