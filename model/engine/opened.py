"""The open model, and how one is opened."""

import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec
import torch

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import loading
from model.checkpoint.not_finite import note_not_finite
from model.checkpoint.plan import TORCH_DTYPES, Plan, make_plan
from model.checkpoint.summary import summarise, weight_bytes
from model.checkpoint.tokenizer import Tokenizer
from model.checkpoint.trial import open_tokenizer
from model.config import DTYPE_BYTES, DtypeName
from model.engine import threads
from model.engine.agenda import Work
from model.messages import CheckpointSummary, DtypeChoice, Loading, OpenCheckpoint, Opened
from model.network.decoder import Decoder
from model.network.decoding import prepare
from model.problems import Problem

# Up to this size float32 fits anywhere, is exact, and on most processors as fast as a narrow dtype.
FLOAT32_BYTES = 2 * 2**30
ASIDE_SECONDS = 0.005  # between two looks whether something on a thread of its own is done
_FAST_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class OpenModel:
    """A checkpoint with its weights loaded."""

    checkpoint: Checkpoint
    summary: CheckpointSummary
    decoder: Decoder
    tokenizer: Tokenizer | None
    dtype: DtypeName

    @property
    def device(self) -> str:
        """Where it runs: "cpu" or "cuda:N"."""
        return str(self.decoder.device)

    def pieces(self, ids: list[int]) -> list[str]:
        """Each token's text; without a tokenizer its number."""
        return [f"#{token}" for token in ids] if self.tokenizer is None else self.tokenizer.pieces(ids)

    def text(self, ids: list[int]) -> str:
        """The text of several tokens; without a tokenizer nothing."""
        return "" if self.tokenizer is None else self.tokenizer.decode(ids)


def opening(command: OpenCheckpoint, keep: Callable[[OpenModel], None]) -> Work:
    """Load a checkpoint in pieces and hand it to `keep`. Raises Problem; drop it to cancel.

    The model that is open stays in memory until then. What it takes is not free, so a new one that does not fit
    beside it is paged, and refused when not even that is possible: nobody is left without a model.
    """
    began = time.monotonic()
    checkpoint = yield from aside(lambda: read_checkpoint(command.path))
    device = choose_device(command.device)
    dtype = choose_dtype(command.dtype, checkpoint, device)
    prepare(TORCH_DTYPES[dtype], device)
    plan = make_plan(checkpoint, dtype=dtype, device=device, budget_bytes=command.budget_bytes)
    _check_memory(checkpoint, plan)
    tokenizer, remarks = yield from aside(
        lambda: open_tokenizer(checkpoint.path, vocab_size=checkpoint.config.vocab_size)
    )
    checkpoint = replace(
        checkpoint,
        has_tokenizer=tokenizer is not None,
        has_chat_template=checkpoint.has_chat_template and tokenizer is not None,
        notes=[*checkpoint.notes, *remarks],
    )
    summary = summarise(checkpoint, dtype=dtype, plan=plan)
    pieces = loading(checkpoint, plan)
    while True:
        threads.use(threads.ALL)
        try:
            done, total = next(pieces)
        except StopIteration as finished:
            decoder: Decoder = finished.value
            break
        yield Loading(request=command.request, done=done, total=total)
    if note := (yield from note_not_finite(checkpoint)):
        summary = msgspec.structs.replace(summary, notes=[*summary.notes, note])
    keep(OpenModel(checkpoint, summary, decoder, tokenizer, dtype))
    yield Opened(
        request=command.request,
        summary=summary,
        device=str(device),
        dtype=dtype,
        seconds=time.monotonic() - began,
        budget_bytes=plan.budget_bytes,
    )


def aside(work: Callable[[], Result]) -> Generator[None, None, Result]:
    """Do what cannot pause, such as reading the headers of many files, on a thread; drop it to leave that alone."""
    thread = ThreadPoolExecutor(1, "aside")
    future = thread.submit(work)
    thread.shutdown(wait=False)
    while True:
        try:
            return future.result(ASIDE_SECONDS)
        except TimeoutError:
            if future.done():
                raise
        yield None


def choose_device(name: str) -> torch.device:
    """The device behind "auto", "cpu", "cuda" or "cuda:N". Raises Problem when it is not there."""
    count = torch.cuda.device_count()
    if name == "auto":
        return torch.device("cuda:0" if count else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    number = name.removeprefix("cuda").removeprefix(":") or "0"
    if not (name.startswith("cuda") and number.isdecimal() and number.isascii()):
        raise Problem(f"There is no device {name!r}; choose auto, cpu, cuda or cuda:N.")
    if int(number) >= count:
        raise Problem(f"Device {name} is not there: {count} CUDA devices were found; choose auto or cpu.")
    return torch.device("cuda", int(number))


def choose_dtype(choice: DtypeChoice, checkpoint: Checkpoint, device: torch.device) -> DtypeName:
    """The dtype behind "auto": float32 for what is small and runs on the CPU, otherwise the one that is stored.

    Formats that no device computes in are expanded to bfloat16, or to float32 on processors that are slow with it.
    """
    if choice != "auto":
        return choice
    if device.type == "cpu" and weight_bytes(checkpoint, dtype="float32") <= FLOAT32_BYTES:
        return "float32"
    stored = max(checkpoint.formats, key=lambda name: checkpoint.formats[name])
    for name in DTYPE_BYTES:
        if name == stored:
            return name
    fast = any(torch.cpu.get_capabilities().get(feature) for feature in _FAST_BFLOAT16)
    return "bfloat16" if fast or device.type != "cpu" else "float32"


def _check_memory(checkpoint: Checkpoint, plan: Plan) -> None:
    if not plan.fits:
        raise Problem(
            f"{checkpoint.path} needs {_size(plan.least_bytes)} in {plan.dtype} that cannot be given back "
            f"(weights {_size(plan.dense_bytes)}, one token's experts {_size(plan.fewest_slots * plan.expert_bytes)}, "
            f"a run {_size(plan.working_bytes)}), and {plan.device} may use {_size(plan.budget_bytes)}; "
            "raise the budget, close other programs, or choose another dtype or device."
        )


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.2f} MB"
