"""The weights in training: float32 masters, the experts of a layer stacked, and the copies a step computes with.

Names are the checkpoint's, less the expert's number: `…mlp.experts.gate_proj.weight` [E, I, D] stands for
`…mlp.experts.0.gate_proj.weight`, `…1…` and so on.
"""

import re
from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor

from model.config import ModelConfig
from model.network.weights import Experts, Weights, bind
from model.shapes import tensor_shapes
from model.training.experts import StackedExperts

EMBEDDING_SPREAD = 0.02
OF_EXPERT = re.compile(r"(.*\.mlp\.experts\.)(\d+)\.(.*)")
OF_STACK = re.compile(r"(.*\.mlp\.experts\.)([a-z_]+\.weight)")


def initial(config: ModelConfig, *, seed: int) -> dict[str, Tensor]:
    """Norms at 1, embedding narrow, matrices with variance 1 / inputs; those that write to the residual are smaller."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name, shape in tensor_shapes(config).items():
        if is_correction_bias(name):
            made[name] = torch.zeros(shape)
        elif len(shape) == 1:
            made[name] = torch.ones(shape)
        else:
            made[name] = torch.randn(shape, generator=generator) * _spread(name, shape, config)
    return stacked(made)


def stacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Checkpoint tensors, in any order, with the experts of a layer in one."""
    made: dict[str, Tensor] = {}
    experts: dict[str, dict[int, Tensor]] = defaultdict(dict)
    for name, tensor in tensors.items():
        match = OF_EXPERT.fullmatch(name)
        if match is None:
            made[name] = tensor
        else:
            experts[match[1] + match[3]][int(match[2])] = tensor
    return made | {name: torch.stack([parts[e] for e in range(len(parts))]) for name, parts in experts.items()}


def separate(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The checkpoint's tensors again, experts as views."""
    made: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        match = OF_STACK.fullmatch(name)
        parts = {name: tensor} if match is None else {f"{match[1]}{e}.{match[2]}": one for e, one in enumerate(tensor)}
        made |= parts
    return made


def bound(config: ModelConfig, tensors: Mapping[str, Tensor]) -> Weights:
    """Stacked tensors where the mathematics uses them."""
    experts: dict[int, Experts] = {
        layer: StackedExperts(
            *(tensors[f"model.layers.{layer}.mlp.experts.{name}_proj.weight"] for name in ("gate", "up", "down"))
        )
        for layer in config.moe_layers
    }
    return bind(config, tensors, experts)


def working_copies(masters: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Leaves to differentiate by; routers stay in float32, and their correction biases are no leaves."""
    return {
        name: tensor.to(torch.float32 if is_router(name) else dtype, copy=True).requires_grad_(
            not is_correction_bias(name)
        )
        for name, tensor in masters.items()
    }


def is_matrix(name: str) -> bool:
    """Whether Muon trains it: the hidden matrices, not embedding, head, router or norms."""
    return name.endswith("_proj.weight") or name.endswith("_mqa.weight")


def is_router(name: str) -> bool:
    """Whether it is a router's matrix or correction bias."""
    return ".mlp.gate." in name


def is_correction_bias(name: str) -> bool:
    """Whether it is a router's correction bias, which no gradient trains (DeepSeek-V3 §2.1.2)."""
    return name.endswith("e_score_correction_bias")


def _spread(name: str, shape: tuple[int, ...], config: ModelConfig) -> float:
    if not is_matrix(name):
        return EMBEDDING_SPREAD
    writes = name.endswith(("o_proj.weight", "down_proj.weight"))
    return float(shape[1] ** -0.5 * ((2 * config.layers) ** -0.5 if writes else 1.0))
