"""From what a person typed to the token ids that the model is fed."""

from functools import lru_cache
from pathlib import Path

from model.checkpoint.chat import ChatTemplate, chat_spans, read_template
from model.checkpoint.tokenizer import PROMPT_LIMIT, Span, Tokenizer
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
    if command.chat:
        return _chat(command, model, model.tokenizer)
    ids = model.tokenizer.encode(command.prompt, parse_control=command.parse_control_tokens)
    bos = model.checkpoint.config.bos_token_id
    return [bos] if not ids and bos is not None else ids


def _chat(command: Generate, model: OpenModel, tokenizer: Tokenizer) -> list[int]:
    """The prompt in the template. No BOS is put in front: the template writes what belongs there."""
    template = _template(model.checkpoint.path, model.checkpoint.fingerprint)
    if template is None:
        raise Problem("This checkpoint has no chat template; use a raw prompt.")
    # The template's process would not finish in time on what the tokenizer refuses anyway.
    if len(command.prompt) + len(command.system) > PROMPT_LIMIT:
        raise Problem(f"The prompt is longer than {PROMPT_LIMIT:,} bytes; shorten it.")
    spans = chat_spans(template, command.prompt, command.system, controls=tokenizer.controls)
    if command.parse_control_tokens:
        spans = [Span(span.text, typed=False) for span in spans]
    return tokenizer.encode_spans(spans)


@lru_cache(maxsize=2)
def _template(path: Path, _fingerprint: str) -> ChatTemplate | None:
    """Read once per model: in a GGUF file it lies among megabytes of other keys."""
    return read_template(path)
