"""One prompt through the four models of a study: measured bytes are the formula's, entries are read as often as due."""

from pathlib import Path

import numpy as np
import pytest

from model.caches import kept_bytes
from model.messages import AttentionsCompared, CacheGrown, CompareAttentions, Failed
from model.training.study_recipe import KINDS, study_config
from tests.model.engine.talk import answer, answers, talk
from tests.model.study import make_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_study(tmp_path_factory.mktemp("study")))


def test_four_caches_grow_by_their_formulas_and_entries_are_read_again(study: str) -> None:
    wanted = CompareAttentions(request=1, folder=study, prompt="the king said", max_new_tokens=70)
    events = talk(wanted)
    grown = answers(events, CacheGrown, 1)
    for kind in KINDS:
        mine = [event for event in grown if event.kind == kind]
        tokens = np.concatenate([event.tokens for event in mine])
        used = np.concatenate([event.used_bytes for event in mine])
        measured = np.concatenate([event.measured_bytes for event in mine])
        assert np.array_equal(np.diff(tokens), np.ones(70))
        assert mine[-1].bytes_per_token == kept_bytes(study_config(kind), 2)
        assert np.array_equal(used, tokens * mine[-1].bytes_per_token)
        assert (measured >= used).all()
        held = int(tokens[-1])
        assert np.array_equal(mine[-1].reads.numpy(), np.tile(np.arange(held, 0, -1), (4, 1)))
        assert (mine[-1].queries.numpy() == 1).all()
    assert set(answer(events, AttentionsCompared, 1).texts) == set(KINDS)


@pytest.mark.parametrize(
    ("folder", "prompt", "said"),
    [("nowhere", "the", "does not exist"), ("", "the king " * 1500, "shorten")],
)
def test_what_cannot_be_compared_is_said(study: str, folder: str, prompt: str, said: str) -> None:
    place = str(Path(study) / folder) if folder else study
    events = talk(CompareAttentions(request=1, folder=place, prompt=prompt, max_new_tokens=2))
    assert said in answer(events, Failed, 1).message
