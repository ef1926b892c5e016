"""How a checkpoint says its weights were quantised: `quantization_config` of config.json, or a refusal by name."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from model.problems import Problem

_BLOCK_LIMIT = 2**20
_SUPPORTED = "fp8 (e4m3 with a scale per block) and compressed-tensors pack-quantized int4"


class BlockFp8(NamedTuple):
    """Every block of `rows` x `columns` weights shares one scale."""

    rows: int
    columns: int


class PackedInt4(NamedTuple):
    """Every `group` neighbouring weights of a row share one scale."""

    group: int


Scheme = BlockFp8 | PackedInt4


def read_scheme(values: Mapping[str, object], path: Path) -> Scheme | None:
    """The scheme that the config at `path` names, itself or for its text part; None: plain floats. Raises Problem."""
    text = values.get("text_config")
    described = values.get("quantization_config")
    if described is None and isinstance(text, dict):
        described = text.get("quantization_config")
    if described is None:
        return None
    if not isinstance(described, dict):
        raise Problem(f"{path} has a quantization_config that is no object; get the file again.")
    method = described.get("quant_method")
    if method == "fp8":
        return _block_fp8(described, path)
    if method == "compressed-tensors":
        return _packed_int4(described, path)
    raise _unsupported(f"quant_method {_shown(method)}", path)


def _block_fp8(described: Mapping[str, object], path: Path) -> BlockFp8:
    if described.get("fmt") not in (None, "e4m3"):
        raise _unsupported(f"fp8 of the format {_shown(described['fmt'])}", path)
    match described.get("weight_block_size"):
        case [int(rows), int(columns)] if 0 < rows <= _BLOCK_LIMIT and 0 < columns <= _BLOCK_LIMIT:
            return BlockFp8(rows, columns)
        case other:
            raise _unsupported(f"fp8 with weight_block_size {_shown(other)}", path)


def _packed_int4(described: Mapping[str, object], path: Path) -> PackedInt4:
    if described.get("format") != "pack-quantized":
        raise _unsupported(f"compressed-tensors of the format {_shown(described.get('format'))}", path)
    sparsity = described.get("sparsity_config")
    if isinstance(sparsity, dict) and sparsity.get("format") not in (None, "dense"):
        raise _unsupported(f"compressed-tensors with sparsity {_shown(sparsity.get('format'))}", path)
    groups = described.get("config_groups")
    schemes = {_group(one, path) for one in groups.values()} if isinstance(groups, dict) else set()
    if len(schemes) != 1:
        raise _unsupported(f"compressed-tensors with {len(schemes)} different config_groups", path)
    return schemes.pop()


def _group(described: object, path: Path) -> PackedInt4:
    weights = described.get("weights") if isinstance(described, dict) else None
    fields = weights if isinstance(weights, dict) else {}
    wanted = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group"}
    for key, value in wanted.items():
        if fields.get(key) != value:
            raise _unsupported(f"compressed-tensors with {key} {_shown(fields.get(key))} instead of {value}", path)
    if fields.get("actorder") in (True, "group"):
        raise _unsupported("compressed-tensors with reordered columns (actorder)", path)
    size = fields.get("group_size")
    if type(size) is not int or not 0 < size <= _BLOCK_LIMIT:
        raise _unsupported(f"compressed-tensors with group_size {_shown(size)}", path)
    return PackedInt4(size)


def _unsupported(what: str, path: Path) -> Problem:
    return Problem(f"{path} names {what}, which is not supported; supported: {_SUPPORTED}; use a bf16 copy.")


def _shown(value: object) -> str:
    return ascii(value)[:60]
