"""The four models of the attention study: one shape, one router, one budget; only attention differs.

Sizes are matched by the width of the one dense layer, which makes up for what an attention saves (as Llama 2's
GQA models did, arXiv 2307.09288 §A.2.1). The MLA has the paper's proportions (DeepSeek-V2 §2.1.4): a latent of four
heads' width, half a head's width rotated beside it.
"""

from dataclasses import replace

from model.config import AttentionKind, ModelConfig, RopeConfig, RouterConfig
from model.shapes import parameters_total
from model.training.recipe import DOCUMENT_END_ID, Recipe

KINDS: tuple[AttentionKind, ...] = ("mha", "gqa", "mqa", "mla")
VOCABULARY = 4096
HEADS, HEAD_WIDTH, GROUPS = 8, 16, 2
STEP = 8  # the dense layer's width is a multiple of it


def study_config(kind: AttentionKind) -> ModelConfig:
    """One of the four: 1.2 M parameters, one dense and three MoE layers of eight experts."""
    target = parameters_total(_config("mha", dense=320))
    fixed, row = parameters_total(_config(kind, dense=0)), 3 * _config(kind, dense=0).hidden_size
    return _config(kind, dense=round((target - fixed) / (row * STEP)) * STEP)


def study_recipe(recipe: Recipe, *, seed: int) -> Recipe:
    """The bundled model's recipe, told to balance by bias as V3 does: no loss competes with the cross entropy."""
    return replace(recipe, seed=seed, balance="bias")


def _config(kind: AttentionKind, *, dense: int) -> ModelConfig:
    """Half of each head is rotated in MHA, GQA and MQA, as in GLM-4.5, whose layout their checkpoints have."""
    latent = kind == "mla"
    return ModelConfig(
        family="DeepSeek-V3" if latent else "GLM-4 MoE",
        model_type="deepseek_v3" if latent else "glm4_moe",
        vocab_size=VOCABULARY,
        hidden_size=128,
        layers=4,
        heads=HEADS,
        q_lora_rank=None,
        kv_lora_rank=4 * HEAD_WIDTH if latent else 0,
        qk_nope_head_dim=HEAD_WIDTH if latent else HEAD_WIDTH // 2,
        qk_rope_head_dim=HEAD_WIDTH // 2,
        v_head_dim=HEAD_WIDTH,
        kv_heads={"mha": HEADS, "gqa": GROUPS, "mqa": 1, "mla": None}[kind],
        intermediate_size=dense,
        moe_intermediate_size=32,
        shared_experts=1,
        moe_layers=(1, 2, 3),
        router=RouterConfig("noaux_tc", "sigmoid", experts=8, experts_per_token=2, normalise=True),
        rope=RopeConfig(theta=10000.0, interleaved=latent),
        max_position_embeddings=2048,
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        dtype="bfloat16",
        bos_token_id=DOCUMENT_END_ID,
        eos_token_ids=(DOCUMENT_END_ID,),
    )
