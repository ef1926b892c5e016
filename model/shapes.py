"""The tensors a checkpoint must hold, by name and shape, derived from its config alone. Torch-free.

Names are those of DeepSeek's checkpoints (Hugging Face layout, one tensor per expert); families that
store other names map them to these, block by block. Nothing is read:
`inspect`, the memory plan and the loader's strict check all start here.
"""

from collections.abc import Iterator
from math import prod

from model.caches import kept_bytes
from model.config import DTYPE_BYTES, DtypeName, ModelConfig

Shape = tuple[int, ...]


def tensor_shapes(config: ModelConfig) -> dict[str, Shape]:
    """Every tensor name of the main model with its shape; `lm_head.weight` is absent when tied."""
    shapes: dict[str, Shape] = {"model.embed_tokens.weight": (config.vocab_size, config.hidden_size)}
    for layer in range(config.layers):
        prefix = f"model.layers.{layer}."
        shapes.update((prefix + name, shape) for name, shape in _layer(config, layer))
    shapes["model.norm.weight"] = (config.hidden_size,)
    if not config.tie_word_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, config.hidden_size)
    return shapes


def parameters_total(config: ModelConfig) -> int:
    """All weights of the main model, a tied head counted once."""
    return sum(prod(shape) for shape in tensor_shapes(config).values())


def parameters_active(config: ModelConfig) -> int:
    """Weights that one token uses, without the embedding lookup; a tied head still multiplies."""
    head = config.vocab_size * config.hidden_size
    total = parameters_total(config) - (0 if config.tie_word_embeddings else head)
    if config.router is not None:
        # Of LongCat's choices some fall on zero experts; all of them are counted as weights, the upper limit.
        idle = max(config.router.stored_experts - config.router.experts_per_token, 0)
        total -= len(config.moe_layers) * idle * 3 * config.hidden_size * config.moe_intermediate_size
    return total


def step_bytes(config: ModelConfig, dtype: DtypeName, context: int) -> int:
    """Bytes that one token's step reads: every weight it uses, and the latents of the tokens before it."""
    width = DTYPE_BYTES[dtype]
    return parameters_active(config) * width + context * kept_bytes(config, width)


def _layer(config: ModelConfig, layer: int) -> Iterator[tuple[str, Shape]]:
    yield "input_layernorm.weight", (config.hidden_size,)
    for name, shape in _attention(config):
        yield f"self_attn.{name}", shape
    yield "post_attention_layernorm.weight", (config.hidden_size,)
    if layer in config.moe_layers:
        for name, shape in _moe(config):
            yield f"mlp.{name}", shape
    if layer not in config.moe_layers or config.shortcut_moe:
        for name, shape in _mlp(config, config.intermediate_size):
            yield f"mlp.{name}", shape
    if layer in config.moe_layers and config.moe_norm:
        yield "post_mlp_layernorm.weight", (config.hidden_size,)


def _attention(config: ModelConfig) -> Iterator[tuple[str, Shape]]:
    return _latent(config) if config.kv_heads is None else _grouped(config, config.kv_heads)


def _grouped(config: ModelConfig, kv_heads: int) -> Iterator[tuple[str, Shape]]:
    width = config.hidden_size
    yield "q_proj.weight", (config.heads * config.qk_head_dim, width)
    yield "k_proj.weight", (kv_heads * config.qk_head_dim, width)
    yield "v_proj.weight", (kv_heads * config.v_head_dim, width)
    yield "o_proj.weight", (width, config.heads * config.v_head_dim)


def _latent(config: ModelConfig) -> Iterator[tuple[str, Shape]]:
    width, rank = config.hidden_size, config.kv_lora_rank
    if config.q_lora_rank is None:
        yield "q_proj.weight", (config.heads * config.qk_head_dim, width)
    else:
        yield "q_a_proj.weight", (config.q_lora_rank, width)
        if config.attention_bias:
            yield "q_a_proj.bias", (config.q_lora_rank,)
        yield "q_a_layernorm.weight", (config.q_lora_rank,)
        yield "q_b_proj.weight", (config.heads * config.qk_head_dim, config.q_lora_rank)
    yield "kv_a_proj_with_mqa.weight", (rank + config.qk_rope_head_dim, width)
    if config.attention_bias:
        yield "kv_a_proj_with_mqa.bias", (rank + config.qk_rope_head_dim,)
    yield "kv_a_layernorm.weight", (rank,)
    yield "kv_b_proj.weight", (config.heads * (config.qk_nope_head_dim + config.v_head_dim), rank)
    yield "o_proj.weight", (width, config.heads * config.v_head_dim)
    if config.attention_bias:
        yield "o_proj.bias", (width,)


def _moe(config: ModelConfig) -> Iterator[tuple[str, Shape]]:
    router = config.router
    assert router is not None, "a MoE layer needs a router"
    yield "gate.weight", (router.experts, config.hidden_size)
    if router.biased:
        yield "gate.e_score_correction_bias", (router.experts,)
    width = config.moe_intermediate_size
    for expert in range(router.stored_experts):
        for name in ("gate_proj", "up_proj"):
            yield f"experts.{expert}.{name}.weight", (width, config.hidden_size)
        yield f"experts.{expert}.down_proj.weight", (config.hidden_size, width)
    if config.shared_experts:
        for name, shape in _mlp(config, config.shared_experts * width):
            yield f"shared_experts.{name}", shape


def _mlp(config: ModelConfig, width: int) -> Iterator[tuple[str, Shape]]:
    for name in ("gate_proj", "up_proj"):
        yield f"{name}.weight", (width, config.hidden_size)
        if config.mlp_bias:
            yield f"{name}.bias", (width,)
    yield "down_proj.weight", (config.hidden_size, width)
    if config.mlp_bias:
        yield "down_proj.bias", (config.hidden_size,)
