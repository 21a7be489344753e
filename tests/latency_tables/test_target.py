import pytest

from latency_tables import TableError


def test_same_target_has_no_mismatch(target):
    assert target().mismatches(target()) == []
    target().require(target(), "the table")


@pytest.mark.parametrize(
    ("field", "value", "spelled"),
    [
        ("device", "gpu", "device is 'cpu x2', wanted 'gpu'"),
        ("runtime", "ncnn", "runtime is 'onnxruntime', wanted 'ncnn'"),
        ("runtime_version", "2.0", "runtime_version is '1.2.3', wanted '2.0'"),
        ("precision", "fp16", "precision is 'fp32', wanted 'fp16'"),
        ("batch", 8, "batch is 1, wanted 8"),
        ("threads", 1, "threads is 2, wanted 1"),
    ],
)
def test_each_mismatch_is_spelled_out(target, field, value, spelled):
    wanted = target(**{field: value})
    assert target().mismatches(wanted) == [spelled]
    with pytest.raises(TableError) as e:
        target().require(wanted, "the table of ops")
    assert str(e.value) == f"the table of ops was made for another target: {spelled}; profile again for this one"


def test_every_mismatch_is_named_at_once(target):
    wrong = target().mismatches(target(batch=4, threads=8))
    assert wrong == ["batch is 1, wanted 4", "threads is 2, wanted 8"]
    with pytest.raises(TableError, match="batch is 1, wanted 4; threads is 2, wanted 8"):
        target().require(target(batch=4, threads=8), "it")


def test_power_mode_is_provenance_only(target):
    assert target(power_mode="powersave").mismatches(target()) == []
    target(power_mode="powersave").require(target(), "the table")
