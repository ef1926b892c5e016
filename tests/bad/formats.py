"""Damaged FP8 and int4 checkpoints and what their config says of them: case 9 and 24 for the formats that are read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from model.tensorfile import NUMPY_DTYPES, write_tensors
from tests.bad.make import Bad, of_case, weights, with_config
from tests.model.checkpoint.sample import Tensors, tensors_of, write_config

NAME = "model.layers.0.mlp.down_proj.weight"  # [16, 24]
BASE = NAME.removesuffix(".weight")
FP8 = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [16, 16]}
GROUP = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 8}
INT4 = {
    "quant_method": "compressed-tensors",
    "format": "pack-quantized",
    "config_groups": {"group_0": {"targets": ["Linear"], "weights": GROUP}},
}


def filled(dtype: str, *shape: int) -> tuple[str, np.ndarray]:
    return dtype, np.ones(shape, NUMPY_DTYPES[dtype])


FP8_PARTS: Tensors = {NAME: filled("F8_E4M3", 16, 24), NAME + "_scale_inv": filled("F32", 1, 2)}
INT4_PARTS: Tensors = {
    BASE + ".weight_packed": filled("I32", 16, 3),
    BASE + ".weight_scale": filled("BF16", 16, 3),
    BASE + ".weight_shape": ("I64", np.array([16, 24])),
}


def quantised(
    parts: Tensors, scheme: object, *, without: str = "-", change: dict[str, tuple[str, np.ndarray]] | None = None
) -> Callable[[Path], object]:
    """One matrix stored in `parts`: some changed, by the ends of their names, or left out."""

    def make(folder: Path) -> None:
        tensors = {name: x for name, x in tensors_of().items() if name != NAME}
        tensors |= {name: x for name, x in parts.items() if not name.endswith(without)}
        for ending, value in (change or {}).items():
            tensors[next((name for name in parts if name.endswith(ending)), BASE + ending)] = value
        write_tensors(weights(write_config(folder, quantization_config=scheme)), tensors)

    return make


def fp8(**options: object) -> Callable[[Path], object]:
    return quantised(FP8_PARTS, FP8, **options)  # type: ignore[arg-type]  # passed on by name


def int4(**options: object) -> Callable[[Path], object]:
    return quantised(INT4_PARTS, INT4, **options)  # type: ignore[arg-type]  # passed on by name


def schemes(*described: object) -> dict[str, Bad]:
    return {
        f"quantization_config {number}, {str(one)[:50]}": Bad(with_config(quantization_config=one), "; ")
        for number, one in enumerate(described)
    }


PARTS = of_case(
    9,
    {
        "FP8 without scales": Bad(fp8(without="_scale_inv"), "without a scale for each block"),
        "FP8 with a scale too few": Bad(fp8(change={"_scale_inv": filled("F32", 1, 1)}), "where scales [1, 2] are due"),
        "FP8 with flat scales": Bad(fp8(change={"_scale_inv": filled("F32", 2)}), "where scales [1, 2] are due"),
        "FP8 with scales of text": Bad(fp8(change={"_scale_inv": filled("I64", 1, 2)}), "is I64 [1, 2] where scales"),
        "FP8 of another kind": Bad(fp8(change={NAME: filled("F8_E5M2", 16, 24)}), "is stored as F8_E5M2"),
        "FP8 in another shape": Bad(fp8(change={NAME: filled("F8_E4M3", 24, 16)}), "instead of [16, 24]"),
        "scales of a plain weight": Bad(
            fp8(change={NAME: filled("BF16", 16, 24)}), "has a scale but is stored as BF16"
        ),
        "FP8 that the config does not tell of": Bad(quantised(FP8_PARTS, None), "describes no such quantisation"),
        "FP8 where the config says int4": Bad(quantised(FP8_PARTS, INT4), "describes no such quantisation"),
        "int4 where the config says FP8": Bad(quantised(INT4_PARTS, FP8), "describes no such quantisation"),
        "int4 without scales": Bad(int4(without="_scale"), "with a scale and a shape beside them"),
        "int4 without a shape": Bad(int4(without="_shape"), "with a scale and a shape beside them"),
        "int4 in too few words": Bad(int4(change={"_packed": filled("I32", 16, 2)}), NAME),
        "int4 in bytes": Bad(int4(change={"_packed": filled("U8", 16, 3)}), "is not int32 words"),
        "int4 with a scale too few": Bad(int4(change={"_scale": filled("BF16", 16, 2)}), "scales [16, 3] are due"),
        "int4 with zero points": Bad(int4(change={".weight_zero_point": filled("I32", 2, 3)}), "zero points"),
        "int4 with a shape of three": Bad(int4(change={"_shape": filled("I64", 3)}), "is not two whole numbers"),
        "int4 with a shape of floats": Bad(int4(change={"_shape": filled("F32", 2)}), "is not two whole numbers"),
    },
)
SCHEMES = of_case(
    24,
    schemes(
        "fp8",
        ["fp8"],
        7,
        {},
        {"quant_method": None},
        {"quant_method": "awq"},
        {"quant_method": "gptq", "bits": 4},
        {"quant_method": "fp8"},
        {"quant_method": "fp8", "weight_block_size": None},
        {"quant_method": "fp8", "weight_block_size": [128]},
        {"quant_method": "fp8", "weight_block_size": [0, 128]},
        {"quant_method": "fp8", "weight_block_size": [2**40, 128]},
        {"quant_method": "fp8", "weight_block_size": [128.0, 128]},
        {"quant_method": "fp8", "weight_block_size": [16, 16], "fmt": "e5m2"},
        {"quant_method": "compressed-tensors"},
        INT4 | {"format": "marlin-24"},
        INT4 | {"config_groups": {}},
        INT4 | {"config_groups": ["group_0"]},
        INT4 | {"config_groups": {"a": 7}},
        INT4 | {"config_groups": {"a": {"weights": GROUP | {"num_bits": 8}}}},
        INT4 | {"config_groups": {"a": {"weights": GROUP | {"group_size": 0}}}},
        INT4 | {"config_groups": {"a": {"weights": GROUP | {"group_size": "32"}}}},
        INT4 | {"config_groups": {"a": {"weights": GROUP | {"symmetric": False}}}},
        INT4 | {"config_groups": {"a": {"weights": GROUP | {"actorder": "group"}}}},
        INT4 | {"sparsity_config": {"format": "sparse-24-bitmask"}},
    ),
)

BAD_FORMATS: dict[str, Bad] = PARTS | SCHEMES
