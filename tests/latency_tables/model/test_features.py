import numpy as np
import pytest

from latency_tables import Features, LatencyModel, MissingOpError, Op, OpCost, TableRow
from latency_tables.model.features import TOTALS, OpFeatures

SMALL = Op.of("conv", (8, 16, 16), kernel=3)
LARGE = Op.of("conv", (8, 16, 16), kernel=5)
HEAD = Op.of("head", (24,))
ROWS = [
    TableRow(SMALL, OpCost(0.5, 10, 1), median_us=1000.0),
    TableRow(LARGE, OpCost(1.5, 20, 2), median_us=3000.0),
    TableRow(HEAD, OpCost(0.25, 30, 3), median_us=500.0),
]


def test_columns_of_an_op_by_hand(table):
    known = OpFeatures(table(rows=ROWS))
    # "size" and "kernel" are not known of the head, so that alone parts the ops; 24 is no size of an image
    sorts = ("kernel=3", "kernel=5", "kind=conv", "kind=head", "size=16")
    single = tuple(f"ops[op={op.key}]" for op in (SMALL, LARGE, HEAD))
    assert known.names == (*TOTALS, *(f"{total}[{sort}]" for sort in sorts for total in TOTALS), *single)
    values = dict(zip(known.names, known.of(LARGE), strict=True))
    assert (values["sum_ms"], values["weight_mb"], values["ops"]) == (3.0, 1.5, 1.0)
    assert (values["sum_ms[kernel=5]"], values["ops[kind=conv]"], values["weight_mb[size=16]"]) == (3.0, 1.0, 1.5)
    assert (values["sum_ms[kernel=3]"], values["ops[kind=head]"]) == (0.0, 0.0)
    assert known.of(HEAD)[: len(TOTALS)].tolist() == [0.5, 0.25, 1.0]
    assert [values[name] for name in single] == [0.0, 1.0, 0.0]


def test_an_attribute_all_ops_share_or_with_too_many_values_is_no_sort(table):
    ops = [Op.of("conv", (8, 16, 16), width=w, stride=1) for w in range(20)]
    known = OpFeatures(table(rows=[TableRow(op, OpCost(1.0, 1, 1), median_us=1.0) for op in ops]))
    assert known.names == (*TOTALS, *(f"ops[op={op.key}]" for op in ops))


def test_an_op_without_a_time_has_no_milliseconds(table):
    failed = TableRow(LARGE, OpCost(1.5, 20, 2), error="refused")
    known = OpFeatures(table(rows=[ROWS[0], failed]))
    for op in (LARGE, HEAD):
        assert np.isnan(known.of(op)[0])
        assert not known.of(op)[1:].any()


def test_features_of_networks_are_sums_over_their_ops(table, grid_space):
    model = LatencyModel(table(rows=ROWS), grid_space([[(SMALL,), (LARGE, SMALL)], [(HEAD,)]]))
    features = model.features(np.array([[0, 0], [1, 0]]))
    assert features["sum_ms"].tolist() == [1.5, 4.5]
    assert features["sum_ms[kernel=3]"].tolist() == [1.0, 1.0]
    assert features["weight_mb[kernel=5]"].tolist() == [0.0, 1.5]
    assert features["ops"].tolist() == [2.0, 3.0]
    both = features.with_rows(features.rows([1]))
    assert both["sum_ms"].tolist() == [1.5, 4.5, 4.5]
    assert len(both) == 3


def test_features_of_a_network_without_a_time_are_refused_by_name(table, grid_space):
    model = LatencyModel(table(rows=ROWS[:1]), grid_space([[(SMALL,), (LARGE,)]]))
    with pytest.raises(MissingOpError) as e:
        model.features(np.array([[0], [1]]))
    assert LARGE.key in str(e.value)


def test_a_column_by_name():
    features = Features(("a", "b"), np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert features["b"].tolist() == [2.0, 4.0]
    with pytest.raises(ValueError, match="not in tuple"):
        features["c"]
