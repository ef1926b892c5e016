import torch

from model.network.decoder import Decoder
from model.training import heads, parameters


def test_brackets_are_paired_with_their_own_openers():
    text = "a (b [c] d)"
    offsets = [(place, place + 1) for place in range(len(text))]
    assert heads.bracket_pairs(text, offsets) == [
        heads.Pair(closer=7, opener=5, others=(2,)),
        heads.Pair(closer=10, opener=2, others=(5, 7)),
    ]


def test_tokens_of_several_brackets_are_left_out():
    assert heads.bracket_pairs("((a))", [(0, 2), (2, 3), (3, 5)]) == []


def test_an_untrained_model_looks_nowhere_in_particular(config):
    decoder = Decoder(config, parameters.bound(config, parameters.initial(config, seed=1)))
    said_twice = heads.repetition(decoder, seed=3)
    assert said_twice.induction_LH.shape == (config.layers, config.heads)
    assert float(said_twice.induction_LH.max()) < 0.1
    assert abs(said_twice.first_nats - said_twice.second_nats) < 0.2
    ids_T = torch.arange(1, 30)
    previous_LH = heads.previous_token(decoder, [ids_T])
    # An even look at t keys gives the one before 1 / t, on average over 2 … 29 keys.
    expected = sum(1 / keys for keys in range(2, 30)) / 28
    assert torch.allclose(previous_LH, torch.full_like(previous_LH, expected), atol=0.05)
