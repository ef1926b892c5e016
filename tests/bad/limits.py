"""What must be true of anything that a reader accepts, said a second time and independently of the readers."""

from math import prod

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from model.checkpoint.gguf.container import Container
from model.tensorfile import TENSOR_LIMIT, Entry, Header

ELEMENT_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64, "C64": 64,
}  # fmt: skip


def check_header(header: Header) -> None:
    """Every limit of a safetensors header, and byte ranges that tile the data exactly."""
    assert header.data_start <= 8 + 32 * 2**20
    assert len(header.entries) <= TENSOR_LIMIT
    for name, entry in header.entries.items():
        _check_entry(name, entry, most_dimensions=8, smallest=0)
        assert prod(entry.shape) * ELEMENT_BITS[entry.dtype] == 8 * (entry.end - entry.start)
    assert _tiled(list(header.entries.values()), alignment=1) == header.file_bytes - header.data_start


def check_container(container: Container) -> None:
    """Every limit of a GGUF container, and byte ranges that tile the data but for padding."""
    alignment = container.metadata.get("general.alignment", 32)
    assert isinstance(alignment, int)
    assert alignment.bit_count() == 1
    assert not container.tensors or container.data_start % alignment == 0
    assert container.data_start <= 64 * 2**20 + alignment
    assert len(container.metadata) <= 10_000
    assert len(container.tensors) <= TENSOR_LIMIT
    for key, value in container.metadata.items():
        assert key.isprintable()
        assert len(key.encode()) <= 512 * 3  # what is no UTF-8 grows to U+FFFD
        assert not isinstance(value, str) or len(value) <= 2**20
    for name, entry in container.tensors.items():
        _check_entry(name, entry, most_dimensions=4, smallest=1)
        elements, size = GGML_QUANT_SIZES[GGMLQuantizationType[entry.dtype]]
        assert entry.shape[-1] % elements == 0
        assert prod(entry.shape) // elements * size == entry.end - entry.start
    if container.tensors:
        assert (
            container.data_start + _tiled(list(container.tensors.values()), alignment=alignment) <= container.file_bytes
        )


def _check_entry(name: str, entry: Entry, *, most_dimensions: int, smallest: int) -> None:
    assert name
    assert name.isprintable()
    assert len(name.encode()) <= 512 * 3
    assert len(entry.shape) <= most_dimensions
    assert all(type(size) is int and smallest <= size <= 2**31 for size in entry.shape)
    assert 0 <= entry.start <= entry.end <= 2**62 * 2


def _tiled(entries: list[Entry], *, alignment: int) -> int:
    """Where the last range ends, when each begins where the one before it ended."""
    end = 0
    for entry in sorted(entries, key=lambda entry: (entry.start, entry.end)):
        assert entry.start == -(-end // alignment) * alignment
        end = entry.end
    return end
