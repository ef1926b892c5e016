"""Cases 17 and 18: weights that are no numbers or all alike load, run as far as they can, and are told of."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.checkpoint import not_finite
from model.engine import threads
from model.messages import Event, Finished, Generate, Grown, OpenCheckpoint, Opened
from model.tensorfile import write_tensors
from tests.bad.make import weights
from tests.model.checkpoint.sample import tensors_of, write_config
from tests.model.engine.talk import answer, answers, talk

ROUTER = "model.layers.1.mlp.gate.weight"


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "ALL", 1)


def run(folder: Path, change: Callable[[dict[str, np.ndarray]], object], **config: object) -> list[Event]:
    """What the engine says of a checkpoint whose values have been changed, and of a run of it."""
    tensors = {name: values.copy() for name, (_, values) in tensors_of(**config).items()}
    change(tensors)
    write_tensors(weights(write_config(folder, **config)), {name: ("F32", x) for name, x in tensors.items()})
    return talk(
        OpenCheckpoint(request=1, path=str(folder), device="cpu"),
        Generate(request=2, token_ids=[2, 3, 4], max_new_tokens=3),
    )


def notes(events: list[Event]) -> str:
    return " ".join(answer(events, Opened, 1).summary.notes)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_case_17_weights_with_nan_or_inf_load_with_a_note_and_sampling_stops_with_a_reason(
    tmp_path: Path, value: float
) -> None:
    def spoil(tensors: dict[str, np.ndarray]) -> None:
        tensors["lm_head.weight"][0] = value
        tensors["model.norm.weight"][3] = value

    events = run(tmp_path, spoil)
    assert "2 tensors contain NaN or Inf (model.norm.weight, lm_head.weight): results" in notes(events)
    finished = answer(events, Finished, 2)
    assert finished.reason == "failed"
    assert "logits after token 2 are not finite numbers" in finished.note
    assert sum(len(grown.tokens.texts) for grown in answers(events, Grown, 2)) == 3  # the trace is kept


def test_case_17_many_such_tensors_are_counted_and_four_are_named(tmp_path: Path) -> None:
    events = run(tmp_path, lambda tensors: [values.__setitem__(0, np.nan) for values in tensors.values()])
    assert " and " in notes(events)
    assert f"{len(tensors_of())} tensors contain NaN or Inf" in notes(events)


def test_case_17_large_finite_weights_are_not_taken_for_infinite(tmp_path: Path) -> None:
    events = run(tmp_path, lambda tensors: tensors["model.embed_tokens.weight"].fill(3e38))
    assert "NaN" not in notes(events)


def test_case_17_only_the_smallest_tensors_of_a_large_checkpoint_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(not_finite, "LOOKED_AT_BYTES", 500)

    def spoil(tensors: dict[str, np.ndarray]) -> None:
        tensors["lm_head.weight"][0] = np.nan
        tensors["model.norm.weight"][3] = np.nan

    assert "1 tensor contains NaN or Inf (model.norm.weight)" in notes(run(tmp_path, spoil))


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_case_18_a_router_of_equal_weights_takes_the_lowest_experts_and_says_so(tmp_path: Path, value: float) -> None:
    events = run(tmp_path, lambda tensors: tensors[ROUTER].fill(value), topk_method="greedy")
    finished = answer(events, Finished, 2)
    assert finished.reason == "length"
    assert finished.note.startswith("Router ties: in 5 of 5 choices")
    for grown in answers(events, Grown, 2):
        assert (np.sort(grown.tokens.expert_ids.numpy(), axis=-1) == [0, 1]).all()
        assert (grown.tokens.margins.numpy() == 0).all()


def test_case_18_a_router_of_its_own_weights_has_no_ties(tmp_path: Path) -> None:
    assert answer(run(tmp_path, lambda _: None), Finished, 2).note == ""
