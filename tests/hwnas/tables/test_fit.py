import csv
from dataclasses import replace
from functools import cached_property

import numpy as np
import pytest
from torch import nn

from hwnas.spaces import ArchError, SearchSpace, Slot, mbconv_space
from hwnas.spaces.cost import count_macs
from hwnas.tables.fit import Runs, fit_table, read_runs
from latency_tables import HwnasError, LatencyModel, Op, TableError, Target, load_table, save_table
from latency_tables.additive import Slots

TARGET = Target("board", "tflite", "2.16", "fp32", 1, 4)


class GatedSpace(SearchSpace):
    """A stem, four convolutions each behind a gate that may be shut, a head: a shut gate makes its convolution dead."""

    name, input_shape, num_classes = "gated", (4, 8, 8), 10
    cardinalities = (3, 2) * 4
    prunings = ("used",)

    def __init__(self, num_classes=10):
        self.num_classes = num_classes

    @cached_property
    def slots(self):
        stem, head = Op.of("stem", (4, 8, 8)), Op.of("head", (4, 8, 8))
        convs = [[Op.of("conv", (4, 8, 8), at=i, kernel=k) for k in (1, 3, 5)] for i in range(4)]
        gates = [Op.of("gate", (4, 8, 8), at=i) for i in range(4)]
        self.kinds = [((a,), (b,), (c,)) for a, b, c in convs]
        self.gates = [((), (g,)) for g in gates]
        return self._slots(stem, head, [Slot((2 * i,), kinds) for i, kinds in enumerate(self.kinds)])

    def _slots(self, stem, head, convs):
        gates = [Slot((2 * i + 1,), choices) for i, choices in enumerate(self.gates)]
        pairs = zip(convs, gates, strict=True)
        return (Slot.fixed(stem), *(slot for pair in pairs for slot in pair), Slot.fixed(head))

    def pruned_slots(self, pruning):
        """A convolution behind a closed gate is dropped."""
        (stem,), (head,) = self.slots[0].choices[0], self.slots[-1].choices[0]
        gated = [tuple(c if gate else () for c in kinds for gate in (0, 1)) for kinds in self.kinds]
        return self._slots(stem, head, [Slot((2 * i, 2 * i + 1), choices) for i, choices in enumerate(gated)])

    def build_op(self, op):
        if op.kind == "conv":
            return nn.Conv2d(4, 4, op["kernel"], padding=op["kernel"] // 2)
        return nn.Conv2d(4, 4, 1) if op.kind != "gate" else nn.ReLU()


@pytest.fixture(scope="module")
def space():
    return GatedSpace()


def true_us(op):
    size = {"stem": 300.0, "head": 200.0, "gate": 20.0}
    return size.get(op.kind) or 100.0 * op["kernel"] * (1 + 0.1 * op["at"])


def true_ms(space, archs, pruned):
    slots = Slots(space.cardinalities, space.pruned_slots("used") if pruned else space.slots)
    chosen = [[slot.options[c] for slot, c in zip(slots.slots, row, strict=True)] for row in slots.options(archs)]
    return np.array([sum(true_us(op) for ops in row for op in ops) for row in chosen]) / 1e3


@pytest.fixture
def write(tmp_path):
    """A CSV file of rows."""

    def make(rows, names=("arch", "ms")):
        path = tmp_path / "runs.csv"
        with open(path, "w", newline="") as file:
            csv.writer(file).writerows([names, *rows])
        return path

    return make


def some_runs(space, n=30, seed=0, pruned=True):
    archs = np.unique(space.sample(np.random.default_rng(seed), 2 * n), axis=0)[:n]
    return Runs(archs, true_ms(space, archs, pruned), 0)


@pytest.mark.parametrize("pruned", [True, False])
def test_a_table_that_predicts_as_it_is(space, pruned, tmp_path):
    fitted = fit_table(space, some_runs(space, pruned=pruned), TARGET)
    assert fitted.fit.counting == ("used" if pruned else "all")
    assert fitted.left_out_error_pct < 5
    save_table(fitted.table, tmp_path / "table")
    table = load_table(tmp_path / "table")
    assert table == fitted.table
    assert table.provenance.pruning == ("used" if pruned else "")
    assert LatencyModel(table, space).coverage().complete
    fresh = space.sample(np.random.default_rng(9), 200)
    truth = true_ms(space, fresh, pruned)
    model = LatencyModel(table, space)
    assert np.abs(model.predict(fresh).ms / truth - 1).max() < 0.05
    assert model.features(fresh).values[:, 0] == pytest.approx(model.predict(fresh).ms)
    assert np.abs(model.predict(fresh).ms / true_ms(space, fresh, not pruned) - 1).max() > 0.1


def test_a_budget_on_a_fitted_table_has_a_margin_that_holds(space):
    """The timings are 8 % off, and so are the networks that were not timed: nine in ten must be inside."""
    rng = np.random.default_rng(1)
    runs = some_runs(space, n=20)
    noisy = replace(runs, ms=runs.ms * np.exp(rng.normal(0, 0.08, len(runs.ms))))
    model = LatencyModel(fit_table(space, noisy, TARGET).table, space)
    assert 0.08 < model.relative_half_width < 0.4
    fresh = space.sample(rng, 500)
    measured = true_ms(space, fresh, True) * np.exp(rng.normal(0, 0.08, 500))
    predicted = model.predict(fresh)
    inside = (predicted.lower_ms <= measured) & (measured <= predicted.upper_ms)
    assert inside.mean() > 0.8
    assert np.array_equal(model.upper_ms(fresh), predicted.upper_ms)


def test_what_the_rows_say(space):
    table = fit_table(space, some_runs(space), TARGET).table
    assert [row.op for row in table.rows] == list(space.all_ops)
    assert {row.stop_reason for row in table.rows} == {"fitted"}
    assert all(row.ci95_low_us <= row.median_us <= row.ci95_high_us for row in table.rows)
    kernel5 = next(row for row in table.rows if row.op.kind == "conv" and row.op["kernel"] == 5)
    assert kernel5.cost.macs == 5 * 5 * 4 * 4 * 8 * 8
    assert kernel5.cost.params == 5 * 5 * 4 * 4 + 4
    assert table.reference_model == b""
    p = table.provenance
    assert (p.target, p.space, p.protocol["timed_networks"], p.protocol["like_tables"]) == (TARGET, "gated", 30, 0)


def test_tables_of_like_devices_are_believed(space):
    few = some_runs(space, 60)
    few = Runs(few.archs[:60:10], few.ms[:60:10] * 7, 0)
    like = [fit_table(space, some_runs(space, 60), TARGET).table]
    fresh = space.sample(np.random.default_rng(9), 200)
    truth = 7 * true_ms(space, fresh, True)
    errors = []
    for known in (like, []):
        fitted = fit_table(space, few, TARGET, known)
        assert fitted.table.provenance.protocol["like_tables"] == len(known)
        errors.append(np.abs(LatencyModel(fitted.table, space).predict(fresh).ms / truth - 1).mean())
    assert errors[0] < 0.02
    assert errors[0] < 0.3 * errors[1]


def test_a_space_that_ships():
    space = mbconv_space("mbconv-32")
    archs = space.sample(np.random.default_rng(0), 300)
    op_us = {op: 5 + 1e-4 * count_macs(space.build_op(op), op.in_shape) for op in space.all_ops}
    ms = np.array([sum(op_us[op] for op in space.ops(a)) for a in archs]) / 1e3
    fitted = fit_table(space, Runs(archs[:40], ms[:40], 0), TARGET)
    predicted = LatencyModel(fitted.table, space).predict(archs[40:]).ms
    assert np.corrcoef(predicted, ms[40:])[0, 1] > 0.98
    assert np.abs(predicted / ms[40:] - 1).mean() < 0.05


def test_like_tables_must_be_of_the_space_and_whole(space):
    runs = some_runs(space)
    table = fit_table(space, runs, TARGET).table
    other = type(table)(table.rows, table.provenance.__class__(**{**vars(table.provenance), "space": "mbconv-32"}), b"")
    with pytest.raises(TableError, match="is for mbconv-32, not for gated"):
        fit_table(space, runs, TARGET, [table, other])
    short = type(table)(table.rows[:-1], table.provenance, b"")
    with pytest.raises(TableError, match=r"has no time for head\(4x8x8\)"):
        fit_table(space, runs, TARGET, [short])


def test_read_runs_averages_what_repeats(space, write):
    archs = space.sample(np.random.default_rng(1), 6)
    texts = [space.to_text(a) for a in archs]
    rows = [[t, i + 1] for i, t in enumerate(texts)] + [[f" {texts[0]} ", 4], [texts[0], 4]]
    runs = read_runs(write(rows), space)
    assert runs.archs.tolist() == archs.tolist()
    assert runs.ms.tolist() == [3, 2, 3, 4, 5, 6]
    assert runs.repeated == 2


def test_read_runs_finds_its_columns_among_others(space, write):
    archs = space.sample(np.random.default_rng(1), 5)
    rows = [["x", i + 1.5, space.to_text(a)] for i, a in enumerate(archs)]
    path = write(rows, ("note", "ms", "arch"))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_runs(path, space).ms.tolist() == [1.5, 2.5, 3.5, 4.5, 5.5]


def test_a_bad_arch_names_its_row(space, write):
    good = [[space.to_text(a), i + 1] for i, a in enumerate(space.sample(np.random.default_rng(1), 6))]
    with pytest.raises(HwnasError, match=r"runs\.csv, row 4: cannot parse 'gated:0-'"):
        read_runs(write([*good[:2], ["gated:0-", 3], *good[2:]]), space)
    with pytest.raises(ArchError):
        space.from_text("gated:0-")
