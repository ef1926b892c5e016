import msgspec
import numpy as np
import pytest

from model.config import Sampling
from model.messages import Array, Failed, Generate, ScoresShown, decode_command, decode_event, encode


def test_a_command_arrives_as_it_was_sent() -> None:
    sent = Generate(request=7, token_ids=[1, 2], sampling=Sampling(temperature=0.5, seed=3), keep_logits=True)
    assert msgspec.structs.asdict(decode_command(encode(sent))) == msgspec.structs.asdict(sent)


def test_arrays_keep_dtype_shape_and_values() -> None:
    scores = np.arange(6, dtype=np.float32).reshape(2, 3)
    arrived = decode_event(encode(ScoresShown(run="r", layer=1, tokens=(0, 2), scores=Array.of(scores))))
    assert isinstance(arrived, ScoresShown)
    np.testing.assert_array_equal(arrived.scores.numpy(), scores)
    assert arrived.scores.numpy().dtype == np.float32


BAD_ARRAYS = [
    ("float32", (3, 3), 16),
    ("float32", (-1, 2), 16),
    ("object", (2,), 16),
    ("float31", (4,), 16),
    ("", (), 0),
]


@pytest.mark.parametrize(("dtype", "shape", "size"), BAD_ARRAYS)
def test_an_array_whose_parts_disagree_is_refused_and_so_is_its_frame(
    dtype: str, shape: tuple[int, ...], size: int
) -> None:
    with pytest.raises(ValueError, match=f"{size} bytes are no array"):
        Array(dtype, shape, bytes(size))
    sound = ScoresShown(run="r", layer=1, tokens=(0, 2), scores=Array("uint8", (4,), bytes(4)))
    described = msgspec.to_builtins(sound, builtin_types=(bytes,))
    described["scores"] |= {"dtype": dtype, "shape": shape, "data": bytes(size)}
    with pytest.raises(msgspec.DecodeError, match="no array"):
        decode_event(msgspec.msgpack.encode(described))


@pytest.mark.parametrize(
    "frame",
    [b"", b"\xc1", b"\x80", b"\x81\xa4type\xa4Nope", b"\x82\xa4type\xa4S\xa4ty", encode(Failed(message="x"))[:-1]],
)
def test_frames_that_are_no_message_are_refused(frame: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_command(frame)
    with pytest.raises(msgspec.DecodeError):
        decode_event(frame)


def test_an_event_is_no_command() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_command(encode(Failed(message="x")))


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    arrived = decode_command(encode(Generate(request=2, prompt="a\ud800b\U0001f600", token_ids=None)))
    assert isinstance(arrived, Generate)
    assert arrived.prompt == "a\ufffdb\U0001f600"
    assert arrived.request == 2
