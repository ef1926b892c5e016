"""Counts of a run whose router also chooses experts without weights."""

from dataclasses import replace

from msgspec import structs

from app import measures, present
from app.derived import Counter
from app.selecting import device_count
from app.state import Choices, State, apply
from tests.app.events import CONFIG, grown, opened, started
from widgets.selection import Selection

ZERO = replace(CONFIG, router=replace(CONFIG.router, groups=1, groups_per_token=1, zero_experts=1))


def grown_state() -> State:
    """Six tokens; token t goes to experts t mod 4 and t + 1 mod 4, and expert 3 has no weights."""
    begun = started()
    state = apply(apply(State(), opened()), structs.replace(begun, info=structs.replace(begun.info, config=ZERO)))
    return apply(state, grown(0, 6, step=0))


def test_zero_experts_are_counted_but_no_device_carries_them() -> None:
    state = grown_state()
    assert state.run is not None
    derived = Counter().derived(state.run, "contiguous", device_count(state))
    assert derived is not None
    assert device_count(state) == 3
    assert derived.counts_ME.tolist() == [[3, 4, 3, 2]] * 2
    assert derived.load.device_load.tolist() == [[3, 4, 3]] * 2
    assert derived.placement.slot_to_device.shape == (2, 3)


def test_a_token_whose_first_expert_has_no_weights_has_no_device() -> None:
    state = replace(grown_state(), choices=Choices(measure="device"), selection=Selection(layer=1))
    assert state.run is not None
    derived = Counter().derived(state.run, "contiguous", 3)
    assert derived is not None
    shown = measures.measure(state, state.run, derived.placement)
    assert shown.values.tolist()[:3] == [0.0, 1.0, 2.0]
    assert str(shown.values[3]) == "nan"
    path = present._path(state.run, replace(state, selection=Selection(token=3, layer=1)), 0, derived.placement)
    assert path is not None
    assert path.devices == (0,)
