"""From what a person typed to the token ids that the model is fed."""

from model.engine.opened import OpenModel
from model.messages import Generate
from model.problems import Problem

TITLE_CHARACTERS = 60


def prompt_ids(command: Generate, model: OpenModel) -> list[int]:
    """Token ids of a prompt, or those given, as they are. Raises Problem for what the model cannot be fed."""
    ids = _encoded(command, model) if command.token_ids is None else list(command.token_ids)
    if not ids:
        raise Problem("The prompt is empty and nothing begins it; type some text or give token ids.")
    config = model.checkpoint.config
    for token in ids:
        if not 0 <= token < config.vocab_size:
            raise Problem(f"Token id {token} is not in this vocabulary; use ids from 0 to {config.vocab_size - 1}.")
    context = config.max_position_embeddings
    if len(ids) > context:
        raise Problem(f"The prompt has {len(ids)} tokens and the model's context holds {context}; shorten the prompt.")
    return ids


def title(command: Generate) -> str:
    """What a run is called: the beginning of its prompt on one line."""
    if command.token_ids is not None:
        return f"{len(command.token_ids)} token ids"
    return " ".join(command.prompt[: 4 * TITLE_CHARACTERS].split())[:TITLE_CHARACTERS]


def _encoded(command: Generate, model: OpenModel) -> list[int]:
    if model.tokenizer is None:
        raise Problem("This checkpoint has no tokenizer; give token ids instead of text.")
    ids = model.tokenizer.encode(command.prompt, parse_control=command.parse_control_tokens)
    bos = model.checkpoint.config.bos_token_id
    return [bos] if not ids and bos is not None else ids
