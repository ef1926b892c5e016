import pytest

from widgets.heads.mosaic_layout import lay_out


def places(layers, heads):
    return [(layer, head) for layer in range(layers) for head in range(heads)]


@pytest.mark.parametrize(("layers", "heads"), [(1, 8), (6, 8), (27, 16), (60, 128)])
@pytest.mark.parametrize("size", [(300, 200), (680, 360), (1500, 900)])
def test_every_head_has_one_place_inside_the_width(layers, heads, size):
    made = lay_out(places(layers, heads), width=size[0], height=size[1], by_layer=layers > 1)
    assert [place for row in made.rows for place in row] == places(layers, heads)
    assert all(made.box(0, len(row) - 1).right() <= size[0] for row in made.rows)
    row, column = made.find((layers - 1, heads - 1))
    assert made.at(*made.box(row, column).center().toTuple()) == (layers - 1, heads - 1)


def test_a_row_is_a_layer_where_its_heads_fit():
    made = lay_out(places(6, 8), width=680, height=360, by_layer=True)
    assert [len(row) for row in made.rows] == [8] * 6
    assert made.height <= 364


def test_only_what_lies_between_two_heights_is_looked_at():
    made = lay_out(places(60, 128), width=680, height=360, by_layer=True)
    seen = list(made.between(1000, 1360))
    assert 0 < len(seen) < 500
    assert all(made.box(row, column).bottom() >= 1000 - made.pitch for row, column, _ in seen)
