"""Where the experts of the graph lie, and which form communities: pure computation, fit for a thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from widgets.devices.cofiring import kept_edges, lifts
from widgets.devices.data import ExpertGraph

if TYPE_CHECKING:
    import networkx as nx

SEED = 7
FIRST_ITERATIONS = 80
LATER_ITERATIONS = 25
# Every expert hangs on an invisible hub, so that experts without edges stay in the picture.
HUB = -1
HUB_PULL = 0.4
# Circles lie at least this far apart, in parts of the side of each one's share of the square.
LEAST_APART = 0.8
PARTING_ROUNDS = 40


@dataclass(frozen=True, slots=True, eq=False)
class GraphPicture:
    """A laid-out graph: `places` [E, 2] in 0 … 1, `community` int [E] (−1: alone), edges with their lift."""

    graph: ExpertGraph
    places: NDArray[np.float64]
    community: NDArray[np.int64]
    edges: tuple[tuple[int, int, float], ...]

    @property
    def communities(self) -> int:
        """How many communities of two or more experts there are."""
        return int(self.community.max()) + 1 if len(self.community) else 0


def lay_out(graph: ExpertGraph, before: NDArray[np.float64] | None = None) -> GraphPicture:
    """Place experts by Fruchterman–Reingold and group them by Louvain, seeded; starts from the places `before`.

    Takes about 0.2 s for 256 experts.
    """
    # Here, in the layout's own thread: networkx takes a tenth of a second that the first paint cannot spare.
    import networkx as nx

    lift = lifts(graph.counts, graph.together)
    edges = tuple((one, other, float(lift[one, other])) for one, other in kept_edges(graph.counts, graph.together))
    net = nx.Graph()
    net.add_nodes_from(range(len(graph.counts)))
    net.add_weighted_edges_from((one, other, float(np.log2(1.0 + strength))) for one, other, strength in edges)
    found = nx.community.louvain_communities(net, seed=SEED)
    places = _places(net, _circle(graph.expert_device) if before is None else before, first=before is None)
    return GraphPicture(graph, places, number_communities(found, len(graph.counts)), edges)


def number_communities(found: list[set[int]], experts: int) -> NDArray[np.int64]:
    """Communities numbered by their lowest expert [E], so that colours keep still; −1 for experts alone."""
    community = np.full(experts, -1, dtype=np.int64)
    for number, members in enumerate(sorted((part for part in found if len(part) > 1), key=min)):
        community[list(members)] = number
    return community


def _places(net: nx.Graph, start: NDArray[np.float64], *, first: bool) -> NDArray[np.float64]:
    import networkx as nx  # late, as above

    hung = net.copy()
    hung.add_weighted_edges_from((HUB, expert, HUB_PULL) for expert in net)
    position: Mapping[int, NDArray[np.float64]] = {expert: start[expert] for expert in net} | {HUB: start.mean(axis=0)}
    iterations = FIRST_ITERATIONS if first else LATER_ITERATIONS
    laid = nx.spring_layout(hung, pos=dict(position), iterations=iterations, seed=SEED, weight="weight")
    places = np.array([laid[expert] for expert in net], dtype=np.float64)
    low, high = places.min(axis=0), places.max(axis=0)
    return parted((places - low) / np.where(high - low > 1e-9, high - low, 1.0))


def parted(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Push circles apart [E, 2] until few of them touch, within 0 … 1."""
    apart = LEAST_APART / np.sqrt(max(len(places), 1))
    moved = places.copy()
    for _ in range(PARTING_ROUNDS):
        way = moved[:, None, :] - moved[None, :, :]
        distance = np.hypot(way[..., 0], way[..., 1])
        np.fill_diagonal(distance, np.inf)
        push = np.clip(apart - distance, 0.0, None) / np.maximum(distance, 1e-6)
        moved = np.clip(moved + 0.35 * (way * push[..., None]).sum(axis=1), 0.0, 1.0)
    return moved


def _circle(expert_device: NDArray[np.int64]) -> NDArray[np.float64]:
    """Places on a circle, device by device [E, 2]: a start that owes nothing to chance."""
    order = np.argsort(expert_device, kind="stable")
    angle = np.empty(len(order))
    angle[order] = 2 * np.pi * np.arange(len(order)) / len(order)
    return np.stack([0.5 + 0.5 * np.cos(angle), 0.5 + 0.5 * np.sin(angle)], axis=1)
