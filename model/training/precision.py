"""Which number format a step computes in: bfloat16 where the machine multiplies it fast, else float32."""

import torch


def compute_dtype(device: str) -> torch.dtype:
    """A CPU without bfloat16 units emulates them, up to a hundred times slower than float32."""
    if torch.device(device).type == "cuda":
        return torch.bfloat16
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32
