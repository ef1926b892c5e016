"""One token's step by the kernels, called like `Decoder.step` in its absorbed form."""

from typing import Any

import numpy as np
import torch
from numba import typeof as untyped_typeof
from torch import Tensor

from model.network.cache import KvCache
from model.network.cpu_decode.helpers import summon
from model.network.cpu_decode.jobs import assist
from model.network.cpu_decode.kernel import advance
from model.network.cpu_decode.likeliest import Likeliest, likeliest
from model.network.cpu_decode.plan import KINDS, Addresses, NotCoveredError, Plan, make_plan
from model.network.cpu_decode.tables import FINISHED, Call, Room, Shape, blank, record
from model.network.decoder import Decoder, new_probe
from model.probe import Probe

typeof: Any = untyped_typeof


class KernelStep:
    """The step of one decoder on some threads. Raises NotCoveredError when the kernels cannot do it.

    Its working memory serves one call at a time.
    """

    def __init__(self, decoder: Decoder, threads: int) -> None:
        self.plan: Plan = make_plan(decoder, threads)
        self._decoder = decoder
        self._probe = new_probe(decoder, 1)
        self._addresses = Addresses(decoder.dtype)
        self._likeliest = Likeliest(1)

    def __call__(self, ids_T: Tensor, cache: KvCache, *, probe: Probe[Tensor] | None = None) -> Tensor:
        """Feed one token behind the cached ones; float32 logits [1, V]."""
        decoder, position = self._decoder, cache.length
        cache.reserve(1)
        told = self._probe if probe is None else probe
        logits_1V = torch.empty((1, decoder.config.vocab_size))
        rotation_1R = decoder.rotations.rows(position, position + 1, length=position + 1)
        temperature_1 = decoder.temperature(position, position + 1)
        call = Call(
            token=int(ids_T[0]),
            c_kv=cache.c_kv_LTC.data_ptr(),
            k_rope=cache.k_rope_LTR.data_ptr(),
            position=position,
            capacity=cache.capacity,
            rotation=rotation_1R.data_ptr(),
            temperature=1.0 if temperature_1 is None else float(temperature_1),
            logits=logits_1V.data_ptr(),
            probe_rows=told.capacity,
            query_source=told.query_source.data_ptr(),
            router_scores=told.router_scores.data_ptr(),
            expert_ids=told.expert_ids.data_ptr(),
            expert_weights=told.expert_weights.data_ptr(),
            margins=told.margins.data_ptr(),
        )
        self._run(call, told)
        cache.advance(1)
        told.tokens = 1
        return logits_1V

    def likeliest(self, logits_V: Tensor, most: int) -> tuple[list[int], list[float]]:
        """The tokens of the greatest logits, float32 [V], best first, and their log-probabilities."""
        if self._likeliest.most != most:
            self._likeliest = Likeliest(most)
        return self._likeliest(logits_V)

    def _run(self, call: Call, probe: Probe[Tensor]) -> None:
        """Let the kernels go on until the end, bringing in experts as they ask for them."""
        plan = self.plan
        plan.state[:] = 0
        numbers = record(call)
        while True:
            if plan.threads > 1:
                summon(plan)
            layer = advance(plan.kind, plan.shape, plan.room, numbers, plan.ends, plan.layers, plan.experts, plan.state)
            if layer == FINISHED:
                return
            self._bring(layer, probe)

    def _bring(self, layer: int, probe: Probe[Tensor]) -> None:
        """Put the addresses of the chosen experts of one layer into the table, and keep their tensors alive."""
        moe = self._decoder.weights.layers[layer].moe
        assert moe is not None
        chosen = probe.expert_ids[self._decoder.config.moe_layers.index(layer), 0].tolist()
        stored = len(moe.experts)
        self._addresses = Addresses(self._decoder.dtype)
        for place, expert in enumerate(chosen):
            if expert < stored:
                self.plan.experts[0, place] = self._addresses.feed_forward(moe.experts[expert])


def step_of(decoder: Decoder, threads: int) -> KernelStep | None:
    """The kernels' step, or None where torch must do it."""
    try:
        return KernelStep(decoder, threads)
    except NotCoveredError:
        return None


def compile_for(dtype: torch.dtype) -> None:
    """Compile the kernels for weights of this dtype, or read them from the cache."""
    kind, shape, room, call = KINDS[dtype], blank(Shape), blank(Room), blank(Call)
    line, grid, block = (np.zeros((1,) * axes, dtype=np.int64) for axes in (1, 2, 3))
    advance.compile(tuple(typeof(each) for each in (kind, shape, room, call, line, grid, block, line)))
    assist.compile(tuple(typeof(each) for each in (kind, shape, room)))
    likeliest.compile((typeof(1),) * 5)
