"""The latency table that NSE's authors published, by the layers that one reads in it."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from hwnas.spaces import nse_space
from hwnas.spaces.nse.published import published_table
from latency_tables import LatencyModel, TableError

PUBLISHED = Path(__file__).resolve().parents[4].parent / "shared/data/nse_gpu_lut.csv.gz"


@pytest.fixture(scope="module")
def layers_ms():
    if not PUBLISHED.exists():
        pytest.skip("nse_gpu_lut.csv.gz is not in shared/data beside the repository")
    with gzip.open(PUBLISHED, "rt", newline="") as file:
        _, *rows = csv.reader(file)
    return {key: np.array(runs, dtype=float) for key, *runs in rows}


@pytest.fixture(scope="module")
def space():
    return nse_space("nse-gpu", 1000)


@pytest.fixture(scope="module")
def table(layers_ms, space):
    return published_table(PUBLISHED, space)


def test_every_op_of_the_space_has_a_time(table, space):
    assert table.coverage(space.all_ops).complete
    assert table.provenance.target.batch == 128


def test_an_op_is_the_sum_of_its_layers(table, space, layers_ms):
    def row(kind, **settings):
        (found,) = (
            r
            for r in table.rows
            if r.op.kind == kind and settings.items() <= dict(r.op.settings).items() and r.op.in_shape == (16, 112, 112)
        )
        return found

    widen, deep, back, add = (
        layers_ms[f"model_{key}"]
        for key in (
            "112-16-48-1-1-0-1-1-1",
            "112-48-48-5-2-2-1-48-1",
            "56-48-32-1-1-0-1-1-1",
            "Add_56-32-32-0-0-0-0-0-4",
        )
    )
    found = row("irb", kernel=5, expand=3, stride=2)
    assert found.median_us == pytest.approx(1e3 * np.median(widen + deep + back + add))
    assert found.min_us == pytest.approx(1e3 * (widen + deep + back + add).min())
    assert found.rounds == 15
    stem = next(r for r in table.rows if r.op.kind == "stem")
    assert stem.median_us == pytest.approx(1e3 * np.median(layers_ms["model_224-3-16-3-2-1-1-1-1"]))
    # the mean of pixels before the skip was not published
    skip = row("project")
    assert skip.median_us == pytest.approx(1e3 * np.median(layers_ms["model_56-16-32-1-1-0-1-1-1"]))


def test_networks_are_sums_of_ops(table, space):
    """In milliseconds of a batch of 128."""
    model, archs = LatencyModel(table, space), space.sample(np.random.default_rng(0), 5)
    by_op = [sum(table[op].median_us for op in space.ops(arch)) / 1e3 for arch in archs]
    assert model.predict(archs).ms == pytest.approx(by_op)


def test_what_was_not_published_is_named(layers_ms):
    other = nse_space("nse-27", 1000)
    lacking = published_table(PUBLISHED, other).coverage(other.all_ops).failed
    assert lacking
    row = published_table(PUBLISHED, other).find(lacking[0])
    assert row.error.startswith("no layer model_")
    assert row.error.endswith("was published")


def test_another_file_is_refused(tmp_path, space):
    (tmp_path / "x.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(TableError, match=r"x.csv.gz is not the table that was published with NSE"):
        published_table(tmp_path / "x.csv.gz", space)
    with gzip.open(tmp_path / "y.csv.gz", "wt") as file:
        file.write("key,run0\nmodel_1,0.5\n")
    with pytest.raises(TableError, match="not 15 runs"):
        published_table(tmp_path / "y.csv.gz", space)
