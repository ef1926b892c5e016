"""The open model, and how one is opened."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.folder import read_checkpoint
from model.checkpoint.loading import loading
from model.checkpoint.summary import free_bytes, summarise, weight_bytes
from model.checkpoint.tokenizer import Tokenizer, read_tokenizer
from model.config import DtypeName
from model.engine.agenda import Work
from model.messages import CheckpointSummary, DtypeChoice, Loading, OpenCheckpoint, Opened
from model.network.decoder import Decoder
from model.problems import Problem

# Up to this size float32 fits anywhere, is exact, and on most processors as fast as a narrow dtype.
FLOAT32_BYTES = 2 * 2**30


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
    """Load a checkpoint in pieces and hand it to `keep`. Raises Problem; drop it to cancel."""
    began = time.monotonic()
    checkpoint = read_checkpoint(command.path)
    device = choose_device(command.device)
    dtype = choose_dtype(command.dtype, checkpoint, device)
    _check_memory(checkpoint, dtype, device)
    tokenizer = read_tokenizer(checkpoint.path, vocab_size=checkpoint.config.vocab_size)
    summary = summarise(checkpoint, dtype=dtype)
    pieces = loading(checkpoint, dtype=dtype, device=device)
    while True:
        try:
            done, total = next(pieces)
        except StopIteration as finished:
            decoder: Decoder = finished.value
            break
        yield Loading(request=command.request, done=done, total=total)
    keep(OpenModel(checkpoint, summary, decoder, tokenizer, dtype))
    seconds = time.monotonic() - began
    yield Opened(request=command.request, summary=summary, device=str(device), dtype=dtype, seconds=seconds)


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
    """The dtype behind "auto": float32 for what is small and runs on the CPU, otherwise the file's own."""
    if choice != "auto":
        return choice
    small = weight_bytes(checkpoint, dtype="float32") <= FLOAT32_BYTES
    return "float32" if device.type == "cpu" and small else checkpoint.dtype


def _check_memory(checkpoint: Checkpoint, dtype: DtypeName, device: torch.device) -> None:
    needed = weight_bytes(checkpoint, dtype=dtype)
    free = free_bytes() if device.type == "cpu" else torch.cuda.mem_get_info(device)[0]
    if needed > free:
        raise Problem(
            f"{checkpoint.path} needs {needed / 1e9:.1f} GB in {dtype}, and {device} has {free / 1e9:.1f} GB free; "
            "choose a smaller dtype or another device."
        )
