"""`bench table`: every benchmark of the speed table one after the other, as JSON files and one Markdown table."""

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, NamedTuple

from app.commands.bench import measured
from app.commands.bench_attention import bench_attention
from app.commands.random_checkpoint import SHAPES, write_random_checkpoint
from model.config import DtypeName
from model.lens_messages import Arithmetic
from model.problems import Problem


class Row(NamedTuple):
    """One benchmark of a shape of random weights."""

    what: Literal["decode", "prefill", "growth", "attention"]
    shape: str
    dtype: DtypeName
    tokens: tuple[int, ...]
    contexts: tuple[int, ...] = (64, 2048)

    @property
    def name(self) -> str:
        """Also the name of its JSON file."""
        return f"{self.what}-{self.shape}-{self.dtype}"

    @property
    def command(self) -> str:
        """What measures it alone."""
        if self.what == "growth":
            return f"bench growth --tokens {self.tokens[0]}"
        tokens = ",".join(str(count) for count in self.tokens)
        return f"bench {self.what} --shape {self.shape} --dtype {self.dtype} --tokens {tokens}"


ROWS = (
    Row("decode", "tiny", "float32", (64,)),
    Row("prefill", "tiny", "float32", (512, 2048)),
    Row("decode", "mid", "float32", (24,)),
    Row("prefill", "mid", "float32", (512, 2048)),
    Row("decode", "mid", "bfloat16", (24,)),
    Row("prefill", "mid", "bfloat16", (512, 2048)),
    Row("growth", "long", "float32", (20_000,)),
    Row("attention", "v2-lite", "bfloat16", (8192, 32_768, 131_072)),
    Row("attention", "v2-lite", "float32", (8192, 32_768, 131_072)),
)


def bench_table(folder: Path, rows: Iterable[Row] = ROWS) -> int:
    """Measure every row, write `<row>.json` into `folder` and print the table. Raises Problem."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        results = dict(_measure(rows, folder))
    except OSError as error:
        raise Problem(f"{folder} cannot take the figures ({error.strerror or error}); name another --out.") from None
    print(markdown(results))
    return 0


def markdown(results: Mapping[Row, Mapping[str, Any]]) -> str:
    """One line for each figure: what, the figure, its peer, their ratio, the limit, whether it is kept, the command."""
    lines = [
        "| measure | figure | against | ratio | limit | kept | command |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row, result in results.items():
        for name, one in result.items():
            if isinstance(one, Mapping):
                lines.append(_line(row, name, one))
    return "\n".join(lines)


def kept(row: Row, ratio: float | None, limit: float | None) -> str:
    """ "yes" or "no"; growth must stay below its limit, everything else reach it; of attention the figure itself."""
    if ratio is None or limit is None:
        return ""
    return "yes" if (ratio <= limit if row.what == "growth" else ratio >= limit) else "no"


def _line(row: Row, name: str, one: Mapping[str, Any]) -> str:
    below = row.what == "growth" or (row.what == "attention" and one["unit"] in ("s", "MB"))
    sign = "≤" if below else "≥"
    held = one["ratio"]
    if row.what == "attention" and one["limit"] is not None:
        held = one["limit"] / one["value"] if below else one["value"] / one["limit"]
    cells = (
        f"{row.shape} {row.dtype}: {name.replace('_', ' ')}",
        f"{one['value']:,.4g} {one['unit']}",
        "" if one["peer"] is None else f"{one['peer']:,.4g}",
        "" if one["ratio"] is None else f"{one['ratio']:.2f}",
        "" if one["limit"] is None else f"{sign} {one['limit']:g}",
        kept(row, held, 1.0 if row.what == "attention" and one["limit"] else one["limit"]),
        f"`{row.command}`",
    )
    return f"| {' | '.join(cells)} |"


def _attention(row: Row, folder: Path) -> dict[str, Any]:
    print(f"{row.command} …", file=sys.stderr, flush=True)
    how: Arithmetic = "float32" if row.dtype == "float32" else "bf16"
    result: dict[str, Any] = bench_attention("v2-lite", tokens=row.tokens, arithmetic=how)
    (folder / f"{row.name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def _measure(rows: Iterable[Row], folder: Path) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Every row's figures. Rows of one model follow one another, and share its weights on disk."""
    for (shape, dtype), group in groupby(rows, key=lambda row: (row.shape, row.dtype)):
        if shape not in SHAPES:
            for row in group:
                yield row, _attention(row, folder)
            continue
        with tempfile.TemporaryDirectory(prefix="latent-loupe-bench-") as weights:
            write_random_checkpoint(Path(weights), SHAPES[shape], dtype=dtype)
            for row in group:
                print(f"{row.command} …", file=sys.stderr, flush=True)
                contexts, tokens = list(row.contexts), list(row.tokens)
                assert row.what != "attention"
                result: dict[str, Any] = measured(row.what, weights, dtype=dtype, contexts=contexts, tokens=tokens)
                (folder / f"{row.name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
                yield row, result
