"""Everything that crosses between the window's process and the engine's. Torch-free, Qt-free, no pickle.

A Command asks, an Event tells. Every command carries a request number chosen by the asker, and every
answer repeats it, so late answers can be recognised. Frames are msgpack made by msgspec; arrays
travel as (dtype, shape, bytes). Nothing here may assume that both sides share memory or a disk.
"""

from typing import Any, Literal

import msgspec

from model.config import AttentionKind, ModelConfig, Sampling
from model.expert_profile import ExpertProfile
from model.lens_messages import AggregateAttention as AggregateAttention
from model.lens_messages import Aggregated as Aggregated
from model.lens_messages import AskHeads as AskHeads
from model.lens_messages import CellShown as CellShown
from model.lens_messages import DriftShown as DriftShown
from model.lens_messages import HeadsAsked as HeadsAsked
from model.lens_messages import HeadsSurveyed as HeadsSurveyed
from model.lens_messages import HeadStatistics as HeadStatistics
from model.lens_messages import LatentMapShown as LatentMapShown
from model.lens_messages import MeasureAttention as MeasureAttention
from model.lens_messages import MeasureDrift as MeasureDrift
from model.lens_messages import Minus as Minus
from model.lens_messages import PictureShown as PictureShown
from model.lens_messages import RanksShown as RanksShown
from model.lens_messages import ReadingShown as ReadingShown
from model.lens_messages import ShowCell as ShowCell
from model.lens_messages import ShowLatentMap as ShowLatentMap
from model.lens_messages import ShowPicture as ShowPicture
from model.lens_messages import ShowRanks as ShowRanks
from model.lens_messages import ShowReading as ShowReading
from model.lens_messages import SurveyHeads as SurveyHeads
from model.message import Array as Array
from model.message import CellReduction as CellReduction
from model.message import Message as Message
from model.message import Quantity as Quantity
from model.message import Reduction as Reduction

PROTOCOL = 1
FRAME_LIMIT = 256 * 2**20

View = Literal["attention", "latents", "routing", "logits", "load", "memory"]
DeviceName = str  # "auto", "cpu", "cuda" or "cuda:N"
DtypeChoice = Literal["auto", "float32", "bfloat16", "float16"]


# ---- what commands and events speak about ----------------------------------------------------------


class CheckpointSummary(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """A checkpoint as described from its headers alone, before any weight is read. Sizes in bytes."""

    path: str
    name: str
    config: ModelConfig
    parameters_total: int
    parameters_active: int
    kv_bytes_per_token: dict[str, int]  # mla, mha, gqa, mqa, in the run's dtype
    dtype: str
    file_bytes: int
    weight_bytes: int  # what the weights would take in memory, all of them in the run's dtype
    free_bytes: int
    has_tokenizer: bool
    notes: list[str]
    formats: dict[str, int] = msgspec.field(default_factory=dict)  # stored bytes by format: "bfloat16", "fp8 e4m3", …
    # What must stay in memory: weights that are converted, the expert cache, the router; mapped pages are not in it.
    resident_bytes: int = 0
    expert_cache_bytes: int = 0  # of them, the bounded cache of expanded experts; 0: experts need none
    largest_expert_bytes: int = 0  # one routed expert in the run's dtype
    fits: bool = True  # resident_bytes is within the budget
    has_chat_template: bool = False


class RunInfo(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What is fixed when a run starts, or known when a recording is opened."""

    run: str  # the engine's name for it, unique in this engine
    folder: str
    title: str
    model_name: str
    checkpoint_path: str
    config: ModelConfig
    dtype: str
    device: str
    sampling: Sampling
    prompt_tokens: int
    max_new_tokens: int
    attention_available: bool
    attention_reason: str = ""  # why not, one sentence
    started_at: float = 0.0  # seconds since the epoch


class TokenBatch(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Light columns of `n` tokens that the model was fed, from token number `first` on.

    ids int32 [n]; log_probability float32 [n], of this token given those before (NaN for the first);
    expert_ids int16 [n, M, A]; expert_weights float32 [n, M, A]; margins float32 [n, M].
    """

    first: int
    ids: Array
    texts: list[str]
    log_probability: Array
    expert_ids: Array
    expert_weights: Array
    margins: Array


class StepBatch(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Columns of `n` steps (prefill chunks and decoded tokens), from step number `first` on.

    tokens int64 [n], fed in all once the step is done; decode bool [n]; measured_bytes int64 [n], of the
    storages that hold the cache, reserve included; used_bytes int64 [n]; seconds float32 [n];
    expert_hits, expert_misses, bytes_read int64 [n]: routed experts at hand and brought in, and what was read for
    those (all 0 where every expert is always at hand);
    chosen_ids int32 [n], the id sampled after the step (−1: none); chosen_log_probability float32 [n];
    top_ids int32 [n, 5], top_log_probability float32 [n, 5]: the likeliest next tokens.
    """

    first: int
    tokens: Array
    decode: Array
    measured_bytes: Array
    used_bytes: Array
    seconds: Array
    expert_hits: Array
    expert_misses: Array
    bytes_read: Array
    chosen_ids: Array
    chosen_texts: list[str]
    chosen_log_probability: Array
    top_ids: Array
    top_texts: list[list[str]]
    top_log_probability: Array


# ---- commands --------------------------------------------------------------------------------------


class Describe(Message, frozen=True, eq=False):
    """Read a checkpoint's headers (a folder, or a GGUF file); answered by Described."""

    path: str
    dtype: DtypeChoice = "auto"
    device: DeviceName = "auto"
    budget_bytes: int = 0


class OpenCheckpoint(Message, frozen=True, eq=False):
    """Load a model; answered by Loading…, then Opened. The open model stays when this fails."""

    path: str
    device: DeviceName = "auto"
    dtype: DtypeChoice = "auto"
    budget_bytes: int = 0  # of memory that cannot be reclaimed (on CUDA: of the device); 0: the engine's default


class Generate(Message, frozen=True, eq=False):
    """Run the open model on a prompt or on token ids; answered by Started, Grown…, Finished."""

    prompt: str = ""
    token_ids: list[int] | None = None  # fed as they are, no BOS
    chat: bool = False  # the prompt is one user message, put into the checkpoint's chat template
    system: str = ""  # with `chat`: the system message, if any
    max_new_tokens: int = 64
    sampling: Sampling = Sampling()
    folder: str = ""  # where the run is recorded; empty: a temporary folder
    keep_logits: bool = False
    self_contained: bool = False
    parse_control_tokens: bool = False


class Stop(Message, frozen=True, eq=False):
    """End the request with this number (a run or a load) within one token; answered by its own last event."""

    target: int


class OpenRecording(Message, frozen=True, eq=False):
    """Open a run folder; answered by Started, Grown…, Finished, like a live run."""

    folder: str


class ShowAttention(Message, frozen=True, eq=False):
    """Rebuild attention of some heads for a range of queries and keys; answered by AttentionShown.

    At most `rows` × `columns` cells come back per head; a longer range is pooled by `reduction`.
    """

    run: str
    layer: int
    heads: list[int]
    queries: tuple[int, int]
    keys: tuple[int, int]
    rows: int
    columns: int
    quantity: Quantity = "probability"
    reduction: Reduction = "max"
    gallery: bool = False  # for the thumbnails; only repeated in the answer


class ShowRow(Message, frozen=True, eq=False):
    """All three quantities of one query of one head, over every key it sees; answered by RowShown."""

    run: str
    layer: int
    head: int
    query: int


class ShowScores(Message, frozen=True, eq=False):
    """Router scores of one MoE layer for a range of tokens; answered by ScoresShown."""

    run: str
    layer: int  # attention block number, not MoE row
    tokens: tuple[int, int]


class ShowLatents(Message, frozen=True, eq=False):
    """What the cache keeps of one layer for a range of tokens; answered by LatentsShown."""

    run: str
    layer: int
    tokens: tuple[int, int]


class Verify(Message, frozen=True, eq=False):
    """Prove the open model: rebuilt attention and absorbed path against the plain pass; answered by Verified."""


class Extract(Message, frozen=True, eq=False):
    """Write the numbers behind one view of a run to an npz file; answered by Extracted.

    `layer`, `head`, `queries` and `keys` select attention (None: all tokens), `layer` also latents,
    `devices` and `placement` the load; `devices` 0 is the model's own default.
    """

    run: str
    view: View
    file: str
    layer: int = 0
    head: int = 0
    queries: tuple[int, int] | None = None
    keys: tuple[int, int] | None = None
    devices: int = 0
    placement: Literal["contiguous", "round-robin"] = "contiguous"


class Measure(Message, frozen=True, eq=False):
    """Time the open model; answered by Measured.

    decode: `tokens` new ones after so many tokens of context. prefill: prompts of `contexts` tokens.
    growth: memory and time over one generation of `tokens`.
    """

    contexts: list[int]
    tokens: int = 64
    what: Literal["decode", "prefill", "growth"] = "decode"


class ProfileExperts(Message, frozen=True, eq=False):
    """Count what the open model's experts are chosen for; answered by Profiling…, then Profiled.

    `texts` is a folder of text files, one a domain, of each of which so many `tokens` are read at most; `title`
    says what they are (empty: the folder's name). With `file` the profile is also written there.
    """

    texts: str
    tokens: int = 8192
    title: str = ""
    file: str = ""


class ReadAbout(Message, frozen=True, eq=False):
    """What lies beside a checkpoint's weights: its card, licence and expert profile; answered by About."""

    path: str


class CompareAttentions(Message, frozen=True, eq=False):
    """Run one prompt through the four models of an attention study; answered by CacheGrown…, AttentionsCompared.

    `folder` holds one checkpoint for each kind: mha, gqa, mqa, mla. Greedy; an end of text does not end it.
    """

    folder: str
    prompt: str
    max_new_tokens: int = 96


class Shutdown(Message, frozen=True, eq=False):
    """End the engine."""


Command = (
    Describe
    | OpenCheckpoint
    | Generate
    | Stop
    | OpenRecording
    | ShowAttention
    | ShowRow
    | ShowScores
    | ShowLatents
    | ShowPicture
    | ShowCell
    | SurveyHeads
    | AggregateAttention
    | ShowLatentMap
    | ShowRanks
    | ShowReading
    | MeasureDrift
    | AskHeads
    | Verify
    | Extract
    | Measure
    | ProfileExperts
    | ReadAbout
    | MeasureAttention
    | CompareAttentions
    | Shutdown
)


# ---- events ----------------------------------------------------------------------------------------


class Ready(Message, frozen=True, eq=False):
    """The engine has imported what it needs and listens."""

    protocol: int = PROTOCOL
    devices: list[str] = msgspec.field(default_factory=list)
    threads: int = 1
    torch_version: str = ""


class Described(Message, frozen=True, eq=False):
    """The answer to Describe."""

    summary: CheckpointSummary


class Loading(Message, frozen=True, eq=False):
    """Progress of a load, in bytes."""

    done: int
    total: int


class Opened(Message, frozen=True, eq=False):
    """A model is loaded and ready."""

    summary: CheckpointSummary
    device: str
    dtype: str
    seconds: float
    budget_bytes: int = 0


class Started(Message, frozen=True, eq=False):
    """A run has begun, or a recording has been opened."""

    info: RunInfo


class Grown(Message, frozen=True, eq=False):
    """New light columns of a run; at most 30 a second. `recording_bytes`: memory and disk together."""

    run: str
    tokens: TokenBatch
    steps: StepBatch
    recording_bytes: int
    memory_bytes: int


class Finished(Message, frozen=True, eq=False):
    """A run has ended: `length`, `eos`, `stopped`, `opened` (a recording, all of it) or `failed`."""

    run: str
    reason: Literal["length", "eos", "stopped", "opened", "failed"]
    text: str
    prefill_seconds: float = 0.0
    decode_tokens_per_second: float = 0.0
    note: str = ""


class AttentionShown(Message, frozen=True, eq=False):
    """values float32 [heads, rows, columns]; NaN marks masked cells (keys after the query).

    A cell covers `cell` = (queries, keys) tokens; (1, 1) means every cell is exact.
    """

    run: str
    layer: int
    heads: list[int]
    queries: tuple[int, int]
    keys: tuple[int, int]
    quantity: Quantity
    reduction: Reduction
    cell: tuple[int, int]
    values: Array
    gallery: bool = False


class RowShown(Message, frozen=True, eq=False):
    """probabilities, content_scores, position_scores: float32 [query + 1]; scores before softmax, scaled."""

    run: str
    layer: int
    head: int
    query: int
    probabilities: Array
    content_scores: Array
    position_scores: Array


class ScoresShown(Message, frozen=True, eq=False):
    """scores float32 [n, E], before bias, group mask and scaling."""

    run: str
    layer: int
    tokens: tuple[int, int]
    scores: Array


class LatentsShown(Message, frozen=True, eq=False):
    """c_kv float32 [n, C], k_rope float32 [n, R]; of a model without latents its keys and values."""

    run: str
    layer: int
    tokens: tuple[int, int]
    c_kv: Array
    k_rope: Array


class Verified(Message, frozen=True, eq=False):
    """The proof of a checkpoint: largest differences, and whether every routing decision was the same."""

    attention_max_abs: float
    absorbed_max_abs: float
    routing_equal: bool
    tokens: int
    passed: bool


class Extracted(Message, frozen=True, eq=False):
    """The file that was written: dtype and shape of every array in it by name."""

    file: str
    arrays: dict[str, tuple[str, tuple[int, ...]]]


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One figure, what it is compared with, their ratio, and what the ratio has to keep to; None: nothing."""

    value: float
    unit: str
    peer: float | None = None
    ratio: float | None = None
    limit: float | None = None


class Measured(Message, frozen=True, eq=False):
    """Figures by name, and sentences about what could not be measured."""

    measures: dict[str, Measurement]
    notes: list[str]


class Profiling(Message, frozen=True, eq=False):
    """Progress of a profile, in tokens."""

    done: int
    total: int


class Profiled(Message, frozen=True, eq=False):
    """What the experts of the checkpoint at `path` are chosen for."""

    path: str
    profile: ExpertProfile


class CacheGrown(Message, frozen=True, eq=False):
    """How one model's cache grew since the last time: tokens held, bytes held with reserve, bytes used, by step.

    `bytes_per_token` by formula. `reads` int64 [L, tokens]: how often each entry of each layer has been read so far;
    `queries` int64 [L, tokens]: for how many steps each token's query was used.
    """

    kind: AttentionKind
    tokens: list[int]
    measured_bytes: list[int]
    used_bytes: list[int]
    bytes_per_token: int
    reads: Array
    queries: Array


class AttentionsCompared(Message, frozen=True, eq=False):
    """The comparison is done; what each kind's model said."""

    texts: dict[str, str]


class About(Message, frozen=True, eq=False):
    """What was found beside a checkpoint. Texts are outside text as it stands, cut to a bound; empty: none.

    `report` has the checkpoint's own figures by name; `profile` is one that fits this checkpoint.
    """

    path: str
    card: str = ""
    licence: str = ""
    report: dict[str, float] = msgspec.field(default_factory=dict)
    profile: ExpertProfile | None = None
    notes: list[str] = msgspec.field(default_factory=list)


class Failed(Message, frozen=True, eq=False):
    """The request could not be served: one sentence that names the cause and the remedy."""

    message: str


class Heartbeat(Message, frozen=True, eq=False):
    """Sent twice a second: how long the current piece of work has been going on, 0 when idle."""

    step_age: float
    resident_bytes: int
    unreclaimable_bytes: int = 0  # of them, what is not backed by a file and so cannot be given back


Event = (
    Ready
    | Described
    | Loading
    | Opened
    | Started
    | Grown
    | Finished
    | AttentionShown
    | RowShown
    | ScoresShown
    | LatentsShown
    | PictureShown
    | CellShown
    | HeadsSurveyed
    | Aggregated
    | LatentMapShown
    | RanksShown
    | ReadingShown
    | DriftShown
    | HeadsAsked
    | Verified
    | Extracted
    | Measured
    | Profiling
    | Profiled
    | CacheGrown
    | AttentionsCompared
    | About
    | Failed
    | Heartbeat
)

_encoder = msgspec.msgpack.Encoder()
_commands: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_events: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)


def encode(message: Message) -> bytes:
    """One frame. Halves of surrogate pairs, which no encoding has, become U+FFFD."""
    try:
        return _encoder.encode(message)
    except UnicodeEncodeError:
        return _encoder.encode(_without_surrogates(msgspec.to_builtins(message, builtin_types=(bytes,))))


def decode_command(frame: bytes) -> Command:
    """The command in a frame. Raises msgspec.DecodeError for anything else."""
    try:
        return _commands.decode(frame)
    except UnicodeDecodeError as error:  # msgspec lets those of a tag through
        raise msgspec.DecodeError(str(error)) from None


def decode_event(frame: bytes) -> Event:
    """The event in a frame. Raises msgspec.DecodeError for anything else."""
    try:
        return _events.decode(frame)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(str(error)) from None


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {key: _without_surrogates(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(inner) for inner in value]
    return value
