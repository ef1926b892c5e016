"""What the profile page draws: how often each expert of a layer is chosen in each domain. Pure numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.expert_profile import ExpertProfile, TypicalToken

LIFT_FLOOR = 1 / 16  # an expert that a domain never chooses has the lift 0, whose logarithm ends nowhere


@dataclass(frozen=True, slots=True, eq=False)
class LayerDomains:
    """One layer: `rates` float64 [E, D], the share of each domain's tokens that chose each expert; `overall` [E]
    the same over all domains, each counting alike; `typical` the tokens of each expert, best first.
    """

    layer: int
    texts: str
    tokens: int
    domains: tuple[str, ...]
    domain_tokens: tuple[int, ...]
    rates: NDArray[np.float64]
    overall: NDArray[np.float64]
    typical: tuple[tuple[TypicalToken, ...], ...]

    @property
    def experts(self) -> int:
        """Routed experts of the layer."""
        return len(self.rates)

    def lifts(self) -> NDArray[np.float64]:
        """Rates over the expert's overall rate, [E, D]; 1 is as often as over all domains."""
        return self.rates / np.maximum(self.overall[:, None], 1e-12)

    def strongest(self, expert: int) -> int:
        """The domain that chooses an expert most often."""
        return int(self.rates[expert].argmax())


def layer_domains(profile: ExpertProfile, layer: int) -> LayerDomains | None:
    """A layer's share of a profile; None for a layer without experts."""
    found = profile.layer(layer)
    if found is None or not found.experts:
        return None
    rates = np.array([profile.rates(expert) for expert in found.experts], dtype=np.float64)
    return LayerDomains(
        layer=layer,
        texts=profile.texts,
        tokens=profile.tokens,
        domains=tuple(profile.domains),
        domain_tokens=tuple(profile.domain_tokens),
        rates=rates,
        overall=rates.mean(axis=1),
        typical=tuple(tuple(expert.typical) for expert in found.experts),
    )


def log_lifts(layer: LayerDomains) -> NDArray[np.float32]:
    """log2 of the lifts, never below that of the floor, float32 [E, D]."""
    return np.log2(np.maximum(layer.lifts(), LIFT_FLOOR)).astype(np.float32)
