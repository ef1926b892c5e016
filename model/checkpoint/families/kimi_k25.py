"""Kimi K2.5: a picture encoder before Kimi K2; the text part is read, whose config is nested in `text_config`."""

from dataclasses import replace

from model.checkpoint.families import deepseek_v3
from model.checkpoint.families.keys import Keys
from model.config import ModelConfig

TEXT = "text_config"
_TEXT_TYPES = ("kimi_k2", "deepseek_v3")
_PICTURES = ("vision_tower.", "mm_projector.", "multi_modal_projector.")


def parse(keys: Keys, notes: list[str]) -> ModelConfig:
    """The text model that the `text_config` of a `kimi_k25` config describes. Raises Problem."""
    if keys.get("model_type") not in (None, *_TEXT_TYPES):
        keys.refuse("model_type", " or ".join(_TEXT_TYPES))
    notes.append("Only the text part is run: the tensors for pictures are not read.")
    return replace(deepseek_v3.parse(keys, notes), family="Kimi K2.5", model_type="kimi_k25")


def canonical(stored: str) -> str | None:
    """The text part's names without their prefix, as published, or as transformers has or saves them."""
    if stored.removeprefix("model.").startswith(_PICTURES):
        return None
    if stored.startswith("model.language_model."):
        return "model." + stored.removeprefix("model.language_model.")
    return stored.removeprefix("language_model.").replace("model.blocks.", "model.layers.")
