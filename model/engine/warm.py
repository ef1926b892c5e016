"""Get the lens's compiled kernels ready in the background, so that the first picture does not wait for them."""

import logging
import threading

from model.config import ModelConfig, RopeConfig
from model.engine.synthetic import synthetic_run
from model.lenses.aggregate import Totals, aggregate
from model.lenses.arithmetic import arithmetic
from model.lenses.grid import sampled
from model.lenses.kept import Kept
from model.lenses.picture import HeadPicture, Wanted, pictures
from model.lenses.reader import HeadReader
from model.lenses.scorer import Scorer
from model.lenses.survey import look, occurrences
from model.message import CellReduction, Quantity

TOKENS = 80
KINDS: tuple[tuple[Quantity, CellReduction], ...] = (
    ("probability", "max"),
    ("probability", "mean"),
    ("content", "max"),
    ("content", "mean"),
)
_SMALL = ModelConfig(
    family="DeepSeek-V2",
    model_type="deepseek_v2",
    vocab_size=50,
    hidden_size=16,
    layers=1,
    heads=1,
    q_lora_rank=None,
    kv_lora_rank=16,
    qk_nope_head_dim=8,
    qk_rope_head_dim=8,
    v_head_dim=8,
    intermediate_size=16,
    moe_intermediate_size=16,
    shared_experts=0,
    moe_layers=(),
    router=None,
    rope=RopeConfig(10_000.0),
    max_position_embeddings=TOKENS,
)
_begun = threading.Event()
_done = threading.Event()


def warm_up() -> None:
    """Start, once; what fails here fails again, and is told, when a view needs it."""
    if not _begun.is_set():
        _begun.set()
        threading.Thread(target=_guarded, name="lens warm-up", daemon=True).start()


def settle() -> None:
    """Wait until a warm-up that has begun is over: nothing is measured beside the compiler."""
    if _begun.is_set():
        _done.wait()


def draw_everything() -> None:
    """Every kind of view once, on a few random numbers: in the arithmetic that views use here, then exactly."""
    run, kept = synthetic_run(_SMALL, TOKENS), Kept()
    reader = HeadReader(run.recording, run.projections, layer=0, head=0)
    usual, exact = (Scorer(reader, kept, arithmetic=arithmetic(reader.device, exact=each)) for each in (False, True))
    for scorer in (usual, exact) if usual.arithmetic != exact.arithmetic else (exact,):
        for quantity, reduction in KINDS:
            wanted = Wanted((0, TOKENS), (0, TOKENS), (8, 8), quantity, reduction)
            for _ in pictures([HeadPicture(scorer, wanted, kept)]):
                pass
    occurred = occurrences(run.recording)
    for _ in look(exact, occurred, tokens=TOKENS, count=64, edge=8, quantity="probability"):
        pass
    for _ in aggregate(exact, sampled((0, TOKENS), 64), Totals(TOKENS)):
        pass


def _guarded() -> None:
    try:
        draw_everything()
    except Exception:  # nothing waits for this thread
        logging.getLogger(__name__).exception("lens warm-up")
    finally:
        _done.set()
