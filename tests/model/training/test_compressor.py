import random

import pytest

from model.training.compressor import bits_per_byte


def test_noise_costs_its_bits_and_repetition_next_to_nothing():
    noise = random.Random(1).randbytes(50_000)
    assert bits_per_byte(noise) == pytest.approx(8, rel=0.01)
    assert bits_per_byte(b"la " * 20_000) < 0.05


def test_a_primer_that_knows_the_text_makes_it_cheap():
    noise = random.Random(1).randbytes(50_000)
    assert bits_per_byte(noise, primer=noise) < 0.2
