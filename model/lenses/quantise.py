"""Latents rounded to fewer bits and widened again, as a cache in that format would give them back."""

from collections.abc import Sequence

import torch
from torch import Tensor

from model.config import ModelConfig
from model.lens_messages import LatentFormat

BLOCK = 128  # numbers of a token with one float32 scale
BITS: dict[LatentFormat, int] = {"int8": 8, "fp8": 8, "int6": 6, "int4": 4}
_FP8_MOST = 448.0  # of e4m3


def rounded(values_KC: Tensor, format: LatentFormat) -> Tensor:
    """float32 [k, C] through a format: symmetric integers, or e4m3, with a scale for each block of a token."""
    return torch.cat([_block(block, format) for block in values_KC.split(BLOCK, dim=1)], dim=1)


def token_bytes(config: ModelConfig, format: LatentFormat, *, rope: bool) -> int:
    """Bytes of one token's latents of one layer, scales included; bfloat16 for k_rope unless `rope`."""
    rank, width = config.kv_lora_rank, config.qk_rope_head_dim
    return _packed(rank, format) + (_packed(width, format) if rope else 2 * width)


def _block(values_KC: Tensor, format: LatentFormat) -> Tensor:
    greatest_K1 = values_KC.abs().amax(dim=1, keepdim=True)
    levels = _FP8_MOST if format == "fp8" else float(2 ** (BITS[format] - 1) - 1)
    scale_K1 = torch.where(greatest_K1 > 0, greatest_K1 / levels, 1.0)
    scaled = values_KC / scale_K1
    kept = scaled.to(torch.float8_e4m3fn).float() if format == "fp8" else scaled.round()
    return kept * scale_K1


def _packed(numbers: int, format: LatentFormat) -> int:
    return -(-numbers * BITS[format] // 8) + 4 * -(-numbers // BLOCK)


def every_format(formats: Sequence[LatentFormat], values_KC: Tensor) -> list[Tensor]:
    """The same values through each format."""
    return [rounded(values_KC, format) for format in formats]
