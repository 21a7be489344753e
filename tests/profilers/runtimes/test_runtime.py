import numpy as np
import pytest

from latency_tables import ProfilerError
from profilers import RuntimeSetting
from profilers.runtimes._runtime import ShippedRuntime, first_line, random_inputs


class Abacus(ShippedRuntime):
    """It opens nothing."""

    def __init__(self, threads=1, batch=1, precision="int8"):
        super().__init__(RuntimeSetting("abacus", threads, batch, precision), "1.2", ("fp32", "int8"))

    def load(self, model, known):
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


def test_a_product_in_another_precision_is_named():
    Abacus().require_precision("a", "Conv", "int8")
    with pytest.raises(ProfilerError) as e:
        Abacus().require_precision("b", "Gemm", "fp32")
    assert str(e.value) == (
        "abacus runs b (Gemm) in fp32, not in int8; make the models in int8, or profile them as fp32"
    )


def test_inputs_are_the_same_every_time():
    wanted = {"image": ((2, 3, 8, 8), "float32"), "half": ((4,), "float16"), "bytes": ([1000], "uint8")}
    made = random_inputs(wanted)
    assert {name: (a.shape, a.dtype.name) for name, a in made.items()} == {
        name: (tuple(shape), dtype) for name, (shape, dtype) in wanted.items()
    }
    again = random_inputs(wanted)
    assert all(np.array_equal(made[name], again[name]) for name in wanted)
    assert abs(made["image"].mean()) < 0.2
    assert abs(made["image"].std() - 1) < 0.2
    assert (made["bytes"].min(), made["bytes"].max()) == (0, 255)  # missed with probability .04 each, but not by seed 0
    signed = random_inputs({"x": ((5000,), "int8")})["x"]
    assert (signed.min(), signed.max()) == (-128, 127)


def test_an_input_that_is_no_number_to_time():
    with pytest.raises(ProfilerError, match=r"^input tokens is int64; only float and 8-bit inputs can be profiled$"):
        random_inputs({"tokens": ((1, 7), "int64")})
