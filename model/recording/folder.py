"""Opening a run folder: every chunk that is whole, from the first on, and a note about the rest. Torch-free."""

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from model.problems import Problem
from model.recording.chunk_file import FileChunk, OpenFiles, open_chunk
from model.recording.columns import CHUNK_TOKENS, columns
from model.recording.manifest import CHUNK_NAME, Manifest, is_plain_file, read_manifest


class OpenedFolder(NamedTuple):
    """A checked manifest, the chunks that can be read, and sentences about what is missing."""

    manifest: Manifest
    chunks: list[FileChunk]
    notes: list[str]


def open_folder(folder: Path) -> OpenedFolder:
    """Read a run folder. Chunks are taken in order until one is not whole; a chunk that the manifest does
    not know yet counts when its own checksum holds. Raises Problem when the manifest cannot be used."""
    manifest = read_manifest(folder)
    info = manifest.info
    table = columns(info.config, dtype=info.dtype, keep_logits=manifest.keep_logits, format=manifest.format)
    listed = {entry.name: entry.sha256 for entry in manifest.chunks}
    found = _chunk_names(folder)
    files = OpenFiles()
    chunks: list[FileChunk] = []
    trouble = ""
    for index in range(len(found)):
        chunk = None
        for tokens, name in sorted(found.get(index, []), reverse=True):
            try:
                chunk = open_chunk(
                    folder / name, table, files, tokens=tokens, config=manifest.info.config, sha=listed.get(name)
                )
            except (Problem, OSError) as problem:
                trouble = trouble or str(problem)
                continue
            break
        if chunk is not None:
            chunks.append(chunk)
        if chunk is None or chunk.tokens < CHUNK_TOKENS:
            break
    return OpenedFolder(manifest, chunks, _notes(manifest, chunks, found, trouble))


def _chunk_names(folder: Path) -> dict[int, list[tuple[int, str]]]:
    """Chunk files by index, each with its tokens. What has another name, or is a link, is not ours."""
    names: dict[int, list[tuple[int, str]]] = defaultdict(list)
    try:
        entries = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise Problem(f"{folder} cannot be read ({error.strerror}); check its permissions.") from None
    for name in entries:
        match = CHUNK_NAME.fullmatch(name)
        if match and 1 <= int(match[2]) <= CHUNK_TOKENS and is_plain_file(folder / name):
            names[int(match[1])].append((int(match[2]), name))
    return dict(names)


def _notes(
    manifest: Manifest, chunks: list[FileChunk], found: dict[int, list[tuple[int, str]]], trouble: str
) -> list[str]:
    recovered = sum(chunk.tokens for chunk in chunks)
    declared = manifest.chunks[-1].tokens[1] if manifest.chunks else 0
    seen = max((index * CHUNK_TOKENS + max(files)[0] for index, files in found.items()), default=0)
    expected = max(declared, seen if trouble else 0)
    if recovered < expected:
        return [f"recovered {recovered} of {expected} tokens" + (f": {trouble}" if trouble else "")]
    if manifest.finish is None:
        return [f"the run was cut off; all {recovered} recorded tokens were recovered"]
    return []
