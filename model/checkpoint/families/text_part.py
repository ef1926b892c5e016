"""Models that see pictures: their text part's names have a prefix, and its config is nested in `text_config`."""

from model.checkpoint.families.keys import Keys

TEXT = "text_config"
_PICTURES = ("vision_tower.", "mm_projector.", "multi_modal_projector.")


def check(keys: Keys, notes: list[str], *model_types: str) -> None:
    """Refuse a text part of another family, and note what is left out. Raises Problem."""
    keys.word("model_type", *model_types)
    notes.append("Only the text part is run: the tensors for pictures are not read.")


def canonical(stored: str) -> str | None:
    """The text part's names without their prefix, as published, or as transformers has or saves them."""
    if stored.removeprefix("model.").startswith(_PICTURES):
        return None
    if stored.startswith("model.language_model."):
        return "model." + stored.removeprefix("model.language_model.")
    return stored.removeprefix("language_model.").replace("model.blocks.", "model.layers.")
