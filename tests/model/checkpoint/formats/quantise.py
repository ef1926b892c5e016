"""Quantised tensors as their writers store them, and the weights they stand for, found one by one in plain Python."""

import math

import numpy as np
import torch
from torch import Tensor

CODES = [float(value) for value in torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).float()]
FP8_MOST = 448.0


def fp8(weights: Tensor, block: tuple[int, int], *, powers: bool = False) -> tuple[Tensor, Tensor]:
    """e4m3 codes uint8 [M, N] and a float32 scale for each block; `powers`: scales are powers of two."""
    rows, columns = weights.shape
    scales = torch.empty(math.ceil(rows / block[0]), math.ceil(columns / block[1]))
    codes = torch.empty(rows, columns, dtype=torch.uint8)
    for i in range(scales.shape[0]):
        for j in range(scales.shape[1]):
            part = slice(i * block[0], (i + 1) * block[0]), slice(j * block[1], (j + 1) * block[1])
            scale = float(weights[part].abs().max()) / FP8_MOST or 1.0
            scale = 2.0 ** math.ceil(math.log2(scale)) if powers else scale
            scales[i, j] = scale
            codes[part] = (
                (weights[part] / scales[i, j]).clamp(-FP8_MOST, FP8_MOST).to(torch.float8_e4m3fn).view(torch.uint8)
            )
    return codes, scales


def from_fp8(codes: Tensor, scales: Tensor, block: tuple[int, int]) -> Tensor:
    """Every weight by itself: torch's value of the code, times the scale of the block it lies in, float32."""
    factors = scales.tolist()
    return torch.tensor(
        [
            [CODES[code] * factors[row // block[0]][column // block[1]] for column, code in enumerate(line)]
            for row, line in enumerate(codes.tolist())
        ],
        dtype=torch.float64,
    ).to(torch.float32)


def int4(weights: Tensor, group: int) -> tuple[Tensor, Tensor]:
    """Packed codes int32 [M, ⌈N / 8⌉] and scales bfloat16 [M, ⌈N / group⌉]."""
    groups = [part.abs().amax(dim=1) / 7 for part in weights.split(group, dim=1)]
    scales = torch.stack(groups, dim=1).to(torch.bfloat16)
    spread = scales.float().repeat_interleave(group, dim=1)[:, : weights.shape[1]]
    codes = (weights / spread).round().clamp(-8, 7).to(torch.int64).tolist()
    words = [
        [sum((code + 8) << (4 * place) for place, code in enumerate(line[i : i + 8])) for i in range(0, len(line), 8)]
        for line in codes
    ]
    return torch.from_numpy(np.array(words, dtype=np.uint32).view(np.int32)), scales


def from_int4(packed: Tensor, scales: Tensor, group: int, columns: int) -> Tensor:
    """Every weight by itself: four bits of an int32, lowest first, less 8, times the scale of the group, float32."""
    factors = scales.float().tolist()
    return torch.tensor(
        [
            [
                (((line[column // 8] >> (4 * (column % 8))) & 15) - 8) * factors[row][column // group]
                for column in range(columns)
            ]
            for row, line in enumerate(packed.tolist())
        ]
    )
