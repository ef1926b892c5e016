"""Changing what a person looks at, kept inside what there is. Qt-free."""

from dataclasses import replace

from app.shown import Shown
from app.state import State
from model.placement import default_devices
from widgets.selection import Selection


def select_run(state: State, name: str) -> State:
    """Show another run; the selection keeps what the other run also has."""
    if name == state.current:
        return state
    state = replace(state, current=name, shown=Shown(), following=True)
    run = state.run
    return select(state, replace(state.selection, token=run.tokens - 1 if run and run.tokens else None))


def select(state: State, selection: Selection) -> State:
    """A new selection, kept inside what the current run has."""
    run = state.run
    if run is None:
        return replace(state, selection=selection)
    config = run.info.config
    experts = config.router.experts if config.router else 0
    return replace(
        state,
        selection=Selection(
            token=_inside(selection.token, run.tokens),
            layer=min(max(selection.layer, 0), config.layers - 1),
            head=min(max(selection.head, 0), config.heads - 1),
            expert=_inside(selection.expert, experts),
            device=_inside(selection.device, device_count(state)),
        ),
    )


def device_count(state: State) -> int:
    """How many devices the placement has: as chosen, or the model's own groups."""
    run = state.run
    router = run.info.config.router if run else None
    if router is None:
        return 0
    return min(state.choices.devices or default_devices(router.groups), router.stored_experts)


def _inside(value: int | None, count: int) -> int | None:
    return None if value is None or count == 0 else min(max(value, 0), count - 1)
