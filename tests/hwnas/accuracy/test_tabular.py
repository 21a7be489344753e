"""Benchmarks that somebody else has trained, as accuracy estimators."""

import numpy as np
import pytest

from hwnas.accuracy import TabularBenchmark
from hwnas.accuracy.contract import check_estimator
from hwnas.spaces import ArchTable, ArchTableError, NasBenchMacro, every_network

SPACE = NasBenchMacro()


def test_it_keeps_the_contract_of_estimators():
    every = every_network(SPACE)
    columns = {"val": np.linspace(0.1, 0.9, len(every))}
    check_estimator(TabularBenchmark(ArchTable(SPACE, every, columns), "val"), SPACE)


def test_percent_becomes_fractions_column_by_column(tmp_path):
    (tmp_path / "bench.csv").write_text("arch,val,test\n00000000,0.5,40\n11111111,0.25,80\n")
    bench = TabularBenchmark.from_file(tmp_path / "bench.csv", SPACE, arch="arch", validation="val", others=["test"])
    both = bench.population
    assert bench.estimate(both).mean.tolist() == [0.5, 0.25]
    assert bench.estimate(both).std.tolist() == [0, 0]
    assert bench.look_up(both[::-1], "test").tolist() == pytest.approx([0.8, 0.4])


def test_a_network_that_was_not_trained_is_named(tmp_path):
    (tmp_path / "bench.csv").write_text("arch,val\n00000000,0.5\n")
    bench = TabularBenchmark.from_file(tmp_path / "bench.csv", SPACE, arch="arch", validation="val")
    with pytest.raises(ArchTableError, match="but not 22222222"):
        bench.estimate(SPACE.from_text("22222222")[None])
