"""When a graph is captured, when it is captured anew, and what happens when it cannot be. No CUDA is needed."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from model.network.counted_cache import CountedCache
from model.network.cuda_decode.graph import Capture, GraphStep, Replay, graph_step_of
from model.network.cuda_decode.static import side_by_side
from model.network.decoder import Decoder, new_probe
from model.network.weights import Experts, FeedForward
from tests.model.network.tiny import tiny_decoder

PROMPT = torch.arange(20) * 13 % 257


class Again:
    """Captures by running again each time; what was told stays in one place, as a graph's does."""

    def __init__(self) -> None:
        self.captures = 0

    def __call__(self, run: Callable[[], Tensor], device: torch.device) -> Replay:
        self.captures += 1
        told = torch.empty(1, 257)
        return lambda: told.copy_(run())


def refusing(run: Callable[[], Tensor], device: torch.device) -> Replay:
    raise RuntimeError("operation not permitted when stream is capturing\nCompile with …")


def graph_step(decoder: Decoder, capture: Capture) -> GraphStep:
    beside = side_by_side(decoder)
    assert beside is not None
    return GraphStep(decoder, beside, capture=capture)


@torch.inference_mode()
def greedy(decoder: Decoder, step: Callable[..., Tensor], count: int) -> list[int]:
    cache, tokens = decoder.new_cache(), [5]
    decoder.step(PROMPT, cache)
    said = []
    for _ in range(count):
        said.append(step(torch.tensor(tokens[-1:]), cache))
        tokens.append(int(said[-1].argmax()))
    assert [int(logits_1V.argmax()) for logits_1V in said] == tokens[1:]  # nothing is overwritten later
    return tokens


def by_torch(decoder: Decoder) -> Callable[..., Tensor]:
    return lambda ids_T, cache: decoder.step(ids_T, cache, absorbed=True)


def test_tokens_are_torchs_while_the_cache_grows() -> None:
    decoder, capture = tiny_decoder(), Again()
    step = graph_step(decoder, capture)
    assert greedy(decoder, step, 150) == greedy(decoder, by_torch(decoder), 150)
    assert capture.captures == 3  # room for 84 tokens, for 149, and for 214
    assert not step.note


def test_the_probe_learns_what_it_learns_of_torch() -> None:
    decoder = tiny_decoder()
    step, probes = graph_step(decoder, Again()), (new_probe(decoder, 3), new_probe(decoder, 3))
    with torch.inference_mode():
        mine, theirs = decoder.new_cache(), decoder.new_cache()
        for token in range(3):
            step(torch.tensor([token]), mine, probe=probes[0])
            decoder.step(torch.tensor([token]), theirs, probe=probes[1], absorbed=True)
    assert [probe.tokens for probe in probes] == [1, 1]
    assert torch.equal(probes[0].expert_ids[:, :1], probes[1].expert_ids[:, :1])
    for name in ("query_source", "router_scores", "expert_weights", "margins"):
        torch.testing.assert_close(getattr(probes[0], name)[:, :1], getattr(probes[1], name)[:, :1])


def test_a_capture_that_fails_costs_no_token_and_is_told() -> None:
    decoder = tiny_decoder()
    step = graph_step(decoder, refusing)
    assert greedy(decoder, step, 12) == greedy(decoder, by_torch(decoder), 12)
    assert step.note == ("Decoding goes on without a CUDA graph: operation not permitted when stream is capturing.")


def test_a_cache_that_counts_is_read_through_its_own_hands() -> None:
    decoder, capture = tiny_decoder(), Again()
    step = graph_step(decoder, capture)
    cache = CountedCache(decoder.config, dtype=decoder.dtype, device=decoder.device)
    with torch.inference_mode():
        for token in range(3):
            step(torch.tensor([token]), cache)
    assert cache.queries_LT.tolist() == [[1, 1, 1]] * 3
    assert capture.captures == 0


class Elsewhere:
    """Experts that may not be at hand."""

    def __init__(self, experts: Experts) -> None:
        self._experts = experts

    def __len__(self) -> int:
        return len(self._experts)

    def __getitem__(self, expert: int) -> FeedForward:
        return self._experts[expert]


def with_experts(decoder: Decoder, change: Callable[[Experts], Experts]) -> Decoder:
    layers: Sequence = [
        layer if layer.moe is None else replace(layer, moe=replace(layer.moe, experts=change(layer.moe.experts)))
        for layer in decoder.weights.layers
    ]
    return Decoder(decoder.config, replace(decoder.weights, layers=tuple(layers)))


def biased(experts: Experts) -> Experts:
    every = [experts[expert] for expert in range(len(experts))]
    return tuple(one._replace(up=one.up._replace(bias=torch.zeros(24))) for one in every)


@pytest.mark.parametrize("change", [Elsewhere, biased])
def test_experts_that_cannot_be_taken_by_number_are_left_to_torch(change: Callable[[Experts], Experts]) -> None:
    assert side_by_side(with_experts(tiny_decoder(), change)) is None


def test_elsewhere_than_on_cuda_there_is_no_graph() -> None:
    assert graph_step_of(tiny_decoder()) is None
