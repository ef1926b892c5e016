from pathlib import Path

import numpy as np
import pytest
import torch

from model.config import DtypeName
from model.problems import Problem
from model.recording.columns import CHUNK_TOKENS, columns
from model.recording.projections import Projections, open_router_bias
from model.recording.recorder import Recorder
from model.recording.recording import Recording
from tests.model.recording.runs import every_column, feed, random_decoder, record, run_info, tiny_config

SIZES = (300, 212, *[1] * 20, 17, *[1] * 6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_reopened_run_equals_the_live_one_bit_for_bit(tmp_path: Path, dtype: DtypeName) -> None:
    config = tiny_config()
    recorder = Recorder.create(tmp_path / "run", run_info(config, dtype=dtype), keep_logits=True)
    feed(recorder, random_decoder(config, dtype=dtype), SIZES)
    live = every_column(recorder.recording)
    recorder.finish("eos", "the text", prefill_seconds=0.5, decode_tokens_per_second=20.0)
    opened = Recording.open(tmp_path / "run")
    assert every_column(opened) == live
    assert every_column(recorder.recording) == live
    assert opened.tokens == sum(SIZES)
    assert opened.steps == len(SIZES)
    assert (opened.info.config, opened.info.title) == (config, recorder.recording.info.title)
    assert opened.finish is not None
    assert (opened.finish.reason, opened.finish.text, opened.finish.prefill_seconds) == ("eos", "the text", 0.5)
    assert opened.notes == []


def test_what_the_probe_and_the_cache_held_comes_back_unchanged(tmp_path: Path) -> None:
    config = tiny_config()
    recorder = Recorder.create(tmp_path / "run", run_info(config, dtype="bfloat16"), keep_logits=True)
    told = feed(recorder, random_decoder(config, dtype="bfloat16"), SIZES)
    recording, tokens = recorder.recording, sum(SIZES)
    for layer in range(config.layers):
        for name, expected in (
            ("c_kv", told.cache.c_kv_LTC[layer, :tokens]),
            ("k_rope", told.cache.k_rope_LTR[layer, :tokens]),
            ("query_source", told.joined("query_source")[layer]),
        ):
            bits = recording.heavy(name, layer_row=layer)
            assert bits.dtype == np.uint16
            assert torch.from_numpy(bits.view(np.int16)).view(torch.bfloat16).equal(expected)
    for row in range(2):
        scores = recording.heavy("router_scores", layer_row=row)
        assert np.array_equal(scores, told.joined("router_scores")[row].numpy())
    assert np.array_equal(recording.light("expert_ids"), told.joined("expert_ids").transpose(0, 1).numpy())
    assert np.array_equal(recording.heavy("logits", layer_row=0), told.joined("logits")[0].numpy())
    assert recording.texts() == told.texts


def test_ranges_cut_across_chunks_like_slices(tmp_path: Path) -> None:
    recording, told = record(tmp_path / "run", SIZES)
    whole_ids, whole_scores = recording.light("ids"), recording.heavy("router_scores", layer_row=1)
    for start, end in ((0, 1), (255, 257), (250, 530), (256, 512), (511, 555), (540, 9999)):
        assert np.array_equal(recording.light("ids", start, end), whole_ids[start:end])
        assert np.array_equal(
            recording.heavy("router_scores", layer_row=1, start=start, end=end), whole_scores[start:end]
        )
        assert recording.texts(start, end) == told.texts[start:end]
    assert recording.light("expert_weights", 7, 7).shape == (0, 2, 3)
    assert recording.heavy("c_kv", layer_row=0, start=9999).shape == (0, 10)


def test_batches_for_the_window_carry_every_light_column(tmp_path: Path) -> None:
    recording, told = record(tmp_path / "run", SIZES)
    tokens, steps = recording.token_batch(250, 260), recording.step_batch(1, 4)
    assert (tokens.first, tokens.texts) == (250, told.texts[250:260])
    assert tokens.expert_ids.numpy().shape == (10, 2, 3)
    assert tokens.expert_ids.numpy().dtype == np.int16
    assert tokens.margins.numpy().shape == (10, 2)
    assert steps.tokens.numpy().tolist() == [512, 513, 514]
    assert steps.decode.numpy().tolist() == [False, True, True]
    assert steps.chosen_texts == ["‹1›", "‹2›", "‹3›"]
    assert steps.chosen_ids.numpy().tolist() == [1, 2, 3]
    assert steps.top_ids.numpy()[0].tolist() == [1, 2, 3, -1, -1]
    assert steps.top_texts[1] == ["top 2", "", "三", "", ""]
    assert np.isnan(steps.top_log_probability.numpy()[0, 3:]).all()
    assert steps.measured_bytes.numpy().tolist() == [step.measured_bytes for step in told.steps[1:4]]


def test_a_dense_model_has_no_moe_rows_and_reopens(tmp_path: Path) -> None:
    recording, _ = record(tmp_path / "run", (5, 1), moe_layers=(), router=None)
    opened = Recording.open(tmp_path / "run")
    assert opened.light("expert_ids").shape == (6, 0, 0)
    assert opened.token_batch().margins.numpy().shape == (6, 0)
    assert every_column(opened) == every_column(recording)


def test_a_run_that_has_not_fed_a_token_yet_opens_empty(tmp_path: Path) -> None:
    Recorder.create(tmp_path / "run", run_info(tiny_config()))
    opened = Recording.open(tmp_path / "run")
    assert (opened.tokens, opened.steps, opened.texts()) == (0, 0, [])
    assert opened.light("ids").shape == (0,)


def test_a_folder_that_holds_a_run_is_not_overwritten(tmp_path: Path) -> None:
    record(tmp_path / "run", (4,))
    with pytest.raises(Problem, match="already holds a recording"):
        Recorder.create(tmp_path / "run", run_info(tiny_config()))
    assert Recording.open(tmp_path / "run").tokens == 4


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "chunk-000000-0004.safetensors").write_bytes(b"of another run")
    with pytest.raises(Problem, match="not empty"):
        record(tmp_path, SIZES)
    assert [entry.name for entry in tmp_path.iterdir()] == ["chunk-000000-0004.safetensors"]


def test_private_memory_stays_that_of_one_chunk(tmp_path: Path) -> None:
    config = tiny_config()
    recorder = Recorder.create(tmp_path / "run", run_info(config))
    one_chunk = sum(column.nbytes(CHUNK_TOKENS) for column in columns(config, dtype="float32").values())
    assert recorder.recording.memory_bytes == one_chunk
    feed(recorder, random_decoder(config), (512, 512, 512, 100))
    assert recorder.recording.memory_bytes == one_chunk
    assert recorder.recording.disk_bytes > 5 * one_chunk
    recorder.finish("length", "")
    assert recorder.recording.memory_bytes == 0


def test_projections_come_back_from_the_run_folder(tmp_path: Path) -> None:
    config = tiny_config(q_lora_rank=None)
    decoder = random_decoder(config, dtype="bfloat16")
    projections = Projections.of(decoder)
    bias = np.arange(16, dtype=np.float32).reshape(2, 8)
    Recorder.create(tmp_path / "run", run_info(config), projections=projections, router_bias=bias)
    opened = Projections.open(tmp_path / "run", config)
    for layer in range(config.layers):
        assert all(a.equal(b) for a, b in zip(opened.layer(layer), projections.layer(layer), strict=True))
        assert (
            projections.layer(layer).q_weight.data_ptr() == decoder.weights.layers[layer].attention.q.weight.data_ptr()
        )
    assert opened.bytes == projections.bytes == 3 * 2 * (2 * 10 * 20 + 2 * 11 * 10)
    assert np.array_equal(open_router_bias(tmp_path / "run", config), bias)  # type: ignore[arg-type]


def test_large_projections_are_kept_only_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.recording.projections.SMALL_BYTES", 100)
    config = tiny_config()
    projections, bias = Projections.of(random_decoder(config)), np.ones((2, 8), np.float32)
    Recorder.create(tmp_path / "small", run_info(config), projections=projections, router_bias=bias)
    with pytest.raises(Problem, match="does not fit"):
        Projections.open(tmp_path / "small", config)
    assert open_router_bias(tmp_path / "small", config) is not None
    Recorder.create(tmp_path / "whole", run_info(config), projections=projections, self_contained=True)
    assert Projections.open(tmp_path / "whole", config).bytes == projections.bytes


def test_projections_of_another_model_are_refused(tmp_path: Path) -> None:
    config = tiny_config()
    Projections.of(random_decoder(config)).save(tmp_path)
    with pytest.raises(Problem, match=r"layers\.0\.q is F32 \(20, 12\), where \(30, 12\) was due"):
        Projections.open(tmp_path, tiny_config(heads=3))
    with pytest.raises(Problem, match="did not keep its projections"):
        Projections.open(tmp_path / "elsewhere", config)
