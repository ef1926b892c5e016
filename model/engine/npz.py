"""Writing an .npz file block by block, so arrays larger than memory can be exported."""

import os
import zipfile
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

from model.problems import Problem


class Stream(NamedTuple):
    """One array on its way: `blocks` follow one another along its leading axes, in C order."""

    name: str
    dtype: DTypeLike
    shape: tuple[int, ...]
    blocks: Iterable[NDArray[np.generic]]


def whole(name: str, values: NDArray[np.generic]) -> Stream:
    """An array that is already there."""
    return Stream(name, values.dtype, values.shape, (values,))


def write_npz(path: Path, streams: Sequence[Stream]) -> Generator[None, None, None]:
    """Write one file whole or not at all, in pieces. Raises Problem when the disk refuses."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(part, "w") as archive:
            for stream in streams:
                yield from _write(archive, stream)
        part.replace(path)
    except OSError as error:
        raise Problem(f"{path} cannot be written ({error.strerror or error}); choose another place.") from None
    finally:
        part.unlink(missing_ok=True)


def _write(archive: zipfile.ZipFile, stream: Stream) -> Generator[None, None, None]:
    dtype = np.dtype(stream.dtype)
    header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": stream.shape}
    with archive.open(f"{stream.name}.npy", "w", force_zip64=True) as file:
        npy.write_array_header_1_0(file, header)
        for block in stream.blocks:
            file.write(np.ascontiguousarray(block, dtype).tobytes())
            yield
