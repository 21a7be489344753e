import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_tables import Op

NAMES = st.text("abcdefgh_", min_size=1, max_size=6).filter(lambda n: n not in {"cls", "kind", "in_shape"})
SETTINGS = st.dictionaries(NAMES, st.integers(-9, 99), max_size=5)


def test_key_is_readable_and_sorted():
    op = Op.of("mbconv", (16, 32, 32), stride=2, out=24, kernel=5, expand=3)
    assert op.key == "mbconv(16x32x32; expand=3 kernel=5 out=24 stride=2)"


def test_key_without_settings():
    assert Op.of("gelu", (8,)).key == "gelu(8)"
    assert Op.of("scalar", ()).key == "scalar()"


def test_order_of_settings_does_not_matter():
    one, two = Op.of("conv", (3, 8, 8), a=1, b=2), Op.of("conv", (3, 8, 8), b=2, a=1)
    assert one == two
    assert hash(one) == hash(two)
    assert {one: "row"}[two] == "row"


def test_shape_may_be_a_list():
    assert Op.of("conv", [3, 8, 8]) == Op.of("conv", (3, 8, 8))


def test_setting_by_name():
    op = Op.of("conv", (3, 8, 8), kernel=5)
    assert op["kernel"] == 5
    with pytest.raises(KeyError):
        op["stride"]


def test_ops_sort():
    ops = [Op.of("b", (1,)), Op.of("a", (9,)), Op.of("a", (2,), k=2), Op.of("a", (2,), k=1)]
    assert [op.key for op in sorted(ops)] == ["a(2; k=1)", "a(2; k=2)", "a(9)", "b(1)"]


@given(st.tuples(st.integers(1, 3), st.integers(1, 3)), SETTINGS, st.tuples(st.integers(1, 3)), SETTINGS)
def test_same_key_means_same_op(shape, settings, other_shape, others):
    one, two = Op.of("op", shape, **settings), Op.of("op", other_shape, **others)
    assert (one.key == two.key) == (one == two)
    shuffled = Op.of("op", shape, **dict(reversed(settings.items())))
    assert shuffled == one
    assert shuffled.key == one.key
