"""Every branch of every family gives what transformers gives, to the precision of float32."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load
from model.config import DtypeName, Sampling
from model.lenses.attention import probabilities
from model.network.decoder import Decoder, new_probe
from model.network.rope import rotate
from model.network.sampling import Sampler
from model.network.weights import GroupedWeights
from model.recording.columns import StepRow
from model.recording.projections import Projections
from model.recording.recorder import Recorder
from tests.model.recording.runs import run_info
from tests.parity.cases import CASES, TOKENS, Both, run_both
from tests.parity.families import Family
from tests.parity.tiny import make_checkpoint

ATTENTION = 5e-6
LATENTS = 1e-5
LOGITS = 1e-4  # of the largest logit


@pytest.fixture(scope="module", params=CASES)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    return run_both(CASES[request.param], tmp_path_factory.mktemp("checkpoint"))


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


def rebuilt(decoder: Decoder, layer: int, both: Both) -> Tensor:
    """Attention of all heads from what a recording keeps, written out plainly, [H, T, T]."""
    config, weights = decoder.config, decoder.weights.layers[layer].attention
    q_THX = weights.q(both.probe.query_source[layer]).unflatten(-1, (config.heads, -1))
    temperature_T = decoder.temperature(0, TOKENS)
    if temperature_T is not None:
        q_THX = q_THX * temperature_T[:, None, None]
    if config.kv_heads is None:
        content_THN, rope_THR = q_THX.split([config.qk_nope_head_dim, config.qk_rope_head_dim], dim=-1)
    else:
        rope_THR, content_THN = q_THX.split([config.qk_rope_head_dim, config.qk_nope_head_dim], dim=-1)
    rope_THR = rotate(rope_THR, decoder.rotations.rows(0, TOKENS, length=TOKENS), interleaved=config.rope.interleaved)
    if isinstance(weights, GroupedWeights):
        k_TGX = both.cache.first_LTX[layer, :TOKENS].unflatten(-1, (config.kv_heads, -1))
        k_THX = torch.stack([k_TGX[:, head * config.kv_heads // config.heads] for head in range(config.heads)], dim=1)
        scores_HTT = torch.einsum("qhx,khx->hqk", torch.cat((content_THN, rope_THR), dim=-1), k_THX)
    else:
        key_HTN = torch.einsum("hnc,tc->htn", weights.w_uk_HNC, both.cache.c_kv_LTC[layer, :TOKENS])
        scores_HTT = torch.einsum("qhn,hkn->hqk", content_THN, key_HTN)
        scores_HTT = scores_HTT + torch.einsum("qhr,kr->hqk", rope_THR, both.cache.k_rope_LTR[layer, :TOKENS])
    future_TT = torch.ones(TOKENS, TOKENS, dtype=torch.bool).triu(1)
    return (scores_HTT * decoder.scale).masked_fill(future_TT, float("-inf")).softmax(dim=-1)


def test_logits_are_the_same(both: Both) -> None:
    assert relative(both.logits_TV, both.their_output.logits[0]) <= LOGITS


def test_attention_rebuilt_from_latents_is_the_same(both: Both) -> None:
    for layer, theirs in enumerate(both.their_output.attentions):
        assert (rebuilt(both.decoder, layer, both) - theirs[0]).abs().max() <= ATTENTION


def test_maps_of_the_lens_are_the_same(both: Both, tmp_path: Path) -> None:
    info = run_info(both.decoder.config, prompt_tokens=TOKENS)
    recorder = Recorder.create(tmp_path / "run", info)
    recorder.append(
        both.probe,
        both.cache,
        ids=both.ids_T.tolist(),
        texts=[""] * TOKENS,
        log_probability=np.full(TOKENS, np.nan),
        step=StepRow(decode=False, measured_bytes=0, used_bytes=0, seconds=0.0),
    )
    projections, every, heads = Projections.of(both.decoder), (0, TOKENS), range(both.decoder.config.heads)
    for layer, theirs in enumerate(both.their_output.attentions):
        maps = probabilities(recorder.recording, projections, layer=layer, heads=heads, queries=every, keys=every)
        assert np.abs(maps - theirs[0].numpy()).max() <= ATTENTION


def test_cached_latents_are_the_same(both: Both) -> None:
    config = both.decoder.config
    if config.kv_heads is not None:
        return
    order = torch.arange(config.qk_rope_head_dim)
    if both.family != "v2" and config.rope.interleaved:
        order = torch.cat((order[::2], order[1::2]))  # transformers stores these families' pairs apart
    for layer, theirs in enumerate(both.their_output.past_key_values.layers):
        c_kv, k_rope = both.cache.c_kv_LTC[layer, :TOKENS], both.cache.k_rope_LTR[layer, :TOKENS]
        assert (c_kv - theirs.keys[0, 0]).abs().max() <= LATENTS
        assert (k_rope[:, order] - theirs.values[0, 0]).abs().max() <= LATENTS


def test_cached_keys_and_values_are_the_same(both: Both) -> None:
    config = both.decoder.config
    if config.kv_heads is None:
        return
    for layer, theirs in enumerate(both.their_output.past_key_values.layers):
        k_TGX = both.cache.first_LTX[layer, :TOKENS].unflatten(-1, (config.kv_heads, -1))
        v_TGV = both.cache.second_LTY[layer, :TOKENS].unflatten(-1, (config.kv_heads, -1))
        content, rope = k_TGX.split([config.qk_nope_head_dim, config.qk_rope_head_dim], dim=-1)
        assert (torch.cat((rope, content), dim=-1) - theirs.keys[0].transpose(0, 1)).abs().max() <= LATENTS
        assert (v_TGV - theirs.values[0].transpose(0, 1)).abs().max() <= LATENTS


def test_routing_is_the_same(both: Both) -> None:
    router = both.decoder.config.router
    assert len(both.their_routing) == len(both.decoder.config.moe_layers)
    if router is None:
        return
    for row, (logits_TE, weights_TA, ids_TA) in enumerate(both.their_routing):
        scores_TE = logits_TE.softmax(dim=-1) if router.scoring == "softmax" else logits_TE.sigmoid()
        assert (both.probe.router_scores[row] - scores_TE).abs().max() <= 1e-5
        theirs_TE = torch.zeros(TOKENS, router.experts).scatter(1, ids_TA, weights_TA)
        ours_TE = torch.zeros(TOKENS, router.experts).scatter(
            1, both.probe.expert_ids[row], both.probe.expert_weights[row]
        )
        assert torch.equal(ours_TE > 0, theirs_TE > 0)
        assert relative(ours_TE, theirs_TE) <= 1e-5


def test_absorbed_attention_gives_what_plain_attention_gives(both: Both) -> None:
    cache = both.decoder.new_cache()
    assert relative(both.decoder.step(both.ids_T, cache, absorbed=True, logits="all"), both.logits_TV) <= LOGITS


def test_prefill_in_chunks_gives_what_one_prefill_gives(both: Both) -> None:
    cache = both.decoder.new_cache()
    sizes = [17, 13, 1, TOKENS - 31]
    parts = [both.decoder.step(part, cache, logits="all", length=TOKENS) for part in both.ids_T.split(sizes)]
    assert relative(torch.cat(parts), both.logits_TV) <= LOGITS
    assert (cache.first_LTX[:, :TOKENS] - both.cache.first_LTX[:, :TOKENS]).abs().max() <= LATENTS


def test_decoding_behind_a_cache_gives_what_a_whole_pass_gives(both: Both) -> None:
    cache = both.decoder.new_cache()
    both.decoder.step(both.ids_T[:-8], cache)
    parts = [both.decoder.step(token[None], cache, absorbed=True) for token in both.ids_T[-8:]]
    assert relative(torch.cat(parts), both.logits_TV[-8:]) <= LOGITS


def test_a_probe_changes_no_bit(both: Both) -> None:
    for tokens, absorbed in ((TOKENS, False), (1, True)):
        runs = []
        for probe in (None, new_probe(both.decoder, TOKENS)):
            cache = both.decoder.new_cache()
            both.decoder.step(both.ids_T[:5], cache)
            runs.append(both.decoder.step(both.ids_T[:tokens], cache, probe=probe, absorbed=absorbed, logits="all"))
        assert torch.equal(*runs)


@torch.no_grad()
@pytest.mark.parametrize("family", ["v2", "v3", "minicpm3", "mistral4", "longcat_flash"])
@pytest.mark.parametrize(("dtype", "rounding"), [("bfloat16", 0.04), ("float16", 0.005)])
def test_half_precision_is_as_near_to_float32_as_theirs(
    tmp_path: Path, family: Family, dtype: DtypeName, rounding: float
) -> None:
    exact = make_checkpoint(tmp_path, family)
    half = type(exact).from_pretrained(tmp_path, dtype=getattr(torch, dtype), attn_implementation="eager").eval()
    half.set_experts_implementation("eager")
    decoder = load(read_checkpoint(tmp_path), dtype=dtype, device=torch.device("cpu"))
    ids_T = torch.arange(TOKENS) * 7 % 257
    truth_TV, theirs_TV = exact(ids_T[None]).logits[0], half(ids_T[None]).logits[0].float()
    their_error = typical_error(theirs_TV, truth_TV)
    for absorbed in (False, True):
        error = typical_error(decoder.step(ids_T, decoder.new_cache(), absorbed=absorbed, logits="all"), truth_TV)
        assert error <= rounding
        assert error <= 2 * their_error


def typical_error(logits_TV: Tensor, truth_TV: Tensor) -> float:
    """The median over tokens: a token whose rounding changes an expert says nothing about the arithmetic."""
    return float(((logits_TV - truth_TV).norm(dim=1) / truth_TV.norm(dim=1)).median())


@torch.no_grad()
@pytest.mark.parametrize("name", ["v2 yarn .707", "v2 device-limited groups", "v3 groups, bias, norm", "v3 yarn 1/1"])
def test_greedy_generation_gives_the_same_tokens(name: str, tmp_path: Path) -> None:
    both = run_both(CASES[name], tmp_path)
    prompt_T = both.ids_T[:20]
    theirs = both.theirs.generate(prompt_T[None], do_sample=False, max_new_tokens=24, eos_token_id=None)[0, 20:]
    cache, sampler = both.decoder.new_cache(), Sampler(Sampling())
    logits_1V = both.decoder.step(prompt_T, cache)
    ours = []
    for _ in range(24):
        ours.append(sampler.choose(logits_1V[0]))
        logits_1V = both.decoder.step(torch.tensor(ours[-1:]), cache, absorbed=True)
    assert ours == theirs.tolist()


def test_the_oracle_itself_is_randomised(tmp_path: Path) -> None:
    """Norms at 1 and biases at 0 would hide code that forgets them."""
    model = make_checkpoint(tmp_path, "v3", attention_bias=True)
    for name, tensor in model.state_dict().items():
        if "norm" in name or "bias" in name:
            assert tensor.std() > 0.02, name
