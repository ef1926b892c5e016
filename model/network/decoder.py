"""The decoder: token ids and a KV cache in, logits out. A Probe, if given, learns what happened."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from model.config import ModelConfig
from model.network import attention, moe
from model.network.cache import KvCache, Rows
from model.network.pieces import Pieces, whole
from model.network.rope import RotaryTable, query_temperature, softmax_scale
from model.network.weights import LayerWeights, Weights
from model.probe import Probe


class Step(NamedTuple):
    """What every layer of one step shares."""

    rotation_TR: Tensor
    mask_TK: Tensor | None  # for the absorbed form alone
    cache: Rows | None = None
    absorbed: bool = False
    sequences: int = 1
    temperature_T: Tensor | None = None  # what each token's queries are multiplied by


class LayerTrace(NamedTuple):
    """What one layer tells: its query source, and its routing unless it is dense."""

    query_source_TS: Tensor
    routing: moe.Routing | None


class Decoder:
    """A model ready to run: config, weights, rotation table. Holds no state of any run."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self.config = config
        self.weights = weights
        self.scale = softmax_scale(config)
        self.rotations = RotaryTable(config.rope, config.qk_rope_head_dim, weights.embedding_VD.device)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.weights.embedding_VD.device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of weights, activations and cache."""
        return self.weights.embedding_VD.dtype

    def new_cache(self) -> KvCache:
        """An empty cache of this model's shape, dtype and device."""
        return KvCache(self.config, dtype=self.dtype, device=self.device)

    def step(
        self,
        ids_T: Tensor,
        cache: KvCache,
        *,
        probe: Probe[Tensor] | None = None,
        absorbed: bool = False,
        logits: Literal["last", "all"] = "last",
        length: int | None = None,
    ) -> Tensor:
        """Feed T tokens behind the cached ones; float32 logits of the last token [1, V] or of all [T, V].

        `length` is the whole prompt's when these tokens are a part of it; None: nothing behind them is known yet.
        """
        return whole(self.stepping(ids_T, cache, probe=probe, absorbed=absorbed, logits=logits, length=length))

    def stepping(
        self,
        ids_T: Tensor,
        cache: KvCache,
        *,
        probe: Probe[Tensor] | None = None,
        absorbed: bool = False,
        logits: Literal["last", "all", "states"] = "last",
        length: int | None = None,
    ) -> Pieces[Tensor]:
        """A step that pauses behind every layer and, with many tokens, every block of queries and every expert.

        Dropped half way it leaves the cache as it was.

        With "states" it returns what `logits` takes, [T, D]: of a long prompt the logits are better made bit by bit.
        """
        tokens, start = len(ids_T), cache.length
        cache.reserve(tokens)
        step = Step(
            rotation_TR=self.rotations.rows(start, start + tokens, length=start + tokens if length is None else length),
            mask_TK=_visible(start, tokens, self.device) if absorbed else None,
            cache=cache,
            absorbed=absorbed,
            temperature_T=self.temperature(start, start + tokens),
        )
        x_TD = yield from self.layers(ids_T, step, probe)
        cache.advance(tokens)
        return x_TD if logits == "states" else self.logits(x_TD[-1:] if logits == "last" else x_TD)

    def layers(self, ids_T: Tensor, step: Step, probe: Probe[Tensor] | None) -> Pieces[Tensor]:
        """All layers of a step, pausing behind each; what `logits` takes, [T, D]."""
        x_TD = self.embed(ids_T)
        traces = []
        late_TD: Tensor | None = None
        for index in range(self.config.layers):
            x_TD, late_TD, trace = yield from self.layering(index, x_TD, step, late_TD)
            if probe is not None:
                traces.append(trace)
            yield
        if probe is not None:
            _report(probe, traces, len(ids_T))
        return x_TD

    def embed(self, ids_T: Tensor) -> Tensor:
        """What the first layer gets, [T, D]."""
        x_TD = F.embedding(ids_T, self.weights.embedding_VD)
        return x_TD if self.config.embedding_scale == 1.0 else x_TD * self.config.embedding_scale

    def temperature(self, start: int, end: int) -> Tensor | None:
        """What the queries of positions start … end − 1 are multiplied by; None: nothing."""
        setting = self.config.query_temperature
        return None if setting is None else query_temperature(setting, torch.arange(start, end, device=self.device))

    def layer(
        self, index: int, x_TD: Tensor, step: Step, late_TD: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None, LayerTrace]:
        """One decoder layer without a pause."""
        return whole(self.layering(index, x_TD, step, late_TD))

    def layering(
        self, index: int, x_TD: Tensor, step: Step, late_TD: Tensor | None = None
    ) -> Pieces[tuple[Tensor, Tensor | None, LayerTrace]]:
        """One decoder layer: attention, then feed-forward, each behind its norm and on the residual.

        Returns the residual and, with a shortcut MoE, what the next layer must take as `late_TD` and add at its end.
        """
        config, weights = self.config, self.weights.layers[index]
        normed_TD = F.rms_norm(x_TD, (config.hidden_size,), weights.attention_norm, config.rms_norm_eps)
        attended_TD, source_TS = yield from self._attend(index, normed_TD, step)
        x_TD = self._add(x_TD, attended_TD)
        normed_TD = F.rms_norm(x_TD, (config.hidden_size,), weights.mlp_norm, config.rms_norm_eps)
        mixed_TD, routing = yield from self._mix(normed_TD, weights)
        if weights.dense is not None:
            x_TD = self._add(x_TD, weights.dense(normed_TD))
        if late_TD is not None:
            x_TD = self._add(x_TD, late_TD)
        if mixed_TD is not None and not config.shortcut_moe:
            x_TD, mixed_TD = self._add(x_TD, mixed_TD), None
        return x_TD, mixed_TD, LayerTrace(source_TS, routing)

    def logits(self, x_TD: Tensor) -> Tensor:
        """Final norm and head, float32 [T, V]."""
        normed_TD = F.rms_norm(x_TD, (self.config.hidden_size,), self.weights.norm, self.config.rms_norm_eps)
        if self.config.logit_scale != 1.0:
            normed_TD = normed_TD * self.config.logit_scale
        return self.weights.head(normed_TD).float()

    def _add(self, x_TD: Tensor, more_TD: Tensor) -> Tensor:
        scale = self.config.residual_scale
        return x_TD + more_TD if scale == 1.0 else torch.add(x_TD, more_TD, alpha=scale)

    def _attend(self, index: int, x_TD: Tensor, step: Step) -> Pieces[tuple[Tensor, Tensor]]:
        weights = self.weights.layers[index].attention
        new = attention.project(x_TD, weights, self.config, step.rotation_TR, step.temperature_T)
        kept = new.kept if step.cache is None else step.cache.write(index, *new.kept)
        if step.absorbed:
            heads = attention.absorbed(new, kept, weights, self.config, scale=self.scale, mask_TK=step.mask_TK)
        else:
            heads = yield from attention.plain(
                new, kept, weights, self.config, scale=self.scale, sequences=step.sequences
            )
        return weights.o(heads), new.source_TS

    def _mix(self, x_TD: Tensor, weights: LayerWeights) -> Pieces[tuple[Tensor | None, moe.Routing | None]]:
        """The experts' answer and how it came about; nothing in a dense layer."""
        if weights.moe is None:
            return None, None
        assert self.config.router is not None
        routing = moe.route(x_TD, weights.moe, self.config.router)
        mixed_TD = yield from moe.mixing(x_TD, routing, weights.moe)
        if weights.moe_norm is not None:
            mixed_TD = F.rms_norm(mixed_TD, weights.moe_norm.shape, weights.moe_norm, self.config.rms_norm_eps)
        return mixed_TD, routing


def new_probe(decoder: Decoder, capacity: int) -> Probe[Tensor]:
    """A Probe for steps of up to `capacity` tokens, its arrays on the decoder's device."""
    config, device = decoder.config, decoder.device
    moe_layers = len(config.moe_layers)
    experts, chosen = (config.router.experts, config.router.experts_per_token) if config.router else (0, 0)
    return Probe(
        capacity=capacity,
        query_source=torch.empty(
            (config.layers, capacity, config.query_source_width), dtype=decoder.dtype, device=device
        ),
        router_scores=torch.empty((moe_layers, capacity, experts), device=device),
        expert_ids=torch.empty((moe_layers, capacity, chosen), dtype=torch.int64, device=device),
        expert_weights=torch.empty((moe_layers, capacity, chosen), device=device),
        margins=torch.empty((moe_layers, capacity), device=device),
    )


def _report(probe: Probe[Tensor], traces: list[LayerTrace], tokens: int) -> None:
    """Fill the first rows of all layers at once: five operations a step, not five a layer."""
    torch.stack([trace.query_source_TS for trace in traces], out=probe.query_source[:, :tokens])
    routings = [trace.routing for trace in traces if trace.routing is not None]
    if routings:
        torch.stack([routing.scores_TE for routing in routings], out=probe.router_scores[:, :tokens])
        torch.stack([routing.ids_TA for routing in routings], out=probe.expert_ids[:, :tokens])
        torch.stack([routing.weights_TA for routing in routings], out=probe.expert_weights[:, :tokens])
        torch.stack([routing.margin_T for routing in routings], out=probe.margins[:, :tokens])
    probe.tokens = tokens


def _visible(start: int, tokens: int, device: torch.device) -> Tensor | None:
    """Which keys each new token may see, [T, K]; None when there is one token, which sees every key."""
    if tokens == 1:
        return None
    query_T = torch.arange(start, start + tokens, device=device)
    key_K = torch.arange(start + tokens, device=device)
    return key_K <= query_T.unsqueeze(1)
