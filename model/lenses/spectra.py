"""Effective rank of a layer's latents, and what heads read of them: singular values, streaming."""

from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray

from model.problems import Problem
from model.recording.bits import as_tensor
from model.recording.projections import Projections
from model.recording.recording import Recording

BLOCK = 2048
NO_LATENTS = "This model keeps keys and values, not latents, so there is nothing to show; choose a run of an MLA model."

Floats = NDArray[np.float32]


@torch.no_grad()
def spectrum(recording: Recording, *, layer: int) -> Generator[None, None, Floats]:
    """Singular values of all tokens' c_kv [T, C] of one layer, largest first, float32 [C]; from C_kvᵀ C_kv."""
    rank = recording.info.config.kv_lora_rank
    gram_CC = torch.zeros((rank, rank), dtype=torch.float64)
    for start in range(0, recording.tokens, BLOCK):
        values = recording.heavy("c_kv", layer_row=layer, start=start, end=min(start + BLOCK, recording.tokens))
        block_TC = as_tensor(values).float()
        gram_CC += torch.mm(block_TC.T, block_TC).double()
        yield
    powers_C = torch.linalg.eigvalsh(gram_CC).flip(0).clamp(min=0)
    singular_C: Floats = powers_C.sqrt().float().numpy()
    return singular_C


def effective_rank(singular_C: Floats) -> float:
    """exp of the entropy of the normalised singular values (Roy and Vetterli, 2007); 0 where all are 0."""
    whole = float(singular_C.sum(dtype=np.float64))
    if whole == 0:
        return 0.0
    shares = singular_C[singular_C > 0].astype(np.float64) / whole
    return float(np.exp(-(shares * np.log(shares)).sum()))


@torch.no_grad()
def reading(recording: Recording, projections: Projections, *, layer: int) -> tuple[Floats, Floats]:
    """Norms [H, C] of W_UK's column of each latent dimension, and singular values [H, min(N, C)] of W_UK."""
    config = recording.info.config
    kv_b = projections.layer(layer).kv_b
    if kv_b is None:
        raise Problem(NO_LATENTS)
    w_uk_HNC = kv_b.unflatten(0, (config.heads, -1))[:, : config.qk_nope_head_dim].float().cpu()
    return w_uk_HNC.norm(dim=1).numpy(), torch.linalg.svdvals(w_uk_HNC).numpy()
