"""Which arithmetic products of scores use: bfloat16 where the processor multiplies it faster, else float32."""

import time
from functools import lru_cache

import torch

from model.lens_messages import Arithmetic

DTYPES: dict[Arithmetic, torch.dtype] = {"float32": torch.float32, "bf16": torch.bfloat16}
WORTH = 1.4  # times as fast as float32: less is not worth the rounding


def arithmetic(device: torch.device, *, exact: bool) -> Arithmetic:
    """The one to use on a device; `exact` asks for float32."""
    return "bf16" if not exact and _bf16_pays(device) else "float32"


@lru_cache(maxsize=8)
def _bf16_pays(device: torch.device) -> bool:
    """Whether products in bfloat16 are clearly faster; tried once, some milliseconds."""
    if device.type != "cpu":
        return True
    seconds = {dtype: min(_product(dtype) for _ in range(3)) for dtype in DTYPES.values()}
    return seconds[torch.bfloat16] * WORTH < seconds[torch.float32]


def _product(dtype: torch.dtype) -> float:
    a, b = torch.ones((512, 192), dtype=dtype), torch.ones((192, 256), dtype=dtype)
    began = time.thread_time()
    torch.mm(a, b)
    return time.thread_time() - began
