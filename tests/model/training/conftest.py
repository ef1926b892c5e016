"""A model and a corpus small enough to train in a second."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from model.config import ModelConfig, RouterConfig
from model.training.recipe import Recipe, loupe_mini

WORDS = ["fox", "and", "owl", "saw", "rain", "stone", "while", "moon", "light", "river", "song", "12", "345"]


@pytest.fixture
def config() -> ModelConfig:
    router = RouterConfig(
        "group_limited_greedy", "softmax", experts=8, experts_per_token=2, groups=4, groups_per_token=2
    )
    return replace(
        loupe_mini(),
        vocab_size=300,
        hidden_size=32,
        layers=2,
        heads=2,
        q_lora_rank=16,
        kv_lora_rank=8,
        qk_nope_head_dim=8,
        qk_rope_head_dim=4,
        v_head_dim=8,
        intermediate_size=48,
        moe_intermediate_size=16,
        moe_layers=(1,),
        router=replace(router, scaling_factor=2.5),
        max_position_embeddings=256,
    )


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(
        sequence_length=32, long_sequence_length=64, micro_batch_tokens=128, micro_batches=2, warmup_tokens=256
    )


@pytest.fixture
def corpus_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    (folder / "LICENSES").mkdir(parents=True)
    (folder / "LICENSES" / "MIT.txt").write_text("MIT", encoding="utf-8")
    sources = "# Sources\n\nCredits required by CC BY 4.0:\n- Someone\n\n## What\n"
    (folder / "SOURCES.md").write_text(sources, encoding="utf-8")
    words = random.Random(3)
    for name in ("english", "中文"):
        vocabulary = WORDS if name == "english" else ["天", "地", "玄", "黄", "宇", "宙", "洪", "荒", "日", "月"]
        documents = (" ".join(words.choices(vocabulary, k=60)) for _ in range(60))
        (folder / f"{name}.txt").write_text("\n<|endoftext|>\n".join(documents), encoding="utf-8")
    return folder
