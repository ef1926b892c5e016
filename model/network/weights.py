"""A checkpoint's tensors, bound to the places where the mathematics uses them.

Binding copies nothing: every field refers to the tensor that the loader made, or to a view of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from model.config import ModelConfig


class Linear(NamedTuple):
    """y = x Wᵀ + b."""

    weight: Tensor
    bias: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """[T, in] -> [T, out]."""
        return F.linear(x, self.weight, self.bias)


class FeedForward(NamedTuple):
    """down(silu(gate(x)) · up(x)): a dense MLP, one routed expert, or all shared experts side by side."""

    gate: Linear
    up: Linear
    down: Linear

    def __call__(self, x_TD: Tensor) -> Tensor:
        """[T, D] -> [T, D]."""
        return self.down(F.silu(self.gate(x_TD)) * self.up(x_TD))


class Experts(Protocol):
    """The routed experts of one layer by number. A tuple of them is resident; others may bring one in when asked.

    Whoever asks must be done with an expert's tensors before it asks for more than a token's choice of others.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, expert: int, /) -> FeedForward: ...


@dataclass(frozen=True, slots=True, eq=False)
class AttentionWeights:
    """One MLA block. `q_a` and `q_a_norm` are None without a query LoRA; `q` is then q_proj, else q_b_proj."""

    q_a: Linear | None
    q_a_norm: Tensor | None
    q: Linear
    kv_a: Linear
    kv_a_norm: Tensor
    kv_b_HXC: Tensor  # per head the first N rows are W_UK, the other V rows W_UV
    w_uk_HNC: Tensor
    w_uv_HVC: Tensor
    o: Linear


@dataclass(frozen=True, slots=True, eq=False)
class GroupedWeights:
    """One MHA, GQA or MQA block. Per head the first R rows of `q` and `k` are rotated."""

    q: Linear
    k: Linear
    v: Linear
    o: Linear


@dataclass(frozen=True, slots=True, eq=False)
class MoeWeights:
    """Router in float32, routed experts one by one, shared experts as the one MLP they are stored as."""

    gate_ED: Tensor
    bias_E: Tensor | None
    experts: Experts
    shared: FeedForward | None


@dataclass(frozen=True, slots=True, eq=False)
class LayerWeights:
    """One decoder layer: a dense MLP or a MoE behind the attention, or, with a shortcut, both."""

    attention_norm: Tensor
    attention: AttentionWeights | GroupedWeights
    mlp_norm: Tensor
    dense: FeedForward | None
    moe: MoeWeights | None
    moe_norm: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """All of a model."""

    embedding_VD: Tensor
    layers: tuple[LayerWeights, ...]
    norm: Tensor
    head: Linear


def bind(config: ModelConfig, tensors: Mapping[str, Tensor], experts: Mapping[int, Experts] | None = None) -> Weights:
    """Bind tensors named as in `model.shapes.tensor_shapes`. A missing one is a KeyError of the loader's making.

    `experts` brings the routed experts of some layers by block number; those of the others are among `tensors`.
    """
    embedding = tensors["model.embed_tokens.weight"]
    head = embedding if config.tie_word_embeddings else tensors["lm_head.weight"]
    paged = experts or {}
    layers = tuple(_layer(config, tensors, layer, paged.get(layer)) for layer in range(config.layers))
    return Weights(embedding, layers, tensors["model.norm.weight"], Linear(head))


def _layer(config: ModelConfig, tensors: Mapping[str, Tensor], layer: int, experts: Experts | None) -> LayerWeights:
    prefix = f"model.layers.{layer}."
    moe = layer in config.moe_layers
    return LayerWeights(
        attention_norm=tensors[prefix + "input_layernorm.weight"],
        attention=(_attention if config.kv_heads is None else _grouped)(config, tensors, prefix + "self_attn."),
        mlp_norm=tensors[prefix + "post_attention_layernorm.weight"],
        dense=_feed_forward(tensors, prefix + "mlp.") if not moe or config.shortcut_moe else None,
        moe=_moe(config, tensors, prefix + "mlp.", experts) if moe else None,
        moe_norm=tensors[prefix + "post_mlp_layernorm.weight"] if moe and config.moe_norm else None,
    )


def _attention(config: ModelConfig, tensors: Mapping[str, Tensor], prefix: str) -> AttentionWeights:
    lora = config.q_lora_rank is not None
    kv_b_HXC = tensors[prefix + "kv_b_proj.weight"].view(config.heads, -1, config.kv_lora_rank)
    w_uk_HNC, w_uv_HVC = kv_b_HXC.split([config.qk_nope_head_dim, config.v_head_dim], dim=1)
    return AttentionWeights(
        q_a=_linear(tensors, prefix + "q_a_proj") if lora else None,
        q_a_norm=tensors[prefix + "q_a_layernorm.weight"] if lora else None,
        q=_linear(tensors, prefix + ("q_b_proj" if lora else "q_proj")),
        kv_a=_linear(tensors, prefix + "kv_a_proj_with_mqa"),
        kv_a_norm=tensors[prefix + "kv_a_layernorm.weight"],
        kv_b_HXC=kv_b_HXC,
        w_uk_HNC=w_uk_HNC,
        w_uv_HVC=w_uv_HVC,
        o=_linear(tensors, prefix + "o_proj"),
    )


def _grouped(_config: ModelConfig, tensors: Mapping[str, Tensor], prefix: str) -> GroupedWeights:
    return GroupedWeights(*(_linear(tensors, prefix + name) for name in ("q_proj", "k_proj", "v_proj", "o_proj")))


def _moe(config: ModelConfig, tensors: Mapping[str, Tensor], prefix: str, experts: Experts | None) -> MoeWeights:
    assert config.router is not None
    stored = range(config.router.stored_experts if experts is None else 0)
    bias = tensors.get(prefix + "gate.e_score_correction_bias")
    return MoeWeights(
        gate_ED=tensors[prefix + "gate.weight"].to(torch.float32),
        bias_E=None if bias is None else bias.to(torch.float32),
        experts=experts or tuple(_feed_forward(tensors, f"{prefix}experts.{expert}.") for expert in stored),
        shared=_feed_forward(tensors, prefix + "shared_experts.") if config.shared_experts else None,
    )


def _feed_forward(tensors: Mapping[str, Tensor], prefix: str) -> FeedForward:
    return FeedForward(*(_linear(tensors, prefix + name) for name in ("gate_proj", "up_proj", "down_proj")))


def _linear(tensors: Mapping[str, Tensor], name: str) -> Linear:
    return Linear(tensors[name + ".weight"], tensors.get(name + ".bias"))
