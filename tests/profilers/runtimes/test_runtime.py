import pytest

from latency_tables import ProfilerError
from profilers import RuntimeSetting
from profilers.runtimes._runtime import ShippedRuntime, first_line


class Abacus(ShippedRuntime):
    """It builds nothing."""

    def __init__(self, threads=1, batch=1, precision="int8"):
        super().__init__(RuntimeSetting("abacus", threads, batch, precision), "1.2", ("fp32", "int8"))

    def compile(self, model):
        raise NotImplementedError

    def start(self, engine):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("one\ntwo", "one"),
        ("\n one \n", "one"),
        (
            "Exception from src/core.cpp:105:\nException from src/model.cpp:1:\nUnable to read.\n\n",
            "Unable to read.",
        ),
        ("", "ValueError"),
        (" \n ", "ValueError"),
    ],
)
def test_a_runtimes_words_are_cut_to_a_line(said, line):
    assert first_line(ValueError(said)) == line


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ((0, 1, "fp32"), "threads must be at least 1, got 0"),
        ((1, -3, "fp32"), "batch must be at least 1, got -3"),
        ((1, 1, "int4"), "abacus is measured in fp32 or int8, not in 'int4'"),
    ],
)
def test_settings_that_cannot_be(settings, complaint):
    with pytest.raises(ProfilerError) as e:
        Abacus(*settings)
    assert str(e.value) == complaint


def test_settings_are_in_the_target():
    target = Abacus(2, 3, "int8").target()
    assert (target.runtime, target.runtime_version) == ("abacus", "1.2")
    assert (target.threads, target.batch, target.precision) == (2, 3, "int8")
