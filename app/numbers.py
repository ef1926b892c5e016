"""The numbers behind each picture, as named arrays: exactly what is drawn, and what it was drawn from."""

import numpy as np
from numpy.typing import NDArray

from app.derived import Counter
from app.runs import Run
from app.selecting import device_count
from app.state import State
from model.lenses import balance

Arrays = dict[str, NDArray[np.generic]]


def numbers(view: str, state: State) -> Arrays:
    """Arrays of one view, by its name in `Parts.views`; empty while there is nothing to show."""
    if view == "study":
        return _study(state)
    run = state.run
    if run is None or not run.tokens:
        return {}
    match view:
        case "attention":
            return _attention(state)
        case "heads":
            return _heads(state)
        case "compare":
            return _compare(state)
        case "latents":
            return _latents(state)
        case "sums":
            return _sums(state)
        case "routing":
            return _routing(run)
        case "load":
            return _load(state, run)
        case _:
            return _memory(run)


def _study(state: State) -> Arrays:
    arrays: Arrays = {}
    if state.study.report is not None:
        models = state.study.report.models
        arrays["kinds"] = np.array([model.kind for model in models])
        arrays["parameters"] = np.array([model.parameters for model in models])
        arrays["kv_bytes_formula"] = np.array([model.kv_bytes_formula for model in models])
        arrays["kv_bytes_measured"] = np.array([model.kv_bytes_measured for model in models])
        arrays["bits_per_byte"] = np.array([model.bits_per_byte for model in models])
        arrays["induction"] = np.array([model.induction for model in models])
        for context in models[0].tokens_per_second:
            arrays[f"tokens_per_second_{context}"] = np.array([model.tokens_per_second[context] for model in models])
    for kind, growth in state.study.curves.items():
        for name in ("tokens", "measured_bytes", "used_bytes", "reads", "queries"):
            arrays[f"{kind}_{name}"] = getattr(growth, name)
    return arrays


def _attention(state: State) -> Arrays:
    arrays: Arrays = {}
    shown = state.shown
    if shown.attention is not None:
        arrays[f"map_{shown.attention.quantity}"] = shown.attention.values.numpy()[0]
        arrays["map_queries"] = np.array(shown.attention.queries)
        arrays["map_keys"] = np.array(shown.attention.keys)
        arrays["map_cell"] = np.array(shown.attention.cell)
    if shown.row is not None:
        arrays["row_query"] = np.array([shown.row.query])
        arrays["row_probabilities"] = shown.row.probabilities.numpy()
        arrays["row_content_scores"] = shown.row.content_scores.numpy()
        arrays["row_position_scores"] = shown.row.position_scores.numpy()
    return arrays


def _heads(state: State) -> Arrays:
    """Every score of every head seen, and the answer about two tokens."""
    heads = state.shown.heads
    arrays: Arrays = {}
    if heads:
        places = sorted(heads)
        arrays["layer_and_head"] = np.array(places)
        for name in heads[places[0]].statistics:
            arrays[name] = np.array([heads[place].statistics[name] for place in places], dtype=np.float32)
        arrays["label"] = np.array([heads[place].label[0] for place in places])
        arrays["label_score"] = np.array([heads[place].label[1] for place in places], dtype=np.float32)
    asked = state.shown.asked
    if asked is not None:
        arrays["pair"] = np.array([asked.query, asked.key])
        for name in ("probability", "content", "position", "rank"):
            arrays[f"pair_{name}"] = getattr(asked, name).numpy()
    return arrays


def _compare(state: State) -> Arrays:
    arrays: Arrays = {}
    for slot, picture in state.shown.pictures.items():
        if slot.startswith("pin:") or slot == "difference":
            name = slot.replace(":", "_")
            arrays[name] = picture.values.numpy()[0]
            arrays[f"{name}_head"] = np.array([picture.layer, picture.heads[0]])
            arrays[f"{name}_queries"] = np.array(picture.queries)
            arrays[f"{name}_keys"] = np.array(picture.keys)
            arrays[f"{name}_cell"] = np.array(picture.cell)
    return arrays


def _latents(state: State) -> Arrays:
    shown = state.shown
    arrays: Arrays = {}
    if shown.latents is not None:
        arrays["tokens"] = np.array(shown.latents.tokens)
        arrays["tokens_per_row"] = np.array([shown.latents.cell])
        arrays |= _named(shown.latents, {"values": "c_kv", "norms": "norms", "rope_norms": "rope_norms"})
    if shown.ranks is not None:
        arrays |= _named(shown.ranks, {"ranks": "effective_rank", "spectra": "singular_values"})
    if shown.reading is not None:
        arrays |= _named(shown.reading, {"norms": "w_uk_norms", "singular": "w_uk_singular_values"})
    if shown.drift is not None:
        arrays["drift_formats"] = np.array(shown.drift.formats)
        arrays |= _named(shown.drift, {"mean": "drift_mean", "worst": "drift_worst", "bytes": "drift_bytes"})
    return arrays


def _sums(state: State) -> Arrays:
    sums = state.shown.sums
    names = ("queries", "received", "seen", "entropy", "distance", "edges")
    variances = ("content_variance", "position_variance", "covariance", "sinks")
    return {} if sums is None else _named(sums, {name: name for name in (*names, *variances)})


def _named(answer: object, names: dict[str, str]) -> Arrays:
    return {mine: getattr(answer, theirs).numpy() for theirs, mine in names.items()}


def _routing(run: Run) -> Arrays:
    return {
        "layers": np.array(run.info.config.moe_layers),
        "expert_ids": run.column("expert_ids"),
        "expert_weights": run.column("expert_weights"),
        "margins": run.column("margins"),
    }


def _load(state: State, run: Run) -> Arrays:
    derived = Counter().derived(run, state.choices.placement, device_count(state))
    if derived is None:
        return {}
    load = derived.load
    return {
        "layers": np.array(run.info.config.moe_layers),
        "device_load": load.device_load,
        "expert_load": load.expert_load,
        "traffic": load.traffic,
        "slot_to_expert": derived.placement.slot_to_expert,
        "expert_to_device": derived.placement.slot_to_device,
        "max_violation": balance.max_violation(load.device_load),
        "balancedness": balance.balancedness(load.device_load),
    }


def _memory(run: Run) -> Arrays:
    tokens = run.column("tokens").astype(np.int64)
    formula: Arrays = {f"{name}_bytes": tokens * size for name, size in run.kv_bytes.items()}
    return {"tokens": tokens, "measured_bytes": run.column("measured_bytes"), **formula}
