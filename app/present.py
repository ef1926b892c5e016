"""From State to views: which arrays each view is handed, and when it has to be handed them anew.

Every function takes the view and the state; none keeps anything. A view without anything to show gets
a sentence that says what will appear and what to do.
"""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication

from app.derived import Counter
from app.measures import measure, measure_names, seconds_per_token
from app.runs import Run
from app.selecting import device_count
from app.state import State
from model.lenses import balance
from model.placement import Placement
from widgets.devices.data import DeviceLoad, ExpertGraph, TokenPath
from widgets.devices.devices_view import DevicesView
from widgets.memory.memory_series import MemorySeries
from widgets.memory.memory_view import MemoryView
from widgets.routing.data import ExpertReads, RouterScores, RoutingTokens, RoutingTotals
from widgets.routing.profile_data import LayerDomains
from widgets.routing.routing_view import RoutingView
from widgets.timeline import Timeline
from widgets.token_strip import TokenStrip

translate = QCoreApplication.translate


def show_routing(view: RoutingView, state: State, counter: Counter) -> None:
    """Token × expert of the selected layer, and layer × expert totals."""
    run = state.run
    view.show_profile(*_profile_of(state, counter))
    derived = counter.derived(run, state.choices.placement, device_count(state)) if run else None
    if run is None or not run.tokens:
        view.show_mode(state.choices.routing_mode)
        view.show_selection(state.selection)
        view.clear(
            translate("present", "Which experts every token goes to appears here, layer by layer. Run a prompt.")
        )
        return
    router = run.info.config.router
    if router is None or derived is None:
        view.clear(
            translate("present", "This model is dense: every token uses the same MLP, so there is no routing to show.")
        )
        return
    config = run.info.config
    view.show_mode(state.choices.routing_mode)
    view.show_tokens(run.texts[: run.tokens])
    view.show_totals(RoutingTotals(config.moe_layers, derived.counts_ME, derived.weights_ME, config.shared_experts))
    view.show_reads(_reads(run))
    if state.selection.layer not in config.moe_layers:
        view.show_dense_layer(state.selection.layer)
        view.show_selection(state.selection)
        return
    row = config.moe_layers.index(state.selection.layer)
    view.show_routing(
        RoutingTokens(
            layer=state.selection.layer,
            moe=True,
            experts=router.experts,
            chosen=router.experts_per_token,
            groups=router.groups,
            groups_per_token=router.groups_per_token,
            shared=config.shared_experts,
            expert_ids=run.column("expert_ids")[:, row],
            expert_weights=run.column("expert_weights")[:, row],
            margins=run.column("margins")[:, row],
            expert_device=_expert_device(derived.placement, row, router.experts),
            devices=derived.placement.devices,
        )
    )
    scores = state.shown.scores
    current = scores is not None and scores.layer == state.selection.layer
    view.show_scores(
        RouterScores(scores.layer, scores.tokens, scores.scores.numpy()) if scores is not None and current else None
    )
    view.show_selection(state.selection)


def _profile_of(state: State, counter: Counter) -> tuple[LayerDomains | None, str]:
    """The selected layer's share of the open model's profile, or none and what to do about it."""
    run, model, layer = state.run, state.model, state.selection.layer
    if model is None or state.profile is None:
        return None, translate(
            "present",
            "Nothing is known yet of what these experts are chosen for: Run > Profile experts counts it over texts.",
        )
    if run is not None and run.info.checkpoint_path != model.summary.path:
        return None, translate("present", "This run is of another model than the open one, whose profile is known.")
    found = counter.domains(state.profile, layer)
    return found, translate("present", "layer {0} is dense: it has no experts to profile.").format(layer)


def show_devices(view: DevicesView, state: State, counter: Counter) -> None:
    """Load, traffic and imbalance under the chosen placement, and the graph of experts that fire together."""
    run = state.run
    derived = counter.derived(run, state.choices.placement, device_count(state)) if run else None
    if run is None or not run.tokens:
        view.clear(
            translate("present", "What each simulated device would carry, and send, appears here. Run a prompt.")
        )
        return
    router = run.info.config.router
    if router is None or derived is None:
        view.clear(
            translate("present", "This model has no routed experts, so there is nothing to spread over devices.")
        )
        return
    layers, load = run.info.config.moe_layers, derived.load
    view.show_devices(derived.placement.devices, router.stored_experts)
    view.show_placement(derived.placement.name)
    view.show_load(_device_load(layers, load, derived.placement.name, run.tokens))
    if state.selection.layer in layers:
        row = layers.index(state.selection.layer)
        held = router.stored_experts
        pairs, counts = counter.pairs(run, row)[:held, :held], derived.counts_ME[row, :held]
        view.show_path(_path(run, state, row, derived.placement))
        view.show_graph(ExpertGraph(state.selection.layer, counts, pairs, derived.placement.slot_to_device[row]))
    else:
        view.show_path(None)
    view.show_selection(state.selection)


def show_memory(view: MemoryView, state: State) -> None:
    """Measured bytes per step beside what the same run would hold as MHA, GQA and MQA."""
    run = state.run
    if run is None or not run.steps:
        view.clear(
            translate("present", "The bytes that the KV cache really holds appear here while text grows. Run a prompt.")
        )
        return
    config, formula = run.info.config, run.kv_bytes
    free = state.model.summary.free_bytes if state.model else 0
    view.show_scale(state.choices.memory_scale)
    view.show_measure(state.choices.memory_measure)
    view.show_series(
        MemorySeries(
            tokens=run.column("tokens"),
            measured_bytes=run.column("measured_bytes"),
            used_bytes=run.column("used_bytes"),
            mla=formula["mla"],
            mha=formula["mha"],
            gqa=formula["gqa"],
            mqa=formula["mqa"],
            gqa_groups=config.kv_heads if config.attention == "gqa" and config.kv_heads else min(8, config.heads),
            planned_tokens=planned_tokens(run),
            context_limit=min(
                config.max_position_embeddings, config.dense_attention_tokens or config.max_position_embeddings
            ),
            free_bytes=free,
            layers=config.layers,
            dtype=run.info.dtype,
            kind=config.attention,
        )
    )
    view.show_selection(state.selection)


def show_strip(strip: TokenStrip, state: State, counter: Counter) -> None:
    """Every token a chip, coloured by the chosen measure."""
    run = state.run
    if run is None or not run.tokens:
        strip.show_tokens([], 0)
        return
    derived = counter.derived(run, state.choices.placement, device_count(state))
    strip.set_measures(measure_names(run.info.config.router is not None))
    strip.show_tokens(run.texts[: run.tokens], run.info.prompt_tokens)
    chosen = measure(state, run, derived.placement if derived else None)
    strip.show_measure(chosen.key, chosen.values, chosen.low, chosen.high, chosen.kind)
    strip.show_selection(state.selection)


def show_timeline(timeline: Timeline, state: State) -> None:
    """The run token by token, prefill and decode."""
    run = state.run
    if run is None:
        timeline.clear()
        return
    timeline.show_run(run.info.prompt_tokens, run.tokens, planned_tokens(run), seconds_per_token(run))
    timeline.show_probabilities(np.exp(run.column("log_probability")))
    timeline.show_colouring(state.choices.timeline_colouring)
    timeline.show_selection(state.selection)


def planned_tokens(run: Run) -> int:
    """Tokens the run will have been fed when it ends by length; what it has once it is over."""
    if run.finished is not None:
        return run.tokens
    return max(run.tokens, run.info.prompt_tokens + max(run.info.max_new_tokens - 1, 0))


def _expert_device(placement: Placement, row: int, experts: int) -> NDArray[np.int64]:
    """The device of each expert of a MoE layer [E]; −1 for zero experts, which no device holds."""
    device = np.full(experts, -1, dtype=np.int64)
    device[: placement.slot_to_device.shape[1]] = placement.slot_to_device[row]
    return device


def _reads(run: Run) -> ExpertReads | None:
    """What experts cost in the last step and in all; None where every expert was always at hand."""
    hits, misses, read = (run.column(name) for name in ("expert_hits", "expert_misses", "bytes_read"))
    if not run.steps or not (hits.any() or misses.any() or read.any()):
        return None
    tokens = run.column("tokens")
    last = int(tokens[-1]) - (int(tokens[-2]) if run.steps > 1 else 0)
    return ExpertReads(
        last_hits=int(hits[-1]),
        last_misses=int(misses[-1]),
        last_bytes=int(read[-1]),
        last_tokens=last,
        hits=int(hits.sum()),
        misses=int(misses.sum()),
        bytes=int(read.sum()),
        tokens=int(tokens[-1]),
    )


def _path(run: Run, state: State, row: int, placement: Placement) -> TokenPath | None:
    token = state.selection.token
    if token is None or token >= run.tokens:
        return None
    ids = run.column("expert_ids")[token, row]
    devices = placement.slot_to_device[row][ids[ids < placement.slot_to_device.shape[1]]]  # zero experts: none
    distinct = tuple(int(device) for device in np.unique(devices))
    return TokenPath(token, run.texts[token], token % placement.devices, distinct)


def _device_load(layers: tuple[int, ...], load: balance.Load, placement: str, tokens: int) -> DeviceLoad:
    total = load.device_load.sum(axis=0, keepdims=True)
    return DeviceLoad(
        layers=layers,
        device_load=load.device_load.astype(np.float64),
        traffic=load.traffic,
        max_violation=balance.max_violation(load.device_load),
        balancedness=balance.balancedness(load.device_load),
        total_max_violation=float(balance.max_violation(total)[0]),
        total_balancedness=balance.model_balancedness(load.device_load),
        cv=float(balance.variation(total)[0]),
        gini=float(balance.gini(total)[0]),
        entropy=float(balance.normalised_entropy(total)[0]),
        placement=placement,
        devices=total.shape[1],
        tokens=tokens,
    )
