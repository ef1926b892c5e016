import json
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from model.network.decoder import Decoder
from model.network.weights import bind
from model.training import corpus, parameters, tokenizer
from model.training.batches import Batches
from model.training.publish import describe, write_folder
from model.training.run import Run, load_state
from model.training.schedule import Schedule

STEP_TOKENS = 256


@pytest.fixture
def domains(corpus_folder):
    return corpus.read(corpus_folder, standard_library=False)


@pytest.fixture
def new_run(config, recipe, domains, tmp_path):
    def make(name, config=config, recipe=recipe):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        words = tokenizer.learn_once(domains, vocabulary=config.vocab_size, file=folder / "tokenizer.json")
        streams = {domain.name: tokenizer.encode(words, domain.training_documents()) for domain in domains}
        return Run(config, recipe, Batches(streams, seed=recipe.seed), folder=folder)

    return make


def test_a_run_learns(new_run):
    run, schedule = new_run("a"), Schedule(256, 1024, 100 * STEP_TOKENS)
    first = float(run.step(schedule).cross_entropy)
    for _ in range(24):
        last = float(run.step(schedule).cross_entropy)
    assert last < first - 1


def test_a_resumed_run_ends_as_an_uninterrupted_one(new_run):
    schedule = Schedule(256, 3 * STEP_TOKENS, 6 * STEP_TOKENS)
    whole = new_run("whole")
    whole.train(schedule)
    first = new_run("parts")
    (first.folder / "total_tokens").write_text(str(6 * STEP_TOKENS), encoding="utf-8")
    for _ in range(3):
        first.step(schedule)
    first.save()
    second = new_run("parts")
    second.resume()
    second.train(schedule)
    assert second.progress.step == whole.progress.step == 6
    assert all(torch.equal(tensor, whole.masters[name]) for name, tensor in second.masters.items())


def test_a_stopped_run_saves_itself(new_run):
    run = new_run("a")
    run.stop()
    run.train(Schedule(256, 256, 10**6))
    assert load_state(run.folder)[1].step == 0


def test_published_folder_loads_in_transformers_with_equal_logits(
    new_run, domains, config, recipe, corpus_folder, tmp_path
):
    run = new_run("a")
    run.train(Schedule(256, 512, 8 * STEP_TOKENS))
    out = tmp_path / "published"
    write_folder(out, work=run.folder, config=config, recipe=recipe)
    describe(out, corpus_folder=corpus_folder, domains=domains, sequences=1)
    oracle = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32, attn_implementation="eager")
    ids_T = torch.tensor(
        tokenizer.learn_once(domains, vocabulary=300, file=out / "tokenizer.json").encode("the fox").ids
    )
    assert AutoTokenizer.from_pretrained(out)("the fox").input_ids == ids_T.tolist()
    weights = {name: tensor.to(torch.bfloat16).float() for name, tensor in parameters.separate(run.masters).items()}
    decoder = Decoder(config, bind(config, weights))
    logits_TV = decoder.step(ids_T, decoder.new_cache(), logits="all")
    with torch.no_grad():
        expected_TV = oracle(ids_T[None]).logits[0]
    assert (logits_TV - expected_TV).abs().max() < 1e-4 * expected_TV.abs().max()
    facts = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert set(facts["held_out"]) == {"english", "中文"}
    assert facts["training"]["tokens"] == 8 * STEP_TOKENS
    assert "- Someone" in (out / "README.md").read_text(encoding="utf-8")
    assert (out / "LICENSES" / "MIT.txt").exists()


def test_a_run_with_correction_biases_moves_them_by_the_load_alone(new_run, config, recipe):
    router = replace(config.router, method="noaux_tc", scoring="sigmoid", normalise=True)
    run = new_run("a", config=replace(config, router=router), recipe=replace(recipe, balance="bias"))
    run.step(Schedule(256, 1024, 100 * STEP_TOKENS))
    bias_E = run.masters["model.layers.1.mlp.gate.e_score_correction_bias"]
    assert torch.isclose(bias_E.abs(), torch.tensor(0.001)).logical_or(bias_E == 0).all()
    assert bias_E.min() < 0 < bias_E.max()


def test_the_history_tells_how_even_each_layer_was(new_run):
    run = new_run("a")
    run.train(Schedule(256, 256, 20 * STEP_TOKENS))
    (line,) = (run.folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    told = json.loads(line)
    assert told["tokens"] == 20 * STEP_TOKENS
    assert len(told["expert_max_violation"]) == len(told["device_max_violation"]) == 1
    assert told["expert_max_violation"][0] >= told["device_max_violation"][0] >= 0
