from dataclasses import replace

import pytest
import torch

from model.caches import kept_bytes
from model.config import AttentionKind, ModelConfig
from model.network.cache import KvCache
from model.network.decoder import Decoder
from model.network.rope import RotaryTable
from model.shapes import parameters_total, tensor_shapes
from model.training import parameters
from model.training.forward import hidden
from model.training.study_recipe import KINDS, study_config

CONFIGS = {kind: study_config(kind) for kind in KINDS}


def alike(config: ModelConfig) -> ModelConfig:
    """What is left of a config when what may differ is made equal."""
    return replace(
        config,
        family="",
        model_type="",
        kv_lora_rank=0,
        qk_nope_head_dim=0,
        kv_heads=None,
        intermediate_size=0,
        rope=replace(config.rope, interleaved=False),
    )


def test_the_four_differ_in_attention_and_in_the_dense_layers_width_alone() -> None:
    assert [config.attention for config in CONFIGS.values()] == list(KINDS)
    assert len({repr(alike(config)) for config in CONFIGS.values()}) == 1


def test_their_sizes_agree_to_two_per_cent_and_fit_into_their_folders() -> None:
    totals = [parameters_total(config) for config in CONFIGS.values()]
    assert max(totals) <= 1.02 * min(totals)
    assert max(totals) * 2 < 2_600_000


def test_bytes_per_token_are_those_of_the_papers_table() -> None:
    width, layers = 16, 4
    elements = {"mha": 2 * 8 * width, "gqa": 2 * 2 * width, "mqa": 2 * width, "mla": 4 * width + width // 2}
    assert {kind: kept_bytes(config, 2) for kind, config in CONFIGS.items()} == {
        kind: count * layers * 2 for kind, count in elements.items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_cache_holds_exactly_the_bytes_of_the_formula(kind: AttentionKind) -> None:
    config = CONFIGS[kind]
    cache = KvCache(config, dtype=torch.bfloat16, device=torch.device("cpu"))
    cache.reserve(100)
    cache.advance(100)
    assert cache.used_bytes() == 100 * kept_bytes(config, 2)
    assert cache.measured_bytes() == cache.capacity * kept_bytes(config, 2)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_training_and_running_give_the_same_logits(kind: AttentionKind) -> None:
    config = replace(CONFIGS[kind], vocab_size=300, dtype="float32")
    weights = parameters.bound(config, parameters.initial(config, seed=3))
    ids_T = torch.arange(40) * 7 % 300
    rotation_TR = RotaryTable(config.rope, config.qk_rope_head_dim, torch.device("cpu")).rows(0, 20, length=20)
    x_TD, _ = hidden(config, weights, ids_T, rotation_TR.repeat(2, 1), sequences=2)
    decoder = Decoder(config, weights)
    for part, told_TD in zip(ids_T.chunk(2), x_TD.chunk(2), strict=True):
        logits_TV = decoder.step(part, decoder.new_cache(), logits="all")
        assert (weights.head(told_TD) - logits_TV).abs().max() <= 1e-5
        cache = decoder.new_cache()
        one_by_one = [decoder.step(token[None], cache, absorbed=True) for token in part]
        assert (torch.cat(one_by_one) - logits_TV).abs().max() <= 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_is_named_as_in_its_family(kind: AttentionKind) -> None:
    names = {name.rsplit(".", 2)[-2] for name in tensor_shapes(CONFIGS[kind]) if "self_attn" in name}
    latent = {"kv_a_proj_with_mqa", "kv_a_layernorm", "kv_b_proj"}
    assert names == {"q_proj", "o_proj"} | (latent if kind == "mla" else {"k_proj", "v_proj"})
