"""What the latents panel is shown: frozen, as plain arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LatentMap:
    """c_kv of one layer: `values` float32 [rows, C], of each `cell` tokens the number farthest from 0.

    norms and rope_norms float32 [rows, 2]: least and greatest ‖c_kv‖ and ‖k_rope‖ of those tokens.
    """

    layer: int
    tokens: tuple[int, int]
    cell: int
    values: NDArray[np.float32]
    norms: NDArray[np.float32]
    rope_norms: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Ranks:
    """ranks float32 [L], exp of the entropy of normalised singular values; spectra float32 [L, C]; NaN: not yet."""

    tokens: int
    ranks: NDArray[np.float32]
    spectra: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Reading:
    """norms float32 [H, C] of W_UK's column for each latent dimension; singular float32 [H, min(N, C)]."""

    layer: int
    norms: NDArray[np.float32]
    singular: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Drift:
    """mean and worst float32 [heads, formats]: total variation 0 to 1; bytes int64 [formats] per token and layer."""

    layer: int
    heads: tuple[int, ...]
    formats: tuple[str, ...]
    mean: NDArray[np.float32]
    worst: NDArray[np.float32]
    bytes: NDArray[np.int64]
    rows: int
    of: int
    final: bool
