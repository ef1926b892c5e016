"""Every headless command on folders as transformers writes them; some with an engine process, as for a person."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tokenizers
import torch
from numpy.typing import NDArray
from tokenizers.decoders import ByteLevel as ByteDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from app.commands import conversation
from main import main
from model.engine import threads
from model.expert_profile import read_profile
from tests.app.commands.threaded import ThreadedClient
from tests.parity.tiny import make_checkpoint

PROMPT = [5, 7, 9, 200, 31, 8]
NEW = 10
FED = len(PROMPT) + NEW - 1


@pytest.fixture
def threaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines as threads: most tests are about what the commands write, not about processes."""
    monkeypatch.setattr(conversation, "EngineClient", ThreadedClient)


class Case(NamedTuple):
    """A checkpoint, its oracle, and a recording of it."""

    folder: Path
    oracle: Any
    run: Path
    summary: dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Any:
    """Engines of tiny models need no second core, and would wait for it when others use it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setattr(threads, "ALL", 1)
        torch.set_num_threads(1)
        yield


@pytest.fixture(scope="module", params=["v2 sharded and fused", "v3"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("checkpoint")
    if request.param == "v3":
        oracle = make_checkpoint(folder, "v3", eos_token_id=None)
    else:
        save = {"max_shard_size": "200KB", "save_original_format": False}
        oracle = make_checkpoint(folder, "v2", eos_token_id=None, save=save)
        assert len(list(folder.glob("*.safetensors"))) > 1
    run = tmp_path_factory.mktemp("runs") / "run"
    ids = ",".join(str(token) for token in PROMPT)
    arguments = ["--checkpoint", str(folder), "--token-ids", ids, "--max-new-tokens", str(NEW), "--keep-logits"]
    with pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []
        patch.setattr("builtins.print", printed.append)
        assert main(["record", *arguments, "--out", str(run), "--json"]) == 0
    return Case(folder, oracle, run, json.loads(printed[0]))


def data(case: Case, view: str, out: Path, *options: str) -> dict[str, NDArray[Any]]:
    assert main(["data", view, str(case.run), *options, "--out", str(out)]) == 0
    with np.load(out) as file:
        return dict(file)


@torch.inference_mode()
def oracle_answers(case: Case) -> Any:
    ids = torch.tensor([case.summary["prompt_ids"] + case.summary["generated_ids"][:-1]])
    return case.oracle(ids, output_attentions=True)


def test_record_tells_what_it_did(case: Case) -> None:
    summary = case.summary
    assert summary["prompt_ids"] == PROMPT
    assert len(summary["generated_ids"]) == NEW
    assert summary["run"] == str(case.run)
    assert summary["checkpoint"] == str(case.folder)
    assert summary["text"] == ""
    assert summary["recording_bytes"] == sum(entry.stat().st_size for entry in case.run.iterdir())
    assert summary["decode_tokens_per_second"] > 0 < summary["prefill_seconds"]
    used = 3 * (32 + 8) * 4 * FED
    assert used <= summary["kv_bytes"] <= used + 3 * (32 + 8) * 4 * 64


@pytest.mark.usefixtures("threaded")
def test_logits_and_greedy_tokens_are_those_of_transformers(case: Case, tmp_path: Path) -> None:
    logits = data(case, "logits", tmp_path / "logits.npz")["logits"]
    expected = oracle_answers(case).logits[0].numpy()
    assert logits.shape == expected.shape == (FED, 257)
    assert np.abs(logits - expected).max() <= 1e-4 * np.abs(expected).max()
    assert case.summary["generated_ids"] == expected[len(PROMPT) - 1 :].argmax(-1).tolist()


@pytest.mark.usefixtures("threaded")
def test_attention_is_that_of_transformers(case: Case, tmp_path: Path) -> None:
    found = data(case, "attention", tmp_path / "map.npz", "--layer", "2", "--head", "3")
    expected = oracle_answers(case).attentions[2][0, 3].numpy()
    assert np.abs(found["probabilities"] - expected).max() <= 5e-6
    scores = found["content_scores"] + found["position_scores"]
    assert np.isneginf(scores[np.triu_indices(FED, 1)]).all()
    np.testing.assert_allclose(torch.from_numpy(scores).softmax(-1), expected, atol=5e-6)


@pytest.mark.usefixtures("threaded")
def test_a_part_of_an_attention_map_is_that_part(case: Case, tmp_path: Path) -> None:
    selection = ["--layer", "1", "--head", "0"]
    everything = data(case, "attention", tmp_path / "all.npz", *selection)
    part = data(case, "attention", tmp_path / "part.npz", *selection, "--queries", "4:12", "--keys", "2:7")
    for name in ("probabilities", "content_scores", "position_scores"):
        np.testing.assert_allclose(part[name], everything[name][4:12, 2:7], atol=1e-6)


@pytest.mark.usefixtures("threaded")
def test_latents_are_what_the_cache_held(case: Case, tmp_path: Path) -> None:
    found = data(case, "latents", tmp_path / "latents.npz", "--layer", "1")
    assert {name: (values.dtype, values.shape) for name, values in found.items()} == {
        "c_kv": (np.float32, (FED, 32)),
        "k_rope": (np.float32, (FED, 8)),
    }


@pytest.mark.usefixtures("threaded")
def test_routing_has_a_row_per_layer_and_token(case: Case, tmp_path: Path) -> None:
    found = data(case, "routing", tmp_path / "routing.npz")
    assert found["layers"].tolist() == [1, 2]
    assert found["expert_ids"].shape == found["expert_weights"].shape == (2, FED, 3)
    assert found["router_scores"].shape == (2, FED, 8)
    assert (found["expert_weights"] > 0).all()


def test_load_counts_every_choice_once(case: Case, tmp_path: Path) -> None:
    routing = data(case, "routing", tmp_path / "routing.npz")
    found = data(case, "load", tmp_path / "load.npz", "--devices", "4", "--placement", "round-robin")
    devices = routing["expert_ids"] % 4
    expected = np.stack([[np.sum(layer == device) for device in range(4)] for layer in devices])
    np.testing.assert_array_equal(found["device_load"], expected)
    assert found["expert_load"].shape == found["expert_to_device"].shape == found["slot_to_expert"].shape == (2, 8)
    np.testing.assert_allclose(found["max_violation"], expected.max(1) / expected.mean(1) - 1)
    np.testing.assert_allclose(found["balancedness"], expected.mean(1) / expected.max(1))
    reached = sum(len(set(token)) for layer in devices for token in layer)
    assert found["traffic"].sum() == reached


@pytest.mark.usefixtures("threaded")
def test_load_uses_the_groups_of_the_model_or_eight_devices(case: Case, tmp_path: Path) -> None:
    found = data(case, "load", tmp_path / "load.npz")
    assert found["device_load"].shape == (2, 4 if case.oracle.config.model_type == "deepseek_v3" else 8)


@pytest.mark.usefixtures("threaded")
def test_fewer_experts_than_eight_get_a_device_each(tmp_path: Path) -> None:
    make_checkpoint(tmp_path / "model", "v2", n_routed_experts=6)
    run = tmp_path / "run"
    command = ["record", "--checkpoint", str(tmp_path / "model"), "--token-ids", "1,2", "--max-new-tokens", "1"]
    assert main([*command, "--out", str(run)]) == 0
    assert main(["data", "load", str(run), "--out", str(tmp_path / "load.npz")]) == 0
    with np.load(tmp_path / "load.npz") as found:
        assert found["device_load"].shape == (2, 6)


@pytest.mark.usefixtures("threaded")
def test_numbers_of_a_damaged_run_say_what_is_missing(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    ids = ",".join(["7"] * 250)
    command = ["record", "--checkpoint", str(case.folder), "--token-ids", ids, "--max-new-tokens", "7"]
    assert main([*command, "--out", str(run)]) == 0
    (run / "chunk-000001-0003.safetensors").write_bytes(b"torn")  # the first chunk is full, so this one was due
    capsys.readouterr()
    assert main(["data", "memory", str(run), "--out", str(tmp_path / "memory.npz"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["note"].startswith("recovered 256 of 259 tokens")


@pytest.mark.usefixtures("threaded")
def test_memory_compares_the_cache_with_other_forms(case: Case, tmp_path: Path) -> None:
    found = data(case, "memory", tmp_path / "memory.npz")
    tokens = found["tokens"]
    assert tokens.tolist() == list(range(len(PROMPT), FED + 1))
    np.testing.assert_array_equal(found["mla_bytes"], tokens * 3 * (32 + 8) * 4)
    np.testing.assert_array_equal(found["mha_bytes"], tokens * 3 * 4 * (16 + 8 + 12) * 4)
    np.testing.assert_array_equal(found["mqa_bytes"], tokens * 3 * (16 + 8 + 12) * 4)
    assert (found["measured_bytes"] >= found["mla_bytes"]).all()
    assert found["measured_bytes"][-1] == case.summary["kv_bytes"]


def test_verify_proves_the_checkpoint(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(case.folder), "--json"]) == 0
    proof = json.loads(capsys.readouterr().out)
    assert proof["attention_max_abs"] <= 5e-6
    assert proof["absorbed_max_abs"] <= 1e-4
    assert proof["routing_equal"] is True
    assert proof["tokens"] >= 64


@pytest.mark.usefixtures("threaded")
def test_inspect_describes_the_checkpoint(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(case.folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model_type"] == case.oracle.config.model_type
    assert (found["layers"], found["heads"], found["dtype"]) == (3, 4, "float32")
    assert found["parameters_total"] == sum(weight.numel() for weight in case.oracle.parameters()) + (
        16 if found["model_type"] == "deepseek_v3" else 0  # the routers' biases are buffers there
    )
    assert found["kv_bytes_per_token"]["mla"] == 3 * (32 + 8) * 4
    assert found["file_bytes"] == sum(path.stat().st_size for path in case.folder.glob("*.safetensors"))
    assert {"family", "parameters_active", "notes"} <= found.keys()


@pytest.mark.usefixtures("threaded")
def test_a_text_prompt_goes_through_the_tokenizer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_checkpoint(tmp_path / "model", "v2", eos_token_id=None)
    alphabet = {symbol: number for number, symbol in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = tokenizers.Tokenizer(BPE(vocab=alphabet, merges=[]))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    tokenizer.decoder = ByteDecoder()  # type: ignore[assignment]
    tokenizer.save(str(tmp_path / "model" / "tokenizer.json"))
    (tmp_path / "prompt.txt").write_text("Größe", encoding="utf-8")
    common = ["record", "--checkpoint", str(tmp_path / "model"), "--max-new-tokens", "2", "--json"]
    assert main([*common, "--prompt-file", str(tmp_path / "prompt.txt"), "--out", str(tmp_path / "run")]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["prompt_ids"] == tokenizer.encode("Größe").ids
    assert summary["text"] == tokenizer.decode(summary["generated_ids"])


@pytest.mark.usefixtures("threaded")
def test_token_ids_may_stand_in_a_file(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ids.txt").write_text("5, 7\n9 200 31\n8\n", encoding="utf-8")
    command = ["record", "--checkpoint", str(case.folder), "--token-ids-file", str(tmp_path / "ids.txt"), "--json"]
    assert main([*command, "--max-new-tokens", str(NEW), "--out", str(tmp_path / "run")]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["prompt_ids"] == PROMPT
    assert summary["generated_ids"] == case.summary["generated_ids"]


@pytest.mark.usefixtures("threaded")
def test_people_get_lines_instead_of_json(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(case.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("layers") and line.endswith("3") for line in lines)


@pytest.mark.usefixtures("threaded")
def test_profile_writes_what_the_folder_is_then_found_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, texts = tmp_path / "worded", tmp_path / "texts"
    make_checkpoint(folder, "v2")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"fox": 0, "owl": 1, "?": 2}, unk_token="?"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.save(str(folder / "tokenizer.json"))
    texts.mkdir()
    (texts / "en.txt").write_text("fox owl " * 20, encoding="utf-8")
    out = folder / "experts.json"
    asked = ["profile", str(folder), "--texts", str(texts), "--tokens", "30", "--out", str(out), "--json"]
    assert main(asked) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["tokens"], told["domains"], told["texts"]) == (30, {"en": 30}, "texts")
    profile = read_profile(out)
    assert profile.tokens == 30
    chosen = 30 * json.loads((folder / "config.json").read_text())["num_experts_per_tok"]
    assert {sum(expert.tokens for expert in layer.experts) for layer in profile.layers} == {chosen}
    assert main(["profile", str(folder), "--texts", str(tmp_path / "none"), "--out", str(out)]) == 2
    assert "choose a folder of texts" in capsys.readouterr().err
