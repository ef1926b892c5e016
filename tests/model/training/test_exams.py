import pytest
import torch
from tokenizers import Tokenizer

from model.network.decoder import Decoder
from model.training import corpus, exams, parameters, tokenizer


def asked(text, spans):
    return [text[start:end] for start, end in spans]


def test_values_are_asked_where_their_keys_were_told():
    text = "fox = 12\nowl = 7\nowl ? 7\nbear ? 3\nfox ? 12"
    assert asked(text, exams.recalled(text)) == ["7", "12"]


def test_copies_are_asked_from_the_third_on_less_their_start():
    text = "\n".join(["abcdefghijklmnopq"] * 3)
    assert asked(text, exams.copied(text)) == ["ijklmnopq"]


def test_words_that_come_round_are_copies_too():
    text = " ".join(["red fox and", "blue owl see"] * 3)
    assert asked(text, exams.copied(text)) == ["and blue owl see"]


@pytest.mark.parametrize("text", ["", "abc", "one line that never comes back", "the same line\nthe same line"])
def test_what_does_not_come_three_times_is_no_copy(text):
    assert exams.copied(text) == []


def test_sums_are_asked_for_their_results():
    text = exams.additions(2, seed=1, documents=1, lines=3)[0]
    assert asked(text, exams.summed(text)) == [line.split(" = ")[1] for line in text.split("\n")]


def test_an_example_is_right_when_every_token_of_it_is(config, corpus_folder, monkeypatch):
    """A model that always says what the text says, but for one digit, fails that example alone."""
    words: Tokenizer = tokenizer.learn(corpus.read(corpus_folder, standard_library=False), vocabulary=300)
    decoder = Decoder(config, parameters.bound(config, parameters.initial(config, seed=1)))
    text = "fox = 12\nowl = 34\nowl ? 34\nfox ? 12"
    ids = words.encode(text).ids
    said = [*ids[1:], 0]
    said[-3] = 5  # the first digit of the last answer

    def step(ids_T, cache, *, logits):
        assert ids_T.tolist() == ids
        return torch.nn.functional.one_hot(torch.tensor(said), config.vocab_size).float()

    monkeypatch.setattr(decoder, "step", step)
    exam = exams.examine(decoder, words, [text], exams.recalled, most=10)
    assert (exam.examples, exam.right) == (2, 1)
    assert exam.tokens_right == exam.tokens - 1
