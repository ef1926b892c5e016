"""The kernels' step against torch's absorbed step: the same numbers in the probe, the cache and the logits."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from model.network.cpu_decode.step import KernelStep, step_of
from model.network.decoder import Decoder, new_probe
from model.network.decoding import DecodeStep
from model.network.weights import Experts, FeedForward, bind
from model.probe import Probe
from model.shapes import tensor_shapes
from tests.model.network.options import ONE_GROUP, OPTIONS, ROUTER
from tests.model.network.tiny import tiny_decoder

PROMPT = torch.arange(20) * 13 % 257


def both(decoder: Decoder, *, threads: int = 1, steps: int = 3) -> tuple[list[Tensor], list[Tensor]]:
    """What torch and the kernels say, step by step: logits, every array of the probe, all latents."""
    kernels = KernelStep(decoder, threads)
    answers: tuple[list[Tensor], list[Tensor]] = ([], [])
    with torch.inference_mode():
        for by_kernels, said in enumerate(answers):
            cache, probe = decoder.new_cache(), new_probe(decoder, 1 + 2 * by_kernels)
            decoder.step(PROMPT, cache)
            for token in range(steps):
                ids = torch.tensor([token * 7])
                if by_kernels:
                    said.append(kernels(ids, cache, probe=probe))
                else:
                    said.append(decoder.step(ids, cache, probe=probe, absorbed=True))
                said += _told(probe)
            said += [cache.c_kv_LTC[:, : cache.length].clone(), cache.k_rope_LTR[:, : cache.length].clone()]
    return answers


def _told(probe: Probe[Tensor]) -> list[Tensor]:
    assert probe.tokens == 1
    arrays = (probe.query_source, probe.router_scores, probe.expert_ids, probe.expert_weights, probe.margins)
    return [array[:, :1].clone() for array in arrays]


def assert_same(answers: tuple[Sequence[Tensor], Sequence[Tensor]], share: float) -> None:
    for expected, given in zip(*answers, strict=True):
        # Margins are small differences of scores, so nothing is held to less than the scale of 1.
        largest = max(1.0, float(expected.float().abs().nan_to_num(posinf=1.0).max())) if expected.numel() else 1.0
        torch.testing.assert_close(given, expected, rtol=0, atol=share * largest, check_dtype=True)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_gives_what_torch_gives(option: str) -> None:
    assert_same(both(tiny_decoder(**OPTIONS[option])), 1e-5)


def test_two_threads_give_what_torch_gives() -> None:
    assert_same(both(tiny_decoder(), threads=2, steps=12), 1e-5)


def test_bfloat16_weights_give_what_they_give_in_float32() -> None:
    narrow = tiny_decoder(dtype=torch.bfloat16)
    wide = _widened(narrow)
    with torch.inference_mode():
        cache, reference = narrow.new_cache(), wide.new_cache()
        for token in PROMPT:
            given = KernelStep(narrow, 1)(token[None], cache)
            expected = wide.step(token[None], reference, absorbed=True)
        # Only the cache is rounded to 8 bits; the widest logit stays within a few of its steps.
        assert float((given - expected).abs().max() / expected.abs().max()) < 2**-6
        torch.testing.assert_close(
            cache.c_kv_LTC[0, : cache.length].float(), reference.c_kv_LTC[0, : cache.length], rtol=2**-8, atol=1e-6
        )


def _widened(narrow: Decoder) -> Decoder:
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for name, shape in tensor_shapes(narrow.config).items():
        noise = torch.randn(shape, generator=generator)
        value = 1 + 0.2 * noise if "norm" in name else 0.1 * noise if "bias" in name else noise / shape[-1] ** 0.5
        tensors[name] = value if ".mlp.gate." in name else value.to(narrow.dtype).float()
    return Decoder(narrow.config, bind(narrow.config, tensors))


def test_forty_greedy_tokens_are_torchs() -> None:
    decoder = tiny_decoder()
    kernels = KernelStep(decoder, 1)
    chosen: list[list[int]] = []
    with torch.inference_mode():
        for by_kernels in (False, True):
            cache, tokens = decoder.new_cache(), [5]
            decoder.step(PROMPT, cache)
            for _ in range(45):
                ids = torch.tensor(tokens[-1:])
                logits_1V = kernels(ids, cache) if by_kernels else decoder.step(ids, cache, absorbed=True)
                tokens.append(int(logits_1V.argmax()))
            chosen.append(tokens)
    assert chosen[0] == chosen[1]


def test_ties_go_to_the_lowest_expert() -> None:
    decoder = tiny_decoder(router=replace(ROUTER, method="greedy", **ONE_GROUP))
    for layer in decoder.weights.layers:
        if layer.moe is not None:
            layer.moe.gate_ED.zero_()
    probe = new_probe(decoder, 1)
    with torch.inference_mode():
        KernelStep(decoder, 1)(torch.tensor([3]), decoder.new_cache(), probe=probe)
    assert probe.expert_ids.tolist() == [[[0, 1, 2]], [[0, 1, 2]]]
    assert probe.margins.tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize("part", ["experts", "attention"])
def test_a_weight_that_is_no_number_is_seen_in_the_logits(part: str) -> None:
    decoder = tiny_decoder()
    layer = decoder.weights.layers[1]
    assert layer.moe is not None
    if part == "attention":
        layer.attention.kv_b_HXC[0, 0, 0] = float("nan")
    else:
        for expert in layer.moe.experts:  # type: ignore[attr-defined]  # resident: a tuple
            expert.up.weight[0, 0] = float("nan")
    with torch.inference_mode():
        logits_1V = KernelStep(decoder, 1)(torch.tensor([3]), decoder.new_cache())
    assert logits_1V.isnan().any()


class Brought:
    """Experts that are there when asked for, as fresh copies."""

    def __init__(self, experts: Experts) -> None:
        self.asked: list[int] = []
        self._experts = experts

    def __len__(self) -> int:
        return len(self._experts)

    def __getitem__(self, expert: int) -> FeedForward:
        self.asked.append(expert)
        return FeedForward(*(part._replace(weight=part.weight.clone()) for part in self._experts[expert]))


@pytest.mark.parametrize("threads", [1, 2])
def test_experts_that_are_brought_in_give_what_resident_ones_give(threads: int) -> None:
    decoder = tiny_decoder()
    brought = {
        index: Brought(layer.moe.experts) for index, layer in enumerate(decoder.weights.layers) if layer.moe is not None
    }
    layers = tuple(
        replace(layer, moe=replace(layer.moe, experts=brought[index])) if layer.moe is not None else layer
        for index, layer in enumerate(decoder.weights.layers)
    )
    paged = Decoder(decoder.config, replace(decoder.weights, layers=layers))
    ids = torch.tensor([3])
    probe = new_probe(paged, 1)
    with torch.inference_mode():
        expected = KernelStep(decoder, 1)(ids, decoder.new_cache())
        given = KernelStep(paged, threads)(ids, paged.new_cache(), probe=probe)
    assert torch.equal(given, expected)
    assert [one.asked for one in brought.values()] == probe.expert_ids[:, 0].tolist()


@pytest.mark.parametrize("threads", [1, 2])
def test_three_thousand_tokens_of_context_against_float64(threads: int) -> None:
    """A step reads all that is cached; the latents are random, and the reference is written out in float64."""
    decoder = tiny_decoder(layers=1, moe_layers=(), router=None, shared_experts=0, max_position_embeddings=4096)
    answers = []
    for narrow in (True, False):
        model = decoder if narrow else _in_float64(decoder)
        cache = model.new_cache()
        cache.reserve(3000)
        noise = torch.Generator().manual_seed(1)
        cache.c_kv_LTC[:, :3000] = torch.randn((1, 3000, 32), generator=noise)
        cache.k_rope_LTR[:, :3000] = torch.randn((1, 3000, 8), generator=noise)
        cache.advance(3000)
        with torch.inference_mode():
            if narrow:
                answers.append(KernelStep(decoder, threads)(torch.tensor([9]), cache))
            else:
                answers.append(model.step(torch.tensor([9]), cache, absorbed=True))
    assert float((answers[0] - answers[1]).abs().max() / answers[1].abs().max()) < 1e-5


def _in_float64(decoder: Decoder) -> Decoder:
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for name, shape in tensor_shapes(decoder.config).items():
        noise = torch.randn(shape, generator=generator)
        value = 1 + 0.2 * noise if "norm" in name else 0.1 * noise if "bias" in name else noise / shape[-1] ** 0.5
        tensors[name] = value.double()
    return Decoder(decoder.config, bind(decoder.config, tensors))


def test_the_cache_may_grow_in_the_middle() -> None:
    decoder = tiny_decoder()
    cache, sizes, kernels = decoder.new_cache(), set(), KernelStep(decoder, 1)
    with torch.inference_mode():
        for token in range(140):
            given = kernels(torch.tensor([token]), cache)
            sizes.add(cache.capacity)
        expected = decoder.step(torch.arange(140), decoder.new_cache())
    assert len(sizes) > 1
    assert float((given - expected).abs().max() / expected.abs().max()) < 1e-5


def test_what_the_kernels_cannot_do_is_left_to_torch() -> None:
    half = tiny_decoder(dtype=torch.float16)
    assert step_of(half, 1) is None
    step = DecodeStep(half, threads=1)
    step.wait()
    assert not step.by_kernels
    strided = tiny_decoder()
    layer = strided.weights.layers[0]
    turned = replace(
        layer,
        attention=replace(
            layer.attention, o=layer.attention.o._replace(weight=layer.attention.o.weight.T.contiguous().T)
        ),
    )
    weights = replace(strided.weights, layers=(turned, *strided.weights.layers[1:]))
    assert step_of(Decoder(strided.config, weights), 1) is None


def test_a_step_is_torchs_until_the_kernels_are_compiled() -> None:
    decoder = tiny_decoder()
    step = DecodeStep(decoder, threads=1)
    with torch.inference_mode():
        first = step(torch.tensor([4]), decoder.new_cache())
        step.wait()
        assert step.by_kernels
        second = step(torch.tensor([4]), decoder.new_cache())
    torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-5)
