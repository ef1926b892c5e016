"""Numbers that views need of a whole run, counted once per token and kept while the run grows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.runs import Run
from model.expert_profile import ExpertProfile
from model.lenses.balance import Load, count
from model.lenses.routing import coactivation, counts, weight_sums
from model.placement import Placement, PlacementName, place
from widgets.routing.profile_data import LayerDomains, layer_domains


@dataclass(slots=True)
class Derived:
    """Running counts of one run under one placement.

    load        device and expert load so far (`model.lenses.balance.Load`), of experts that have weights
    counts_ME   how many tokens chose each expert, zero experts included
    weights_ME  sum of the weights each expert was multiplied by
    """

    run: str
    placement: Placement
    tokens: int
    load: Load
    counts_ME: NDArray[np.int64]
    weights_ME: NDArray[np.float64]


class Counter:
    """Counts a run's new tokens only; starts over when the run or the placement changes."""

    def __init__(self) -> None:
        self._derived: Derived | None = None
        self._pairs: tuple[str, int, int, NDArray[np.int64]] | None = None
        self._domains: tuple[ExpertProfile, int, LayerDomains | None] | None = None

    def derived(self, run: Run, name: PlacementName, devices: int) -> Derived | None:
        """Counts over all tokens of the run; None for a dense model."""
        router = run.info.config.router
        if router is None or not run.tokens:
            return None
        known = self._derived
        same = known is not None and (known.run, known.placement.name, known.placement.devices) == (
            run.info.run,
            name,
            devices,
        )
        if known is None or not same or known.tokens > run.tokens:
            known = self._begin(run, name, devices)
        self._derived = _counted(known, run)
        return self._derived

    def domains(self, profile: ExpertProfile, layer: int) -> LayerDomains | None:
        """One layer's share of a profile; None for a layer without experts."""
        known = self._domains
        if known is None or known[0] is not profile or known[1] != layer:
            known = self._domains = (profile, layer, layer_domains(profile, layer))
        return known[2]

    def pairs(self, run: Run, row: int) -> NDArray[np.int64]:
        """How often two experts of one MoE layer fired for the same token, [E, E]; diagonal: tokens per expert."""
        router = run.info.config.router
        assert router is not None, "a dense model has no MoE rows"
        tokens, total = 0, np.zeros((router.experts, router.experts), dtype=np.int64)
        if self._pairs is not None and self._pairs[:2] == (run.info.run, row) and self._pairs[2] <= run.tokens:
            tokens, total = self._pairs[2:]
        if tokens < run.tokens:
            new = run.column("expert_ids")[tokens:, row]
            total = total + coactivation(new, experts=router.experts)
        self._pairs = (run.info.run, row, run.tokens, total)
        return total

    def _begin(self, run: Run, name: PlacementName, devices: int) -> Derived:
        router, layers = run.info.config.router, len(run.info.config.moe_layers)
        assert router is not None
        # Zero experts have no weights, so no device holds them.
        placement = place(name, layers=layers, experts=router.stored_experts, devices=devices)
        nothing = np.empty((0, layers, router.experts_per_token), dtype=np.int64)
        shape = (layers, router.experts)
        return Derived(
            run.info.run, placement, 0, count(nothing, placement), np.zeros(shape, np.int64), np.zeros(shape)
        )


def _counted(known: Derived, run: Run) -> Derived:
    if known.tokens == run.tokens:
        return known
    ids = run.column("expert_ids")[known.tokens :].astype(np.int64)
    weights = run.column("expert_weights")[known.tokens :]
    experts = known.weights_ME.shape[1]
    return Derived(
        known.run,
        known.placement,
        run.tokens,
        known.load + count(ids, known.placement, first_token=known.tokens),
        known.counts_ME + counts(ids, experts=experts),
        known.weights_ME + weight_sums(ids, weights, experts=experts),
    )
