"""What a checkpoint is before any weight is read: its config, and where and how every tensor is stored."""

from dataclasses import dataclass
from pathlib import Path

from model.checkpoint.stored import Stored
from model.config import DtypeName, ModelConfig


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A folder or file as its headers describe it. `tensors` has exactly the names of `model.shapes.tensor_shapes`.

    `files` hold the weights and `file_bytes` counts them whole; `formats` counts the bytes of `tensors` by
    format. `fingerprint` is the SHA-256 of the config and of all headers.
    """

    path: Path
    name: str
    config: ModelConfig
    tensors: dict[str, Stored]
    dtype: DtypeName
    files: tuple[Path, ...]
    file_bytes: int
    formats: dict[str, int]
    notes: list[str]
    fingerprint: str
    has_tokenizer: bool
    has_chat_template: bool = False
