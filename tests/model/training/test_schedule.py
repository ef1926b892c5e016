import pytest

from model.training.schedule import Schedule, total_tokens

SCHEDULE = Schedule(warmup=99, decay=200, total=1000)


@pytest.mark.parametrize(("tokens", "rate"), [(0, 0.01), (99, 1.0), (800, 1.0), (900, 0.5), (1000, 0.0), (1500, 0.0)])
def test_rate_warms_up_stays_and_decays(tokens, rate):
    assert SCHEDULE.rate(tokens) == pytest.approx(rate)


def test_the_last_quarter_of_the_decay_is_the_end():
    assert not SCHEDULE.ends(949)
    assert SCHEDULE.ends(950)


def test_end_moves_with_the_file(tmp_path):
    file = tmp_path / "total_tokens"
    assert total_tokens(file, 7) == 7
    file.write_text("12\n", encoding="utf-8")
    assert total_tokens(file, 7) == 12
    file.write_text("soon", encoding="utf-8")
    assert total_tokens(file, 7) == 7
