"""The trained weights under their checkpoint names: float32 masters, and the bfloat16 copies a step computes with."""

import torch
from torch import Tensor

from model.config import ModelConfig
from model.shapes import tensor_shapes

EMBEDDING_SPREAD = 0.02


def initial(config: ModelConfig, *, seed: int) -> dict[str, Tensor]:
    """Norms at 1, embedding narrow, matrices with variance 1 / inputs; those that write to the residual are smaller."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name, shape in tensor_shapes(config).items():
        if len(shape) == 1:
            made[name] = torch.ones(shape)
        else:
            made[name] = torch.randn(shape, generator=generator) * _spread(name, shape, config)
    return made


def working_copies(masters: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Leaves to differentiate by; the router stays in float32."""
    return {
        name: tensor.to(torch.float32 if is_router(name) else dtype).clone().requires_grad_()
        for name, tensor in masters.items()
    }


def is_matrix(name: str) -> bool:
    """Whether Muon trains it: the hidden matrices, not embedding, head, router or norms."""
    return name.endswith("_proj.weight") or name.endswith("_mqa.weight")


def is_router(name: str) -> bool:
    """Whether it is a router's matrix."""
    return name.endswith("mlp.gate.weight")


def _spread(name: str, shape: tuple[int, ...], config: ModelConfig) -> float:
    if not is_matrix(name):
        return EMBEDDING_SPREAD
    writes = name.endswith(("o_proj.weight", "down_proj.weight"))
    return float(shape[1] ** -0.5 * ((2 * config.layers) ** -0.5 if writes else 1.0))
