import re

import numpy as np
import pytest

from model.training import corpus, tokenizer
from model.training.generated import BRACKETS, Exercises, brackets, recall, repeated, sums


@pytest.fixture
def random():
    return np.random.default_rng(3)


def test_repeated_tokens_have_a_period(random):
    for _ in range(20):
        ids = repeated(random, 256, vocabulary=1000)
        assert len(ids) == 256
        assert any((ids[period:] == ids[:-period]).all() for period in range(4, 129))
        assert ids.min() > 0


def test_recall_answers_what_was_told(random):
    for _ in range(50):
        text = recall(random)
        told = dict(re.findall(r"^(\w+) = (\d+)$", text, re.MULTILINE))
        asked = re.findall(r"^(\w+) \? (\d+)$", text, re.MULTILINE)
        assert len(told) >= 3
        assert len(asked) >= 4
        assert all(told[key] == value for key, value in asked)


def test_brackets_close_in_the_order_they_opened(random):
    closer_of = dict(BRACKETS)
    for _ in range(50):
        still_open = []
        for character in brackets(random):
            if character in closer_of:
                still_open.append(closer_of[character])
            elif character in closer_of.values():
                assert still_open.pop() == character
        assert not still_open


def test_sums_are_right(random):
    for line in "\n".join(sums(random) for _ in range(20)).splitlines():
        a, sign, b, result = re.fullmatch(r"(\d+) ([+-]) (\d+) = (\d+)", line).groups()
        assert int(result) == (int(a) + int(b) if sign == "+" else int(a) - int(b))


def test_exercises_fill_the_sequence_and_are_the_same_for_a_seed(corpus_folder):
    exercises = Exercises(tokenizer.learn(corpus.read(corpus_folder, standard_library=False), vocabulary=300))
    for seed in range(8):
        ids, again = (exercises.draw(np.random.default_rng(seed), 200) for _ in range(2))
        assert len(ids) == 200
        assert (ids == again).all()
