"""What lies beside a checkpoint: read within bounds, never trusted, and left out with a word where it will not do."""

import json
import os
from pathlib import Path

import pytest

from model.checkpoint.folder import read_checkpoint
from model.engine.about import CARD_LIMIT
from model.expert_profile import ExpertCounts, ExpertProfile, LayerProfile, write_profile
from model.messages import About, Failed, ReadAbout
from tests.model.checkpoint.gguf.convert import rewritten
from tests.model.engine.talk import answer, talk
from tests.parity.tiny import make_checkpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_checkpoint(tmp_path / "tiny", "v2")
    return tmp_path / "tiny"


def about(folder: Path) -> About:
    return answer(talk(ReadAbout(request=1, path=str(folder))), About, 1)


def profile_of(folder: Path, **changes: object) -> ExpertProfile:
    checkpoint = read_checkpoint(folder)
    router = checkpoint.config.router
    assert router is not None
    layers = [LayerProfile(layer, [ExpertCounts([1])] * router.experts) for layer in checkpoint.config.moe_layers]
    values = {"model": "tiny", "fingerprint": checkpoint.fingerprint, "texts": "t", "domains": ["d"]}
    return ExpertProfile(**(values | {"domain_tokens": [9], "layers": layers} | changes))


def test_card_licence_figures_and_profile_come_together(folder: Path):
    (folder / "README.md").write_text("# tiny\n\nA model.", encoding="utf-8")
    (folder / "SOURCES.md").write_text("## From", encoding="utf-8")
    (folder / "LICENSE").write_text("MIT", encoding="utf-8")
    report = {"format": 1, "training": {"tokens": 3801088, "ok": True, "name": "x"}, "layers": [1, 2]}
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
    write_profile(profile_of(folder), folder / "experts.json")
    found = about(folder)
    assert (found.card, found.licence, found.notes) == ("# tiny\n\nA model.\n\n## From", "MIT", [])
    assert found.report == {"format": 1.0, "training.tokens": 3801088.0}
    assert found.profile == profile_of(folder)
    assert found.path == str(folder)


def test_a_bare_folder_has_nothing_and_nothing_is_said(folder: Path):
    found = about(folder)
    assert (found.card, found.licence, found.report, found.profile, found.notes) == ("", "", {}, None, [])


def test_a_long_card_is_cut_and_broken_letters_are_replaced(folder: Path):
    (folder / "README.md").write_bytes(b"\xff" + b"a" * CARD_LIMIT)
    found = about(folder)
    assert found.card == "�" + "a" * (CARD_LIMIT - 1)
    assert "longer" in found.notes[0]


def test_a_pipe_is_not_waited_for_and_a_bad_report_is_said(folder: Path):
    os.mkfifo(folder / "README.md")
    (folder / "report.json").write_text('{"a": 1, "a": 2}', encoding="utf-8")
    found = about(folder)
    assert (found.card, found.report) == ("", {})
    assert "regular file" in found.notes[0]
    assert "twice" in found.notes[1]


@pytest.mark.parametrize("changes", [{"fingerprint": "another"}, {"layers": []}])
def test_a_profile_of_another_checkpoint_is_left_out(folder: Path, changes: dict):
    write_profile(profile_of(folder, **changes), folder / "experts.json")
    found = about(folder)
    assert found.profile is None
    assert "another checkpoint" in found.notes[0]


def test_what_is_no_checkpoint_is_a_problem(tmp_path: Path):
    assert "config.json" in answer(talk(ReadAbout(request=1, path=str(tmp_path))), Failed, 1).message


def test_a_gguf_file_tells_its_own_keys(folder: Path, tmp_path: Path):
    said = {"general.description": "A <b>tiny</b> model.", "general.license": "mit"}
    found = about(rewritten(folder, tmp_path / "x.gguf", top=said))
    assert "description: A <b>tiny</b> model." in found.card
    assert "license: mit" in found.card
    assert (found.licence, found.report, found.profile) == ("", {}, None)
