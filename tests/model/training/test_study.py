from argparse import Namespace
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file

from model.caches import kept_bytes
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import load
from model.problems import Problem
from model.shapes import parameters_total
from model.study_report import read_report
from model.training import study_publish
from model.training.parameters import initial
from model.training.study import QUALITY, SUMMARY, gather, run_folder, trained
from model.training.study_publish import main as publish
from model.training.study_publish import opened
from model.training.study_recipe import KINDS, VOCABULARY, study_config
from model.training.study_words import outcome, spread
from tests.model.study import make_study, quality_of, write_json

SEEDS = [20, 21]
SHIPPED = Path(__file__).parents[3] / "resources" / "study"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of untrained weights, gathered and published."""
    work, out = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("out")
    for seed in SEEDS:
        for kind in KINDS:
            folder = run_folder(work, kind, seed)
            folder.mkdir()
            masters = initial(study_config(kind), seed=seed)
            torch.save({"masters": masters, "progress": [3, 9000], "seconds": [5.0, 6.0]}, folder / "state.pt")
            write_json(folder / QUALITY, quality_of(kind, seed))
    gather(work, seeds=SEEDS, device="cpu")
    (work / "tokenizer.json").write_bytes((make_study(tmp_path_factory.mktemp("words")) / "words.json").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_publish, "decode_speeds", lambda decoders: [{"64": 2.0, "2048": 1.0} for _ in decoders])
        publish(Namespace(corpus=work, work=work, out=out))
    assert trained(work, "mla", 21)["model.norm.weight"].dtype == torch.bfloat16
    assert (work / SUMMARY).exists()
    return out


def test_the_report_holds_every_seed_and_what_was_measured_on_the_folders(published: Path) -> None:
    report = read_report(published)
    assert (report.seeds, report.tokens) == (SEEDS, 9000)
    for model in report.models:
        config = study_config(model.kind)
        assert model.kv_bytes_formula == model.kv_bytes_measured == kept_bytes(config, 2)
        assert model.bits_per_byte == pytest.approx([(5 + seed / 1000 + 3) / 2 for seed in SEEDS])


def test_the_four_folders_open_as_any_checkpoint(published: Path) -> None:
    for kind, decoder in opened(published).items():
        assert decoder.config.attention == kind
        assert decoder.config.vocab_size == VOCABULARY
        assert (published / kind / "model.safetensors").stat().st_size < 2_600_000


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_transformers_opens_them_and_says_the_same(published: Path, kind: str) -> None:
    decoder = load(read_checkpoint(published / kind), dtype="float32", device=torch.device("cpu"))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        published / kind, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    ids_T = torch.arange(60) * 31 % VOCABULARY
    expected_TV = theirs(ids_T[None]).logits[0]
    logits_TV = decoder.step(ids_T, decoder.new_cache(), logits="all")
    assert (logits_TV - expected_TV).abs().max() <= 1e-4 * expected_TV.abs().max()
    assert set(load_file(published / kind / "model.safetensors")) >= {"model.embed_tokens.weight"}


def test_the_words_follow_from_the_numbers(published: Path) -> None:
    report = read_report(published)
    assert spread([2.0, 2.5, 2.2], 2) == "2.23 ± 0.25"
    assert "is within the seeds' noise" in outcome(report)
    assert "0.28 times the cache of MHA" in outcome(report)
    assert "within" in (published / "README.md").read_text(encoding="utf-8")


def test_a_report_that_is_none_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}", encoding="utf-8")
    with pytest.raises(Problem, match="is not a report of the attention study"):
        read_report(tmp_path)


def test_the_shipped_study_is_whole_and_its_sizes_agree() -> None:
    report = read_report(SHIPPED)
    assert [model.kind for model in report.models] == list(KINDS)
    sizes = [model.parameters for model in report.models]
    assert max(sizes) <= 1.02 * min(sizes)
    for model in report.models:
        checkpoint = read_checkpoint(SHIPPED / model.kind)
        assert (checkpoint.config.attention, checkpoint.has_tokenizer) == (model.kind, True)
        assert parameters_total(checkpoint.config) == model.parameters
        assert kept_bytes(checkpoint.config, 2) == model.kv_bytes_formula == model.kv_bytes_measured
        assert len(model.bits_per_byte) == len(report.seeds)
    assert sum(file.stat().st_size for file in SHIPPED.parent.rglob("*") if file.is_file()) < 30_000_000
