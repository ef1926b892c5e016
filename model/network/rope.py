"""Rotary position embedding with YaRN: frequencies, the softmax scale they bring, the rotation.

Formulas: RoFormer (arXiv 2104.09864), YaRN (arXiv 2309.00071), and DeepSeek-V2's use of YaRN's
temperature, which changes the softmax scale as well as the frequencies.
"""

import math

import torch
from torch import Tensor

from model.config import ModelConfig, QueryTemperature, RopeConfig, YarnConfig


def frequencies(rope: RopeConfig, width: int) -> Tensor:
    """Angle per position of each rotated pair, float32 [width / 2].

    Computed in float32 in the order of DeepSeek's own code: checkpoints were trained with its rounding, and one
    bit of a frequency turns into 1e-4 of an angle after a thousand positions.
    """
    periods = rope.theta ** (torch.arange(0, width, 2, dtype=torch.float32) / width)
    plain = 1.0 / periods
    if rope.yarn is None:
        return plain
    kept = 1 - _yarn_ramp(rope.yarn, theta=rope.theta, width=width)
    return 1.0 / (rope.yarn.factor * periods) * (1 - kept) + plain * kept


def amplitude(yarn: YarnConfig | None) -> float:
    """What cos and sin are multiplied by: 1 for all DeepSeek releases, else the ratio of both mscales."""
    if yarn is None:
        return 1.0
    if yarn.attention_factor is not None:
        return yarn.attention_factor
    if yarn.mscale and yarn.mscale_all_dim:
        return _temperature(yarn.factor, yarn.mscale) / _temperature(yarn.factor, yarn.mscale_all_dim)
    return _temperature(yarn.factor, 1.0)


def softmax_scale(config: ModelConfig) -> float:
    """(dn + dr)^-1/2 · query_scale, times the squared YaRN temperature when `mscale_all_dim` is given."""
    scale: float = config.qk_head_dim**-0.5 * config.query_scale
    yarn = config.rope.yarn
    if yarn is not None and yarn.mscale_all_dim:
        scale *= _temperature(yarn.factor, yarn.mscale_all_dim) ** 2
    return scale


def query_temperature(setting: QueryTemperature, position_T: Tensor) -> Tensor:
    """What queries at these positions are multiplied by, float32 [T]."""
    steps_T = torch.floor(position_T / setting.original_max_position_embeddings)
    return 1 + setting.beta * torch.log(1 + steps_T)


class RotaryTable:
    """cos + i·sin for every position seen so far; grows by doubling, never beyond what is asked twice over."""

    def __init__(self, rope: RopeConfig, width: int, device: torch.device) -> None:
        self._frequencies = frequencies(rope, width).to(device)
        self._amplitude = amplitude(rope.yarn)
        self._table_PR = self._make(256)

    def rows(self, start: int, end: int) -> Tensor:
        """Rotations of positions start … end - 1, complex64 [end - start, width / 2]."""
        if end > len(self._table_PR):
            self._table_PR = self._make(max(end, 2 * len(self._table_PR)))
        return self._table_PR[start:end]

    def _make(self, positions: int) -> Tensor:
        position = torch.arange(positions, dtype=torch.float32, device=self._frequencies.device)
        angles_PR = torch.outer(position, self._frequencies)
        return torch.polar(torch.full_like(angles_PR, self._amplitude), angles_PR)


def rotate(x_THR: Tensor, rotation_TR: Tensor, *, interleaved: bool) -> Tensor:
    """Rotate each pair of the last axis by its token's angle, in float32; the order of elements stays.

    Pairs are neighbours (2i, 2i + 1) when interleaved, else (i, i + R / 2).
    """
    if interleaved:
        pairs = torch.view_as_complex(x_THR.float().unflatten(-1, (-1, 2)).contiguous())
        return torch.view_as_real(pairs * rotation_TR.unsqueeze(1)).flatten(-2).to(x_THR.dtype)
    pairs = torch.complex(*x_THR.float().chunk(2, dim=-1)) * rotation_TR.unsqueeze(1)
    return torch.cat((pairs.real, pairs.imag), dim=-1).to(x_THR.dtype)


def _temperature(factor: float, mscale: float) -> float:
    return 1.0 if factor <= 1.0 else 0.1 * mscale * math.log(factor) + 1.0


def _yarn_ramp(yarn: YarnConfig, *, theta: float, width: int) -> Tensor:
    """0 where a pair keeps its frequency, 1 where it is divided by the factor."""

    def turns(count: float) -> float:
        ratio = yarn.original_max_position_embeddings / (2 * math.pi * count)
        return width * math.log(ratio) / (2 * math.log(theta))

    low, high = turns(yarn.beta_fast), turns(yarn.beta_slow)
    if yarn.truncate:
        low, high = float(math.floor(low)), float(math.ceil(high))
    low, high = max(low, 0.0), min(high, width - 1.0)
    if low == high:
        high += 0.001
    pair = torch.arange(width // 2, dtype=torch.float32)
    return ((pair - low) / (high - low)).clamp(0, 1)
