import numpy as np
import pytest

from model.training import corpus, tokenizer
from model.training.ahead import Ahead
from model.training.batches import Batches
from model.training.generated import Exercises


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


def test_exercises_take_their_share_of_the_sequences(corpus_folder):
    words = tokenizer.learn(corpus.read(corpus_folder, standard_library=False), vocabulary=300)
    stream = np.full(4000, 299, dtype=np.uint16)
    batches = Batches({"a": stream}, seed=1, exercises=Exercises(words))
    rows = batches.draw(0, tokens=64 * 200, length=64, exercises=0.3).targets_T.view(200, 64)
    assert 30 < int((rows != 299).any(dim=1).sum()) < 90
    assert int((batches.draw(0, tokens=64 * 200, length=64).targets_T != 299).sum()) == 0


def test_batches_drawn_ahead_are_the_same(batches):
    ahead = Ahead(batches, workers=1)
    try:
        for step in range(3):
            drawn = ahead.draw(step, tokens=256, length=32)
            assert drawn.ids_T.equal(batches.draw(step, tokens=256, length=32).ids_T)
    finally:
        ahead.close()
