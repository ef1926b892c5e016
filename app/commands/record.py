"""`record`: run a prompt on a checkpoint and leave a run folder."""

from argparse import Namespace
from pathlib import Path

import numpy as np

from app.bundled import checkpoint_path
from app.commands.conversation import Conversation
from app.commands.output import show
from app.commands.progress import told
from model.config import Sampling
from model.messages import Finished, Generate, Grown, OpenCheckpoint, Started
from model.outside import read_bounded
from model.problems import Problem
from widgets.prompt.prompt_request import parse_token_ids

PROMPT_LIMIT = 2 * 10**6  # bytes
TOKEN_IDS_LIMIT = 12 * 10**6
EXPERT_COUNTERS = ("expert_hits", "expert_misses", "bytes_read")


def run(options: Namespace) -> int:
    """Record and print the summary. Raises Problem for input that will not do, or a run that broke off."""
    _check_chat(options)
    generate = Generate(
        prompt=_prompt(options),
        token_ids=_token_ids(options),
        chat=options.chat,
        system=options.system or "",
        max_new_tokens=options.max_new_tokens,
        sampling=_sampling(options),
        folder=str(Path(options.out).expanduser().absolute()),
        keep_logits=options.keep_logits,
        self_contained=options.self_contained,
    )
    checkpoint = checkpoint_path(options.checkpoint)
    with Conversation() as engine:
        engine.last(
            OpenCheckpoint(path=checkpoint, device=options.device, dtype=options.dtype, budget_bytes=options.budget)
        )
        events = list(told(engine.ask(generate)))
        kept = engine.most_unreclaimable_bytes
    finished = events[-1]
    assert isinstance(finished, Finished)
    if finished.reason == "failed":
        raise Problem(finished.note)
    grown = [event for event in events if isinstance(event, Grown)]
    folder = next(event.info.folder for event in events if isinstance(event, Started))
    result = _result(folder, checkpoint, grown, finished)
    show(result | {"peak_unreclaimable_bytes": kept}, as_json=options.json)
    return 0


def _result(folder: str, checkpoint: str, grown: list[Grown], finished: Finished) -> dict[str, object]:
    fed = np.concatenate([event.tokens.ids.numpy() for event in grown]).tolist()
    chosen = [token for event in grown for token in event.steps.chosen_ids.numpy().tolist() if token >= 0]
    steps = grown[-1].steps
    return {
        "run": folder,
        "checkpoint": checkpoint,
        # The last generated token is never fed.
        "prompt_ids": fed[: len(fed) - max(len(chosen) - 1, 0)],
        "generated_ids": chosen,
        "text": finished.text,
        "reason": finished.reason,
        "tokens": len(fed),
        "kv_bytes": int(steps.measured_bytes.numpy()[-1]),
        "kv_used_bytes": int(steps.used_bytes.numpy()[-1]),
        "prefill_seconds": finished.prefill_seconds,
        "decode_tokens_per_second": finished.decode_tokens_per_second,
        **{name: _sum(grown, name) for name in EXPERT_COUNTERS},
        "recording_bytes": _folder_bytes(Path(folder)),
        "note": finished.note,
    }


def _sum(grown: list[Grown], column: str) -> int:
    return sum(int(getattr(event.steps, column).numpy().sum()) for event in grown)


def _folder_bytes(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in folder.iterdir() if entry.is_file())


def _prompt(options: Namespace) -> str:
    return str(options.prompt or "") if options.prompt_file is None else _read(options.prompt_file, PROMPT_LIMIT)


def _token_ids(options: Namespace) -> list[int] | None:
    """Those of the command line, or of a file: a command line holds no more than some 25,000 of them."""
    if options.token_ids_file is None:
        return options.token_ids  # type: ignore[no-any-return]
    read = parse_token_ids(_read(options.token_ids_file, TOKEN_IDS_LIMIT))
    if read.wrong_word:
        raise Problem(
            f"{read.wrong_word!r} (word {read.wrong_place}) in {options.token_ids_file} is not a token id; "
            "write whole numbers apart by commas or spaces."
        )
    return list(read.ids)


def _read(name: str, limit: int) -> str:
    path = Path(name).expanduser()
    try:
        return read_bounded(path, limit=limit).decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(f"{path} is not UTF-8 text; save it as UTF-8.") from None


def _check_chat(options: Namespace) -> None:
    if options.system is not None and not options.chat:
        raise Problem("--system is a part of a chat; add --chat, or leave it out.")
    if options.chat and (options.token_ids is not None or options.token_ids_file is not None):
        raise Problem("--token-ids are fed as they are, so --chat does not go with them; leave one of them out.")


def _sampling(options: Namespace) -> Sampling:
    filters = options.top_p is not None or options.top_k is not None
    if options.greedy and (filters or options.temperature is not None):
        raise Problem("--greedy and --temperature, --top-p or --top-k exclude each other; leave one of them out.")
    temperature = options.temperature
    if temperature is None:
        temperature = 1.0 if filters else 0.0
    top_p = 1.0 if options.top_p is None else options.top_p
    sampling = Sampling(temperature=temperature, top_p=top_p, top_k=options.top_k or 0, seed=options.seed)
    problem = sampling.problem()
    if problem is not None:
        raise Problem(f"{problem}; choose another value.")
    return sampling
