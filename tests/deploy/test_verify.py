"""Real measurements of small models by onnxruntime; nothing here depends on how fast the machine is."""

import hashlib
from dataclasses import replace

import pytest

from deploy.verify import verify as verify_on
from latency_tables import Op, OpCost, ProfilerError, TableError
from profilers import Protocol, measure_plan, table_from_plan, write_plan
from profilers.runtimes import make_profiler, profiler_for
from profilers.where import ThisMachine


def verify(model, reference, table, budget_ms, runtime=None, **more):
    device = ThisMachine(profiler_for(table.provenance.target, runtime))
    return verify_on(model, reference, table, budget_ms, device, **more)


def test_pass_and_fail(model, reference, table):
    generous = verify(model, reference, table, budget_ms=1e6)
    assert generous.verified
    assert generous.verdict == "PASS"
    assert generous.budget_ms == 1e6
    assert generous.model_sha256 == hashlib.sha256(model.read_bytes()).hexdigest()
    low, high = generous.measured_ci95_ms
    assert low <= generous.measured_ms <= high
    assert generous.raw_median_ms > 0
    assert generous.slowdown > 0
    hopeless = verify(model, reference, table, budget_ms=1e-6)
    assert not hopeless.verified
    assert hopeless.verdict == "FAIL"


@pytest.mark.measures
def test_milliseconds_are_at_the_tables_quiet_speed(reference, table, reference_us):
    """The reference measured against itself takes what the table says it takes, whatever the clock says."""
    itself = verify(reference, reference, table, budget_ms=1e6)
    assert 0.5 < itself.measured_ms / (reference_us / 1e3) < 2


def test_a_runtime_of_ones_own(model, reference, own_runtime, tmp_path):
    """A plan is measured into a table, and a model verified against it, through a file that hwnas has never seen."""
    profiler, op = make_profiler(own_runtime, 1, 1), Op.of("net", (3, 8, 8))
    plan = write_plan(
        tmp_path / "plan", "tiny", reference.read_bytes(), [(op.key, op, OpCost(0, 1, 1), model.read_bytes())]
    )
    protocol = Protocol(group_us=300, maximum_runs=6, groups=1, minimum_rounds=2, maximum_rounds=2, disturbed_rounds=0)
    visits = measure_plan(plan, profiler, tmp_path / "journal.jsonl", protocol)
    table = table_from_plan(plan, profiler.target(), visits, protocol)
    assert [row.error for row in table.rows] == [None]
    assert table.provenance.target.runtime == "my runtime"
    verified = verify(model, reference, table, budget_ms=1e6, runtime=own_runtime)
    assert verified.verdict == "PASS"
    assert verified.measured_ms > 0
    with pytest.raises(ProfilerError, match="unknown runtime 'my runtime'"):
        verify(model, reference, table, budget_ms=1e6)


def test_a_table_of_another_target_is_refused(model, reference, table):
    target = table.provenance.target
    for name, value in (("device", "Raspberry Pi 9"), ("runtime_version", "0.1")):
        other = replace(table, provenance=replace(table.provenance, target=replace(target, **{name: value})))
        with pytest.raises(TableError, match=f"the latency table was made for another target: {name} is '{value}'"):
            verify(model, reference, other, budget_ms=1.0)


def test_another_reference_is_refused(model, table):
    with pytest.raises(TableError, match="is not the reference model of the latency table"):
        verify(model, model, table, budget_ms=1.0)


def refusal(model, reference, table):
    with pytest.raises(ProfilerError) as caught:
        verify(model, reference, table, budget_ms=1.0)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_table_of_another_precision_is_refused(model, reference, table):
    target = replace(table.provenance.target, precision="int8")
    int8 = replace(table, provenance=replace(table.provenance, target=target))
    assert refusal(model, reference, int8).endswith(
        "(Conv) in fp32, not in int8; make the models in int8, or profile them as fp32"
    )


def test_a_missing_model_or_reference_is_named(model, reference, table, tmp_path):
    assert refusal(tmp_path / "no.onnx", reference, table) == (
        f"cannot read the model {tmp_path / 'no.onnx'}: No such file or directory"
    )
    assert "cannot read the reference model" in refusal(model, tmp_path / "no.onnx", table)


def test_a_damaged_model_is_refused(model, reference, table):
    model.write_bytes(model.read_bytes()[:-40])
    assert "onnxruntime refuses the model" in refusal(model, reference, table)


def test_an_unknown_runtime_is_named(model, reference, table):
    target = replace(table.provenance.target, runtime="abacus")
    other = replace(table, provenance=replace(table.provenance, target=target))
    assert "unknown runtime 'abacus'" in refusal(model, reference, other)
