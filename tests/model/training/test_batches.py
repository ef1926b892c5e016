import numpy as np
import pytest

from model.training.batches import Batches


@pytest.fixture
def batches():
    streams = {"a": np.arange(1, 4000, dtype=np.uint16), "b": np.arange(4000, 8000, dtype=np.uint16)}
    return Batches(streams, seed=1)


def test_the_same_step_draws_the_same_batch(batches):
    first, again, other = (batches.draw(step, tokens=256, length=32) for step in (5, 5, 6))
    assert first.ids_T.equal(again.ids_T)
    assert not first.ids_T.equal(other.ids_T)


def test_targets_are_the_next_tokens_and_sequences_start_with_the_end_token(batches):
    batch = batches.draw(0, tokens=256, length=32)
    ids_BT, targets_BT = batch.ids_T.view(8, 32), batch.targets_T.view(8, 32)
    assert (ids_BT[:, 0] == 0).all()
    assert ids_BT[:, 1:].equal(targets_BT[:, :-1])


def test_every_step_sees_every_large_domain(batches):
    for step in range(20):
        first_B = batches.draw(step, tokens=256, length=32).ids_T.view(8, 32)[:, 1]
        assert 0 < (first_B < 4000).sum() < 8


def test_parts_keep_whole_sequences(batches):
    batch = batches.draw(0, tokens=256, length=32)
    parts = batch.parts(2)
    assert [part.sequences for part in parts] == [4, 4]
    assert parts[1].ids_T.equal(batch.ids_T[128:])


def test_some_sequences_repeat_their_own_start(batches):
    rows = batches.draw(0, tokens=512 * 100, length=512).targets_T.view(100, 512).tolist()
    periods = [next((p for p in range(8, 128) if row[p:] == row[:-p]), None) for row in rows]
    assert 5 < sum(period is not None for period in periods) < 40
