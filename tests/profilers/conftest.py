import numpy as np
import pytest

from latency_tables import Op, OpCost, ProfilerError, Target
from profilers import Profiler, Session, write_plan


def onnx_bytes(nodes, constants, in_shape, out_shape, dtype="FLOAT"):
    """An ONNX model from x to y."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    x, y = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DataType.Value(dtype), shape)
        for name, shape in (("x", in_shape), ("y", out_shape))
    )
    nodes = [onnx.helper.make_node(kind, inputs, [output], **more) for kind, inputs, output, more in nodes]
    constants = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = onnx.helper.make_graph(nodes, "tiny", [x], [y], constants)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture(scope="session")
def onnx_model():
    """Make the ONNX model of a few 3x3 convolutions."""

    def make(layers=1, channels=4, side=8, batch=1):
        names = ["x", *(f"h{i}" for i in range(1, layers)), "y"]
        nodes = [("Conv", [names[i], f"w{i}"], names[i + 1], {"pads": [1] * 4}) for i in range(layers)]
        weights = {f"w{i}": np.full((channels, channels, 3, 3), 0.1, np.float32) for i in range(layers)}
        shape = [batch, channels, side, side]
        return onnx_bytes(nodes, weights, shape, shape)

    return make


@pytest.fixture(scope="session")
def model_that_fails_when_run():
    """Three numbers cannot be made into 77, but the batch is not known before the model runs."""
    return onnx_bytes([("Reshape", ["x", "to"], "y", {})], {"to": np.array([7, 11])}, ["n", 3], [7, 11])


@pytest.fixture(scope="session")
def model_of_integers():
    return onnx_bytes([("Identity", ["x"], "y", {})], {}, [1, 2], [1, 2], "INT64")


class FakeSession(Session):
    """A model that says its microseconds; the profiler's drift makes all of them slower."""

    def __init__(self, profiler, us):
        self.profiler, self.us, self.calls, self.closed = profiler, us, [], False

    def run(self):
        self.calls.append("run")

    def time_us(self, runs):
        self.calls.append(runs)
        self.profiler.drift *= self.profiler.drift_per_group
        return np.full(runs, self.us * self.profiler.drift)

    def close(self):
        self.closed = True


class FakeProfiler(Profiler):
    """Its models are bytes such as b"120 us"; anything else is refused. Counts what it opens."""

    def __init__(self, drift_per_group=1.0, fail_after=None, threads=1):
        self.drift, self.drift_per_group, self.threads = 1.0, drift_per_group, threads
        self.fail_after, self.opened, self.sessions = fail_after, [], []

    def target(self):
        return Target("device", "fake", "1", "fp32", 1, self.threads, "performance")

    def open(self, model):
        number, _, unit = model.partition(b" ")
        if unit != b"us" or not number.isdigit():
            raise ProfilerError(f"fake refuses {model[:20]!r}")
        if self.fail_after is not None and len(self.opened) >= self.fail_after:
            raise KeyboardInterrupt
        self.opened.append(model)
        self.sessions.append(FakeSession(self, float(number)))
        return self.sessions[-1]


@pytest.fixture(scope="session")
def fake_profiler():
    return FakeProfiler


REFERENCE = b"50 us"


@pytest.fixture
def make_plan(tmp_path):
    """A plan of one op a model; the ops are called after their bytes."""

    def make(*models, folder=tmp_path / "plan"):
        entries = [(Op.of(m.decode(), (i,)), OpCost(0.5, 10, 20), m) for i, m in enumerate(models)]
        return write_plan(folder, "fake-space", REFERENCE, [(op.key, op, cost, m) for op, cost, m in entries])

    return make
