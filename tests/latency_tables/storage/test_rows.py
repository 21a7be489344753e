import io
from dataclasses import fields, replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from latency_tables import Op, OpCost, TableRow
from latency_tables.storage.rows import MOST_ROWS, row_record, rows_from_parquet, rows_to_parquet

CONV = Op.of("conv", (3, 32, 32), out=16, stride=2)
FULL = TableRow(CONV, OpCost(0.25, 1000, 64), 120.5, 119.0, 122.0, 118.25, 130.0, 6, 3, "ci")
FAILED = TableRow(Op.of("head", (24,)), OpCost(0.0, 0, 0), stop_reason="error", error="no kernel")


@pytest.fixture
def parquet():
    """Parquet bytes of our two rows after a change to the Arrow table."""

    def make(change=lambda table: table):
        buffer = io.BytesIO()
        pq.write_table(change(pq.read_table(io.BytesIO(rows_to_parquet([FULL, FAILED])))), buffer)
        return buffer.getvalue()

    return make


def with_column(name, values, kind=None):
    def change(table):
        array = pa.array(values, kind or table.schema.field(name).type)
        return table.set_column(table.schema.names.index(name), name, array)

    return change


def refusal(content):
    with pytest.raises(ValueError, match=r".+") as e:
        rows_from_parquet(content)
    assert "\n" not in str(e.value)
    assert len(str(e.value)) < 250
    return str(e.value)


def test_round_trip(parquet):
    assert rows_from_parquet(rows_to_parquet([FULL, FAILED])) == (FULL, FAILED)
    assert rows_from_parquet(parquet()) == (FULL, FAILED)
    assert rows_from_parquet(rows_to_parquet([])) == ()


def test_every_field_of_a_row_has_a_column():
    table = pq.read_table(io.BytesIO(rows_to_parquet([FULL])))
    names = {f.name for kind in (TableRow, OpCost, Op) for f in fields(kind)} - {"cost"}
    assert set(table.column_names) == names == set(row_record(FULL))
    assert row_record(FULL)["settings"] == [{"name": "out", "value": 16}, {"name": "stride", "value": 2}]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 10, b"op,median_us\nconv,3\n", b"\x00" * 1000])
def test_not_parquet(content):
    assert refusal(content).startswith("its rows cannot be decoded: ")


def test_foreign_columns(parquet):
    buffer = io.BytesIO()
    pq.write_table(pa.table({"name": ["a"], "price": [1.0]}), buffer)
    assert refusal(buffer.getvalue()) == "column 'name' is none of a latency table's"
    more = parquet(lambda t: t.append_column("colour\nred", pa.array(["x", "y"])))
    assert refusal(more) == r"column 'colour\nred' is none of a latency table's"
    assert refusal(parquet(lambda t: t.drop_columns(["min_us"]))) == "it must have one column min_us of type double"
    twice = parquet(lambda t: t.append_column("groups", t["groups"]))
    assert refusal(twice) == "it must have one column groups of type int64"
    text = parquet(with_column("median_us", ["120.5", None], pa.string()))
    assert refusal(text) == "it must have one column median_us of type double"


def test_a_table_of_before_throttling_was_told(parquet):
    later = ["throttled_rounds", "peak_memory_mb", "energy_mj"]
    assert rows_from_parquet(parquet(lambda t: t.drop_columns(later))) == (FULL, FAILED)


def test_columns_in_another_order(parquet):
    assert rows_from_parquet(parquet(lambda t: t.select(t.column_names[::-1]))) == (FULL, FAILED)


def test_a_million_rows():
    one = pq.read_table(io.BytesIO(rows_to_parquet([FULL])))
    schema = one.schema
    million = pa.table([pa.repeat(one[name][0], 10 * MOST_ROWS) for name in schema.names], schema=schema)
    buffer = io.BytesIO()
    pq.write_table(million, buffer)
    assert len(buffer.getvalue()) < 2**20  # small on the disk: only what it says of itself can be looked at
    assert refusal(buffer.getvalue()).startswith("it has 1000000 rows, or rows of many values; a table has 100000 at")


def test_one_row_of_millions_of_values(parquet):
    assert "rows of many values" in refusal(parquet(with_column("in_shape", [[0] * (50 * MOST_ROWS), [24]])))


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("op", ["conv(3)", "head(24)"], "op 'conv(3)' does not agree with its kind, shape and settings"),
        ("op", [None, "head(24)"], "op None does not agree"),
        ("kind", ["head", "head"], "does not agree"),
        ("kind", [None, "head"], "kind is None"),
        ("in_shape", [[3, None], [24]], "in_shape is None"),
        ("in_shape", [None, [24]], "in_shape is None"),
        ("settings", [None, []], "settings is None"),
        ("settings", [[None], []], "settings is None"),
        ("settings", [[{"name": "out", "value": None}], []], "settings is None"),
        ("settings", [[{"name": "stride", "value": 2}, {"name": "out", "value": 16}], []], "does not agree"),
        ("median_us", [float("nan"), None], "median_us is nan"),
        ("median_us", [float("inf"), None], "median_us is inf"),
        ("median_us", [0.0, None], "a number of op 'conv(3x32x32; out=16 stride=2)' cannot be: [0.0, "),
        ("median_us", [-1.0, None], "cannot be"),
        ("min_us", [-0.0, None], "cannot be"),
        ("raw_median_us", [-5.0, None], "cannot be"),
        ("ci95_low_us", [123.0, None], "cannot be"),
        ("groups", [None, 0], "groups is None"),
        ("groups", [-1, 0], "cannot be"),
        ("rounds", [-1, 0], "cannot be"),
        ("throttled_rounds", [-1, 0], "cannot be"),
        ("throttled_rounds", [None, 0], "throttled_rounds is None"),
        ("macs", [-1, 0], "cannot be"),
        ("params", [None, 0], "params is None"),
        ("weight_mb", [-0.5, 0.0], "cannot be"),
        ("weight_mb", [float("nan"), 0.0], "weight_mb is nan"),
        ("stop_reason", [None, "error"], "stop_reason is None"),
    ],
)
def test_values_that_cannot_be(parquet, name, values, words):
    assert words in refusal(parquet(with_column(name, values)))


def test_the_same_op_twice():
    assert refusal(rows_to_parquet([FULL, replace(FULL, median_us=1.0)])) == "an op has two rows"


def test_an_interval_below_zero_is_wide_not_wrong():
    wide = replace(FULL, ci95_low_us=-3.0)
    assert rows_from_parquet(rows_to_parquet([wide])) == (wide,)
