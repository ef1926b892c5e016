"""Kimi K2.5: a picture encoder before Kimi K2, whose text part is read."""

from dataclasses import replace

from model.checkpoint.families import deepseek_v3, text_part
from model.checkpoint.families.keys import Keys
from model.config import ModelConfig


def parse(keys: Keys, notes: list[str]) -> ModelConfig:
    """The text model that the `text_config` of a `kimi_k25` config describes. Raises Problem."""
    text_part.check(replace(keys, defaults={"model_type": "deepseek_v3"}), notes, "kimi_k2", "deepseek_v3")
    return replace(deepseek_v3.parse(keys, notes), family="Kimi K2.5", model_type="kimi_k25")
