"""What may stand on the command line."""

import argparse
from typing import NoReturn

from model.problems import Problem

DTYPES = ("auto", "float32", "bfloat16", "float16")
VIEWS = ("attention", "latents", "routing", "logits", "load", "memory")
CHECKPOINT = "checkpoint folder or .gguf file"
PICTURES = ("attention", "heads", "latents", "sums", "routing", "load", "memory")
MOST_GIGABYTES = 10**6
LARGEST = 2**63 - 1  # what the engine's frames, numpy and torch count with


class Parser(argparse.ArgumentParser):
    """Complains in one sentence instead of printing the usage."""

    def error(self, message: str) -> NoReturn:
        """Raise Problem."""
        raise Problem(f"{message}; `{self.prog} --help` lists what there is.")


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options; `command` is None for the window. Raises Problem; ends the process after --help."""
    parser = Parser(prog="python main.py", description="A window onto the inside of MLA + MoE language models.")
    _model(parser)
    parser.add_argument("--prompt", metavar="TEXT", help="run this prompt once the checkpoint is open")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    _inspect(commands.add_parser("inspect", help="describe a checkpoint from its headers"))
    _record(commands.add_parser("record", help="run a prompt and record what happens"))
    _data(commands.add_parser("data", help="write the numbers behind a view of a recording to an .npz file"))
    _render(commands.add_parser("render", help="paint a view of a recording to a picture"))
    _verify(commands.add_parser("verify", help="prove rebuilt attention and absorbed decoding on a checkpoint"))
    _profile(commands.add_parser("profile", help="count what each expert is chosen for, over a folder of texts"))
    _bench(commands.add_parser("bench", help="measure speed"))
    return parser.parse_args(arguments)


def whole(text: str) -> int:
    """A whole number that fits into 64 bits."""
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number") from None
    if abs(value) > LARGEST:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is too large")
    return value


def token_range(text: str) -> tuple[int | None, int | None]:
    """A:B, either of which may be left out."""
    start, colon, end = text.partition(":")
    if not colon or not all(part == "" or (part.isascii() and part.isdecimal()) for part in (start, end)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a range of tokens such as 0:64")
    return (whole(start) if start else None, whole(end) if end else None)


def numbers(text: str) -> list[int]:
    """Whole numbers with commas between them."""
    try:
        return [whole(part) for part in text.split(",")]
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error} in {text[:80]!r}; give a list such as 5,7,9") from None


def path(text: str) -> str:
    """The name of a file or folder; an empty one would silently mean the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty")
    return text


def gigabytes(text: str) -> int:
    """A positive number of GB (10^9 bytes), in bytes."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number of GB such as 8 or 7.5") from None
    if not 0.001 <= value <= MOST_GIGABYTES:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} GB is not between 0.001 and {MOST_GIGABYTES:,}")
    return round(value * 10**9)


def size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT in pixels."""
    parts = text.split("x")
    if len(parts) != 2 or not all(part.isascii() and part.isdecimal() and 0 < int(part) <= 20000 for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 1600x1000")
    return int(parts[0]), int(parts[1])


def _model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", metavar="DIR", type=path, help=f"{CHECKPOINT} (default: the bundled model)")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda[:N]", help="where the model runs")
    parser.add_argument("--dtype", default="auto", choices=DTYPES, help="dtype of weights, activations and cache")
    _budget(parser)


def _named(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", type=path, help=CHECKPOINT)
    _budget(parser)


def _budget(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--budget",
        type=gigabytes,
        default=0,
        metavar="GB",
        help="memory that the weights may keep, the rest is read from the files (default: chosen from what is free)",
    )


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _inspect(parser: argparse.ArgumentParser) -> None:
    _named(parser)
    _json(parser)


def _record(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    prompt = parser.add_mutually_exclusive_group(required=True)
    prompt.add_argument("--prompt", metavar="TEXT")
    prompt.add_argument("--prompt-file", metavar="F", help="UTF-8 text")
    prompt.add_argument("--token-ids", metavar="5,7,9", type=numbers, help="fed as they are, no BOS")
    prompt.add_argument("--token-ids-file", metavar="F", type=path, help="the same in a file, for very many")
    parser.add_argument("--chat", action="store_true", help="put the prompt into the checkpoint's chat template")
    parser.add_argument("--system", metavar="TEXT", help="system message before the prompt; needs --chat")
    parser.add_argument("--max-new-tokens", type=whole, default=64, metavar="N")
    parser.add_argument("--greedy", action="store_true", help="always the likeliest token (the default)")
    parser.add_argument(
        "--temperature", type=float, metavar="X", help="sample (1 when only --top-p or --top-k is given)"
    )
    parser.add_argument("--top-p", type=float, metavar="X")
    parser.add_argument("--top-k", type=whole, metavar="N")
    parser.add_argument("--seed", type=whole, default=0, metavar="S")
    parser.add_argument("--keep-logits", action="store_true", help="record the logits of every token too")
    parser.add_argument("--self-contained", action="store_true", help="record the projections, however large")
    parser.add_argument("--out", required=True, type=path, metavar="RUN", help="the run's folder")
    _json(parser)


def _selectors(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", metavar="RUN", type=path, help="run folder")
    parser.add_argument("--layer", type=whole, metavar="L", help="attention block, from 0")
    parser.add_argument("--head", type=whole, metavar="H", help="head, from 0")
    parser.add_argument("--queries", type=token_range, default=(None, None), metavar="A:B")
    parser.add_argument("--keys", type=token_range, default=(None, None), metavar="C:D")
    parser.add_argument(
        "--devices", type=whole, metavar="N", help="simulated devices (default: the model's groups, else 8)"
    )
    parser.add_argument("--placement", default="contiguous", metavar="contiguous|round-robin|eplb")
    parser.add_argument("--replicas", type=whole, metavar="P")
    parser.add_argument("--nodes", type=whole, metavar="N")


def _data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("view", choices=VIEWS)
    _selectors(parser)
    parser.add_argument("--out", required=True, type=path, metavar="F.npz")
    _json(parser)


def _render(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("view", choices=PICTURES)
    _selectors(parser)
    parser.add_argument("--size", type=size, default=(1600, 1000), metavar="1600x1000")
    parser.add_argument("--scale", type=float, default=1.0, metavar="2", help="pixels per point, 1 to 4")
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    parser.add_argument("--out", required=True, type=path, metavar="F.png|.svg|.pdf")
    _json(parser)


def _verify(parser: argparse.ArgumentParser) -> None:
    _named(parser)
    _json(parser)


def _profile(parser: argparse.ArgumentParser) -> None:
    _named(parser)
    parser.add_argument("--texts", required=True, type=path, metavar="FOLDER", help="text files, one a domain")
    parser.add_argument("--tokens", type=whole, default=8192, metavar="N", help="tokens to read of each text at most")
    parser.add_argument("--title", default="", metavar="WORDS", help="what the texts are (default: the folder's name)")
    parser.add_argument("--out", required=True, type=path, metavar="FILE", help="JSON; DIR/experts.json is found again")
    _json(parser)


def _bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("decode", "prefill", "growth", "attention", "fly", "large", "table", "window"))
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--checkpoint", metavar="DIR", type=path, help="checkpoint folder (default: the bundled model)")
    model.add_argument(
        "--shape",
        choices=("tiny", "mid", "v2-lite", "v2", "bundled"),
        help="random weights: 17 M parameters, or 0.6 B; for attention v2-lite (the default), v2 or bundled",
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "bfloat16", "bf16"),
        help="default float32; for attention bf16, where the processor multiplies it faster",
    )
    parser.add_argument("--device", default="cpu", metavar="cpu|cuda[:N]", help="decode, attention: where it runs")
    parser.add_argument("--plot", metavar="F.svg", type=path, help="attention: measure 1,024 … --tokens, draw times")
    parser.add_argument("--context", type=numbers, default=[64, 2048], metavar="64,2048", help="tokens before decoding")
    parser.add_argument(
        "--tokens",
        type=numbers,
        metavar="N",
        help="to generate (decode, window: 64, growth: 20000); lengths (prefill: 512,2048, attention: 8192,32768; fly)",
    )
    parser.add_argument("--peer-llama", metavar="BIN", type=path, help="a llama-bench of llama.cpp, for decode")
    parser.add_argument("--peer-gguf", metavar="FILE", type=path, help="the same model for it")
    parser.add_argument("--out", metavar="DIR", type=path, default="out/bench", help="where `table` writes its JSON")
    parser.add_argument("--folder", metavar="DIR", type=path, help="where `large` puts 31 GB for a while")
    _budget(parser)
    _json(parser)
