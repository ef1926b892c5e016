"""What views ask about a run's attention and latents at any length, and what they are told. Torch-free.

Questions that take long are answered in stages, each complete in itself and true to its label; the last has
`final` set. `rows` of a label counts queries: "64 of 131,072 rows". A newer question with the same `slot` takes
the place of an older one, which then ends at once, unanswered from there on.
"""

from typing import Literal

import msgspec

from model.config import ModelConfig
from model.message import Array, CellReduction, Message, Quantity

Arithmetic = Literal["float32", "bf16"]
HeadLabel = Literal["previous token", "first token", "induction", "same token", "local", "diffuse", "mixed"]
LatentFormat = Literal["int8", "fp8", "int6", "int4"]


class Minus(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Another head, of the same or another run, whose picture is subtracted cell by cell."""

    run: str
    layer: int
    head: int


# ---- commands --------------------------------------------------------------------------------------


class ShowPicture(Message, frozen=True, eq=False):
    """Attention of some heads over a rectangle, reduced to cells of cell = (queries, keys) tokens; PictureShown….

    The rectangle starts at (queries[0], keys[0]), and so do its cells. `reduction`: max, mean over the pairs that
    are seen, or sum: what a cell's keys get together, averaged over its queries (rows of cells then add up to 1).
    """

    run: str
    layer: int
    heads: list[int]
    queries: tuple[int, int]
    keys: tuple[int, int]
    cell: tuple[int, int]
    quantity: Quantity = "probability"
    reduction: CellReduction = "max"
    exact: bool = False  # float32 even where the processor multiplies bfloat16 faster
    slot: str = "map"
    minus: Minus | None = None


class ShowCell(Message, frozen=True, eq=False):
    """One query and one key of one head; answered by CellShown."""

    run: str
    layer: int
    head: int
    query: int
    key: int
    slot: str = "cell"


class SurveyHeads(Message, frozen=True, eq=False):
    """Thumbnails and statistics of all heads of `layers`, in that order; answered by HeadsSurveyed….

    `edge` cells along a thumbnail (0: statistics alone); `rows` queries are looked at, evenly spaced (0: every one).
    """

    run: str
    layers: list[int]
    edge: int = 96
    rows: int = 256
    quantity: Quantity = "probability"
    exact: bool = False
    slot: str = "survey"


class AggregateAttention(Message, frozen=True, eq=False):
    """What a head's rows add up to; answered by Aggregated…. `rows` evenly spaced queries, 0: every one."""

    run: str
    layer: int
    head: int
    rows: int = 0
    slot: str = "aggregate"


class ShowLatentMap(Message, frozen=True, eq=False):
    """c_kv of one layer over tokens × latent dimensions; answered by LatentMapShown. cell = tokens in a row."""

    run: str
    layer: int
    tokens: tuple[int, int]
    cell: int = 1
    slot: str = "latent map"


class ShowRanks(Message, frozen=True, eq=False):
    """Effective rank of every layer's latents; answered by RanksShown, one more layer each time."""

    run: str
    slot: str = "ranks"


class ShowReading(Message, frozen=True, eq=False):
    """Which latent dimensions the heads of a layer read; answered by ReadingShown."""

    run: str
    layer: int
    slot: str = "reading"


class MeasureDrift(Message, frozen=True, eq=False):
    """How far maps move when latents are kept in fewer bits; answered by DriftShown….

    c_kv is rounded in blocks of 128 numbers of a token, each with a float32 scale; k_rope too with `rope`
    (serving systems leave it alone). `rows` evenly spaced queries over all the keys they see, 0: every one.
    """

    run: str
    layer: int
    heads: list[int]
    formats: list[LatentFormat]
    rope: bool = False
    rows: int = 64
    slot: str = "drift"


class AskHeads(Message, frozen=True, eq=False):
    """Which heads of all layers connect two tokens (key ≤ query); answered by HeadsAsked, one more layer each time."""

    run: str
    query: int
    key: int
    slot: str = "ask"


class MeasureAttention(Message, frozen=True, eq=False):
    """Time pictures of synthetic latents of one layer of `config`; answered by Measured.

    Simulated: random numbers in the shapes and dtype of a real run. `full` also goes through every row. held: the time
    and memory of the same picture from a T × T array of every head, as programs make it that keep attention.
    """

    config: ModelConfig
    tokens: int
    arithmetic: Arithmetic = "bf16"
    full: bool = True
    device: str = "cpu"  # as in OpenCheckpoint
    what: Literal["pictures", "held"] = "pictures"


Question = (
    ShowPicture
    | ShowCell
    | SurveyHeads
    | AggregateAttention
    | ShowLatentMap
    | ShowRanks
    | ShowReading
    | MeasureDrift
    | AskHeads
)


# ---- events ----------------------------------------------------------------------------------------


class PictureShown(Message, frozen=True, eq=False):
    """One stage of a picture: values float32 [heads, rows of cells, columns of cells], NaN where no query sees a key.

    A sampled stage fills the rows between two sampled queries with the later one. With `minus` the values are
    differences. `rows_done` of `rows_total` queries are in it.
    """

    run: str
    layer: int
    heads: list[int]
    queries: tuple[int, int]
    keys: tuple[int, int]
    cell: tuple[int, int]
    quantity: Quantity
    reduction: CellReduction
    values: Array
    rows_done: int
    rows_total: int
    arithmetic: Arithmetic
    final: bool
    seconds: float  # since the engine began with this question
    kept_bytes: int  # keys, normalisers and pictures that the engine keeps for later views
    bf16_error: float = 0.0  # largest difference of a probability from float32's, on some rows; 0: not measured yet
    slot: str = "map"
    minus: Minus | None = None


class CellShown(Message, frozen=True, eq=False):
    """A cell. Scores are scaled, before softmax; rank 1 is the key with the most of `seen` keys."""

    run: str
    layer: int
    head: int
    query: int
    key: int
    probability: float
    content: float
    position: float
    rank: int
    seen: int
    slot: str = "cell"


class HeadStatistics(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """float32 [heads] each: means over the queries looked at; NaN where no query qualifies.

    entropy in nats; diffuseness is entropy / ln(keys seen), 0 … 1; distance in tokens; the rest are shares of
    attention, 0 … 1: sink on the first token (queries after it), previous on the token before, induction on tokens
    that followed earlier occurrences of the query's token, same on those earlier occurrences, local on the last 8
    tokens (the query's own among them; queries that see 16 or more). content is var / (var + var) of content
    and position scores over the keys seen. labels [heads] and their scores float32 [heads].
    """

    entropy: Array
    diffuseness: Array
    distance: Array
    sink: Array
    previous: Array
    induction: Array
    same: Array
    local: Array
    content: Array
    labels: list[HeadLabel]
    scores: Array


class HeadsSurveyed(Message, frozen=True, eq=False):
    """Some heads of one layer: values float32 [heads, edge, edge] or fewer cells, of max; NaN where masked.

    `done` of `total` heads have been told with this event. Few heads come at a time, the first ones soon.
    """

    run: str
    layer: int
    heads: list[int]
    tokens: int
    cell: tuple[int, int]
    quantity: Quantity
    values: Array
    statistics: HeadStatistics
    rows_done: int
    rows_total: int
    arithmetic: Arithmetic
    done: int
    total: int
    final: bool
    slot: str = "survey"


class Aggregated(Message, frozen=True, eq=False):
    """One stage; queries int64 [n] are those looked at.

    received float64 [T]: attention that each key got from them; seen int64 [T]: how many of them see it (mean
    attention is received / seen). entropy float32 [n] in nats. distance float64 [b]: share of attention on
    distances edges[i] … edges[i + 1] − 1 tokens, edges int64 [b + 1] = 0, 1, 2, 4, 8, …; the shares add up to 1.
    content_variance, position_variance, covariance float32 [n]: of the two scores over the keys a query sees.
    sinks int64 [≤ 8]: keys with the most mean attention, of those that half of the queries see, best first.
    """

    run: str
    layer: int
    head: int
    queries: Array
    received: Array
    seen: Array
    entropy: Array
    distance: Array
    edges: Array
    content_variance: Array
    position_variance: Array
    covariance: Array
    sinks: Array
    rows_done: int
    rows_total: int
    final: bool
    slot: str = "aggregate"


class LatentMapShown(Message, frozen=True, eq=False):
    """values float32 [rows, C]: of each `cell` tokens the value farthest from 0, with its sign.

    norms float32 [rows, 2]: least and greatest ‖c_kv‖ of those tokens; rope_norms the same of k_rope.
    mean, deviation float32 [C]: over the tokens asked for.
    """

    run: str
    layer: int
    tokens: tuple[int, int]
    cell: int
    values: Array
    norms: Array
    rope_norms: Array
    mean: Array
    deviation: Array
    slot: str = "latent map"


class RanksShown(Message, frozen=True, eq=False):
    """ranks float32 [layers]: exp of the entropy of normalised singular values; NaN not yet known.

    spectra float32 [layers, C]: singular values of all tokens' c_kv, not centred, largest first; NaN not yet known.
    """

    run: str
    tokens: int
    ranks: Array
    spectra: Array
    done: int
    total: int
    final: bool
    slot: str = "ranks"


class ReadingShown(Message, frozen=True, eq=False):
    """norms float32 [H, C]: of W_UK's column for each latent dimension; singular float32 [H, min(N, C)] of W_UK."""

    run: str
    layer: int
    norms: Array
    singular: Array
    slot: str = "reading"


class DriftShown(Message, frozen=True, eq=False):
    """mean and worst float32 [heads, formats]: total variation Σ|p − p′| / 2 over the queries looked at, 0 … 1.

    bytes int64 [formats]: of a token's latents of one layer in that format, scales included.
    """

    run: str
    layer: int
    heads: list[int]
    formats: list[LatentFormat]
    rope: bool
    mean: Array
    worst: Array
    bytes: Array
    rows_done: int
    rows_total: int
    final: bool
    slot: str = "drift"


class HeadsAsked(Message, frozen=True, eq=False):
    """float32 [layers, H] each, int32 ranks; NaN and 0 where a layer is not done. Scores as in CellShown."""

    run: str
    query: int
    key: int
    probability: Array
    content: Array
    position: Array
    rank: Array
    done: int
    total: int
    final: bool
    slot: str = "ask"
