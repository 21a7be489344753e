import csv
import io

from latency_tables.storage.csv_export import table_csv


def test_every_column_of_every_row(table):
    first, failed, head = csv.DictReader(io.StringIO(table_csv(table())))
    assert first == {
        "op": "conv(3x32x32; out=16 stride=2)",
        "kind": "conv",
        "in_shape": "3x32x32",
        "settings": "out=16 stride=2",
        "median_us": "120.5",
        "ci95_low_us": "119.0",
        "ci95_high_us": "122.0",
        "min_us": "118.25",
        "raw_median_us": "130.0",
        "groups": "6",
        "rounds": "3",
        "stop_reason": "ci",
        "error": "",
        "throttled_rounds": "0",
        "peak_memory_mb": "",
        "energy_mj": "",
        "weight_mb": "0.25",
        "macs": "1000",
        "params": "64",
    }
    assert (failed["median_us"], failed["error"]) == ("", 'no kernel for "µ-op"')
    assert (head["in_shape"], head["settings"]) == ("24", "")


def test_numbers_are_whole(table):
    rows = list(csv.DictReader(io.StringIO(table_csv(table()))))
    assert [float(r["median_us"]) for r in rows if r["median_us"]] == [
        r.median_us for r in table().rows if r.median_us is not None
    ]
    assert [int(r["macs"]) for r in rows] == [r.cost.macs for r in table().rows]
