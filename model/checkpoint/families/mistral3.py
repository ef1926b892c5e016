"""Mistral 4 behind a picture encoder, under the model type of Mistral 3; the text part is read."""

from dataclasses import replace

from model.checkpoint.families import mistral4, text_part
from model.checkpoint.families.keys import Keys
from model.config import ModelConfig


def parse(keys: Keys, notes: list[str]) -> ModelConfig:
    """The text model that the `text_config` of a `mistral3` config describes. Raises Problem."""
    text_part.check(keys, notes, "mistral4")
    return replace(mistral4.parse(keys, notes), model_type="mistral3")
