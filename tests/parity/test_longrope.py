"""LongRoPE decodes like transformers across its original length: new tokens turn differently, cached keys stay."""

from pathlib import Path

import pytest
import torch
from transformers import MiniCPM3Config
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load
from model.config import LongRopeConfig, RopeConfig
from model.network.rope import RotaryTable, amplitude, frequencies
from tests.parity.cases import CPU, TOKENS
from tests.parity.families import longrope
from tests.parity.tiny import make_checkpoint

SHORT, LONG = (1.0, 1.5, 2.0, 1.2), (3.0, 9.0, 1.7, 25.0)


@torch.no_grad()
@pytest.mark.parametrize("prompt", [40, 64, 65, 90])
def test_every_step_gives_the_logits_of_transformers(prompt: int, tmp_path: Path) -> None:
    theirs = make_checkpoint(tmp_path, "minicpm3", rope_parameters=longrope(64))
    decoder = load(read_checkpoint(tmp_path), device=CPU)
    ids_T = torch.randint(0, 257, (TOKENS,), generator=torch.Generator().manual_seed(2))
    cache = decoder.new_cache()
    for part in ids_T[:prompt].split(17):  # in chunks, which know how long the prompt is
        ours = [decoder.step(part, cache, length=prompt)]
    answer = theirs(ids_T[None, :prompt], use_cache=True)
    expected = [answer.logits[0, -1:]]
    for token in ids_T[prompt:]:
        ours.append(decoder.step(token[None], cache, absorbed=True))
        answer = theirs(token[None, None], past_key_values=answer.past_key_values, use_cache=True)
        expected.append(answer.logits[0])
    ours_TV, theirs_TV = torch.cat(ours), torch.cat(expected)
    assert (ours_TV - theirs_TV).abs().max() <= 1e-4 * theirs_TV.abs().max()
    for layer, held in enumerate(answer.past_key_values.layers):
        assert (cache.k_rope_LTR[layer, :TOKENS] - held.values[0, 0]).abs().max() <= 1e-5


@pytest.mark.parametrize("factor", [None, 1.0, 4.0])
@pytest.mark.parametrize("long", [False, True])
def test_frequencies_and_amplitude_equal_those_of_transformers_bit_for_bit(factor: float | None, long: bool) -> None:
    scaling = longrope(64) | ({"factor": factor} if factor else {})
    config = MiniCPM3Config(qk_rope_head_dim=8, max_position_embeddings=256, rope_parameters=scaling)
    theirs, scale = ROPE_INIT_FUNCTIONS["longrope"](config, torch.device("cpu"), seq_len=65 if long else 64)
    given = LongRopeConfig(SHORT, LONG, 64, scale)
    rope = RopeConfig(10_000.0, longrope=given)
    assert torch.equal(frequencies(rope, 8, long=long), theirs)
    assert amplitude(rope) == scale


def test_rows_follow_the_length_known_when_they_were_rotated() -> None:
    rope = RopeConfig(10_000.0, longrope=LongRopeConfig(SHORT, LONG, 64))
    table = RotaryTable(rope, 8, torch.device("cpu"))
    alone = [RotaryTable(RopeConfig(1e4, longrope=LongRopeConfig(one, one, 64)), 8, CPU) for one in (SHORT, LONG)]
    short_PR, long_PR = (one.rows(0, 400, length=400) for one in alone)
    assert torch.equal(table.rows(0, 64, length=64), short_PR[:64])
    assert torch.equal(table.rows(0, 64, length=65), long_PR[:64])
    assert torch.equal(table.rows(300, 400, length=0), long_PR[300:400])
    assert torch.equal(table.rows(10, 100, length=40), torch.cat((short_PR[10:64], long_PR[64:100])))
    assert torch.equal(table.rows(63, 64, length=0), short_PR[63:64])
    assert torch.equal(table.rows(64, 65, length=0), long_PR[64:65])
