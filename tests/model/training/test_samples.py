import json
from pathlib import Path

SAMPLES = Path(__file__).parents[3] / "resources" / "samples.json"


def test_every_sample_has_a_domain_a_title_and_a_short_prompt():
    content = json.loads(SAMPLES.read_text(encoding="utf-8"))
    assert content["format"] == 1
    assert len({sample["domain"] for sample in content["samples"]}) >= 7
    for sample in content["samples"]:
        assert set(sample) == {"domain", "title", "prompt"}
        assert 0 < len(sample["prompt"]) < 400
