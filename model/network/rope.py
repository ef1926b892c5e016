"""Rotary position embedding with YaRN or LongRoPE: frequencies, the softmax scale they bring, the rotation.

Formulas: RoFormer (arXiv 2104.09864), YaRN (arXiv 2309.00071), LongRoPE (arXiv 2402.13753), and DeepSeek-V2's
use of YaRN's temperature, which changes the softmax scale as well as the frequencies.
"""

import math

import torch
from torch import Tensor

from model.config import ModelConfig, QueryTemperature, RopeConfig, YarnConfig


def frequencies(rope: RopeConfig, width: int, *, long: bool = False) -> Tensor:
    """Angle per position of each rotated pair, float32 [width / 2]; `long`: beyond LongRoPE's original length.

    Computed in float32 in the order of DeepSeek's own code: checkpoints were trained with its rounding, and one
    bit of a frequency turns into 1e-4 of an angle after a thousand positions.
    """
    periods = rope.theta ** (torch.arange(0, width, 2, dtype=torch.float32) / width)
    if rope.longrope is not None:
        factors = rope.longrope.long_factors if long else rope.longrope.short_factors
        return 1.0 / (torch.tensor(factors, dtype=torch.float32) * periods)
    plain = 1.0 / periods
    if rope.yarn is None:
        return plain
    kept = 1 - _yarn_ramp(rope.yarn, theta=rope.theta, width=width)
    return 1.0 / (rope.yarn.factor * periods) * (1 - kept) + plain * kept


def amplitude(rope: RopeConfig) -> float:
    """What cos and sin are multiplied by: 1 for all DeepSeek releases, else the ratio of both mscales."""
    if rope.longrope is not None:
        return rope.longrope.attention_factor
    yarn = rope.yarn
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
        kinds = (False,) if rope.longrope is None else (False, True)
        self._original = rope.longrope.original_max_position_embeddings if rope.longrope else 0
        self._frequencies = [frequencies(rope, width, long=long).to(device) for long in kinds]
        self._amplitude = amplitude(rope)
        self._tables = [self._make(one, 256) for one in self._frequencies]

    def rows(self, start: int, end: int, *, length: int) -> Tensor:
        """Rotations of positions start … end - 1, complex64 [end - start, width / 2].

        LongRoPE alone asks how many tokens were known when a position was rotated: `length`, the whole prompt
        for its tokens, else the position and those before it. Rotated once, a cached key is never rotated again.
        """
        size = len(self._tables[0])
        if end > size:
            self._tables = [self._make(one, max(end, 2 * size)) for one in self._frequencies]
        if len(self._tables) == 1:
            return self._tables[0][start:end]
        # Position p was one of max(length, p + 1) known tokens; with more than the original length, the long factors.
        first_long = start if length > self._original else min(max(self._original, start), end)
        if first_long in (start, end):
            return self._tables[first_long == start][start:end]
        return torch.cat((self._tables[0][start:first_long], self._tables[1][first_long:end]))

    def at(self, positions: Tensor, *, length: int) -> Tensor:
        """What `rows` has of some positions, complex64 [n, width / 2], without a table of all that come before."""
        tables = [self._turned(one, positions.float()) for one in self._frequencies]
        if len(tables) == 1:
            return tables[0]
        long = torch.clamp(positions + 1, min=length) > self._original
        return torch.where(long[:, None], tables[1], tables[0])

    def _make(self, angles_R: Tensor, positions: int) -> Tensor:
        return self._turned(angles_R, torch.arange(positions, dtype=torch.float32, device=angles_R.device))

    def _turned(self, angles_R: Tensor, position: Tensor) -> Tensor:
        angles_PR = torch.outer(position, angles_R)
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
