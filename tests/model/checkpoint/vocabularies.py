"""Small byte-level vocabularies trained on the spot, as tokenizer.json, as tiktoken ranks and as GGUF keys."""

import base64
import json
from pathlib import Path

import tokenizers
from gguf import GGUFWriter
from tokenizers import Regex, decoders, models, pre_tokenizers, trainers

TEXT = (
    "Hello world, it's 12345 o'clock; WE'LL go HOME now!\n\n  def f(x):\n    return x ** 2\n"
    "The quick brown fox jumps over 99 lazy dogs. Ça va très bien, Größe und Maß. Привет, мир!\n"
    "你好，世界！今天的天气很好。我们一起去北京大学看看吧。カタカナとひらがな 한국어 텍스트\r\n\t\tα+β=γ ∑ 3.14159\n"
)
TEXTS = (
    TEXT,
    "  hello  world  ",
    "ABCabcÀÉ don't DON'T x'LL",
    "a你b好c，12世3界4567",
    "\n\n\n \n\t end   ",
    "𝒜𝓑 1\u0301 ﬁ ¼ ½ ٣٤٥ e\u0301\u0302!?...---===",
    "user@example.com https://x.y/z?q=1&r=2#s $$$ ~~~ ``` {}[]<>",
    "👋🏽👨‍👩‍👧 zero\u200bwidth\u202e rtl \x00\x7f",
    "ゟヿ〇々〆ｱｲｳ ＡＢＣ！？　全角",
    "",
)


def train(patterns: list[str], *, size: int = 600) -> tokenizers.Tokenizer:
    """A byte-level BPE whose text is cut by these patterns, one after another."""
    library = tokenizers.Tokenizer(models.BPE())
    cuts = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]
    library.pre_tokenizer = pre_tokenizers.Sequence([*cuts, pre_tokenizers.ByteLevel(False, use_regex=False)])
    library.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=sorted(alphabet), show_progress=False)
    library.train_from_iterator([TEXT] * 3, trainer)
    return library


def described(library: tokenizers.Tokenizer) -> tuple[list[str], list[list[str]]]:
    """Tokens by id, and merges."""
    model = json.loads(library.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].__getitem__), [list(pair) for pair in model["merges"]]


def write_ranks(path: Path, tokens: list[bytes]) -> Path:
    """`tiktoken.model`."""
    lines = (base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens))
    path.write_bytes(b"".join(lines))
    return path


def write_gguf(
    path: Path,
    tokens: list[str],
    merges: list[str],
    *,
    pre: str | None,
    types: list[int] | None = None,
    bos: int | None = None,
    model: str = "gpt2",
) -> Path:
    """A GGUF file with a vocabulary and nothing else."""
    writer = GGUFWriter(path, "deepseek2")
    writer.add_tokenizer_model(model)
    if pre is not None:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_merges(merges)
    if types is not None:
        writer.add_token_types(types)
    if bos is not None:
        writer.add_bos_token_id(bos)
        writer.add_add_bos_token(True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path
