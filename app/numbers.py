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
    """Arrays of one view (`attention`, `routing`, `load`, `memory`, `study`); empty while there is nothing to show."""
    if view == "study":
        return _study(state)
    run = state.run
    if run is None or not run.tokens:
        return {}
    match view:
        case "attention":
            return _attention(state)
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
