"""The speed table: one line per figure, and the checkpoints it is measured on."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from app.commands import bench_table, conversation
from app.commands.bench_table import Row, kept, markdown
from app.commands.random_checkpoint import SHAPES, write_random_checkpoint
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load
from model.shapes import parameters_active, parameters_total
from tests.app.commands.threaded import ThreadedClient

SMALL = replace(SHAPES["tiny"], vocab_size=300, hidden_size=64, layers=2, moe_layers=(1,), intermediate_size=96)


def test_the_shapes_have_the_sizes_that_the_table_names() -> None:
    assert parameters_total(SHAPES["tiny"]) == pytest.approx(17.0e6, rel=0.01)
    assert parameters_total(SHAPES["mid"]) == pytest.approx(629.4e6, rel=0.001)
    assert 4 * parameters_active(SHAPES["mid"]) == pytest.approx(742e6, rel=0.005)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_random_checkpoints_are_the_same_each_time_and_decided(tmp_path: Path, dtype: Any) -> None:
    for name in ("one", "two"):
        write_random_checkpoint(tmp_path / name, SMALL, dtype=dtype)
    first, second = ((tmp_path / name / "model-00000.safetensors").read_bytes() for name in ("one", "two"))
    assert first == second
    checkpoint = read_checkpoint(tmp_path / "one")
    assert checkpoint.dtype == dtype
    decoder = load(checkpoint, dtype="float32", device=torch.device("cpu"))
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "one", dtype=torch.float32)
    ids_T = torch.arange(40)
    with torch.inference_mode():
        ours_TV = decoder.step(ids_T, decoder.new_cache(), logits="all")
        theirs_TV = theirs(ids_T[None]).logits[0]
    assert float((ours_TV - theirs_TV).abs().max()) < 1e-4
    assert torch.equal(ours_TV.argmax(-1), theirs_TV.argmax(-1))
    assert 0.5 < float(ours_TV.std()) < 2
    best, next_best = ours_TV.topk(2).values.unbind(-1)
    assert float((best - next_best).median()) > 0.1


def test_every_figure_becomes_a_line_with_its_command() -> None:
    row = Row("decode", "mid", "float32", (24,))
    figure = {"value": 1234.5, "unit": "tokens/s", "peer": 500.0, "ratio": 2.469, "limit": 2.7}
    text = markdown({row: {"decode_64": figure, "notes": ["said in passing"]}})
    assert text.splitlines()[2] == (
        "| mid float32: decode 64 | 1,234 tokens/s | 500 | 2.47 | ≥ 2.7 | no | "
        "`bench decode --shape mid --dtype float32 --tokens 24` |"
    )
    assert len(text.splitlines()) == 3


def test_speeds_reach_their_limit_and_growth_stays_below() -> None:
    speed, growth = Row("decode", "tiny", "float32", (8,)), Row("growth", "long", "float32", (2000,))
    assert [kept(speed, ratio, 2.0) for ratio in (1.9, 2.0, 2.1)] == ["no", "yes", "yes"]
    assert [kept(growth, ratio, 1.1) for ratio in (1.0, 1.1, 1.2)] == ["yes", "yes", "no"]
    assert kept(speed, None, 2.0) == kept(speed, 1.0, None) == ""


def test_the_table_is_measured_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(conversation, "EngineClient", ThreadedClient)
    monkeypatch.setattr("model.engine.measure.read_bandwidth", lambda threads, device: 1e9)
    monkeypatch.setattr("model.engine.measure_prefill.TURNS", 1)
    monkeypatch.setitem(bench_table.SHAPES, "tiny", SMALL)
    rows = [Row("decode", "tiny", "float32", (8,), (16,)), Row("prefill", "tiny", "float32", (16,))]
    assert bench_table.bench_table(tmp_path / "figures", rows) == 0
    table = capsys.readouterr().out
    assert "tiny float32: decode 16" in table
    assert "tiny float32: prefill 16" in table
    written = json.loads((tmp_path / "figures" / "decode-tiny-float32.json").read_text(encoding="utf-8"))
    assert written["same_tokens_16"]["ratio"] == 1.0
    assert written["decode_16"]["unit"] == "tokens/s"


def test_attention_is_kept_by_its_figures() -> None:
    row = Row("attention", "v2-lite", "bfloat16", (8192,))
    one = {"value": 0.02, "unit": "s", "peer": 0.05, "ratio": 2.5, "limit": 0.03}
    needle = {"value": 0.4, "unit": "probability", "peer": None, "ratio": None, "limit": 0.5}
    lines = markdown({row: {"first_picture_8192": one, "needle_8192": needle}}).splitlines()[2:]
    assert "| 2.50 | ≤ 0.03 | yes |" in lines[0]
    assert "bench attention --shape v2-lite --dtype bfloat16 --tokens 8192" in lines[0]
    assert "| ≥ 0.5 | no |" in lines[1]
