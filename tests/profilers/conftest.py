import subprocess
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from latency_tables import Op, OpCost, ProfilerError, Target
from latency_tables.storage.journal import read_journal
from profilers import Profiler, Protocol, RuntimeSetting, Session, write_plan
from profilers.boards.kit import Part, pack_kit


def onnx_bytes(nodes, constants, in_shape, out_shape, dtype="FLOAT", opset=17):
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
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture(scope="session")
def make_onnx():
    return onnx_bytes


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
def int8_model(onnx_model):
    pytest.importorskip("torch", reason="the quantiser is in the room of the spaces, which needs torch")
    from hwnas.lowering.precision import quantised

    return quantised(onnx_model(2))


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

    def start(self, engine):
        model = engine.content
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


QUICK = Protocol(group_us=300, maximum_runs=6, groups=1, minimum_rounds=2, maximum_rounds=2, disturbed_rounds=0)


@pytest.fixture(scope="session")
def make_kit(onnx_model, model_that_fails_when_run):
    """Pack a kit of three ops, the last of which fails when it is run, and two whole networks."""

    def make(folder, protocol=QUICK, runtime="onnxruntime", **setting):
        models = {1: onnx_model(1, side=16), 4: onnx_model(4, side=16), 0: model_that_fails_when_run}
        ops = [(op.key, op, OpCost(0.1, 1, 1), m) for op, m in ((Op.of("net", (i,)), m) for i, m in models.items())]
        networks = [(f"tiny:{i}", None, None, onnx_model(i, side=16)) for i in (2, 6)]
        reference = onnx_model(2, side=16)
        op_plan, net_plan = (
            write_plan(folder / f"{name}-plan", "tiny", reference, m) for name, m in (("op", ops), ("net", networks))
        )
        rounds = {f"{which}_rounds": getattr(protocol, f"{which}_rounds") // 2 for which in ("minimum", "maximum")}
        in_pairs = replace(protocol, in_a_row=2, **rounds)
        parts = {"ops": Part(op_plan, protocol), "networks": Part(net_plan, in_pairs)}
        pack_kit(parts, RuntimeSetting(runtime, **setting), folder / "kit.pyz")
        return folder / "kit.pyz"

    return make


@pytest.fixture(scope="session")
def quick_kit(make_kit, tmp_path_factory):
    """A kit that is measured in a fraction of a second."""
    return make_kit(tmp_path_factory.mktemp("quick"))


@pytest.fixture(scope="session")
def slow_kit(make_kit, tmp_path_factory):
    """A kit that takes a second or two, so that something can happen meanwhile."""
    protocol = Protocol(
        group_us=20_000, maximum_runs=1000, groups=2, minimum_rounds=4, maximum_rounds=4, disturbed_rounds=0
    )
    return make_kit(tmp_path_factory.mktemp("slow"), protocol)


@pytest.fixture(scope="session")
def complete():
    """Whether results hold every visit of every model of a tiny kit, each exactly once."""

    def check(results, rounds):
        for part, keys in (("ops", ("net(1)", "net(4)")), ("networks", ("tiny:2", "tiny:6"))):
            in_a_row = 1 if part == "ops" else 2
            wanted = Counter({(key, r): in_a_row for key in keys for r in range(rounds // in_a_row)})
            wanted += Counter([("net(0)", 0)] if part == "ops" else [])
            if Counter((r["key"], r["round"]) for r in read_journal(results / f"{part}.jsonl")[1]) != wanted:
                return False
        return True

    return check


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own, of so many bytes."""
    mounted = []

    def make(size):
        folder = tmp_path / "disk"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as e:
            pytest.skip(f"a small disk cannot be mounted here: {e}")
        if done.returncode != 0:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)
