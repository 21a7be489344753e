"""`hwnas table check` on a small space of our own, measured for real."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from hwnas.cli.main import main
from hwnas.spaces import load_space
from hwnas.tables.calibrated import load_model
from hwnas.tables.check import Check
from hwnas.tables.workbench import Workbench
from latency_tables import LatencyPrediction, TableError, load_table, save_table
from latency_tables.model.agreement import Agreement
from latency_tables.storage.networks import read_networks, save_networks
from profilers.runtimes import make_profiler
from profilers.where import ThisMachine

SPACE = """
import numpy as np
from torch import nn

from hwnas.spaces import SearchSpace, Slot
from latency_tables import Op

SHAPES = ((3, 32, 32), (16, 16, 16), (16, 8, 8), (16, 4, 4))


class Stack(SearchSpace):
    name, input_shape, cardinalities = "stack", (3, 32, 32), (3, 3, 3, 3)

    def __init__(self, num_classes=10):
        self.num_classes = num_classes

    @property
    def slots(self):
        kernels = [tuple((Op.of("conv", s, kernel=k, out=16),) for k in (1, 3, 5)) for s in SHAPES]
        convolutions = [Slot((gene,), choices) for gene, choices in enumerate(kernels)]
        return (*convolutions, Slot.fixed(Op.of("head", (16, 2, 2), out=self.num_classes)))

    def build_op(self, op):
        if op.kind == "head":
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(op.in_shape[0], op["out"]))
        conv = nn.Conv2d(op.in_shape[0], op["out"], op["kernel"], 2, op["kernel"] // 2, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(op["out"]), nn.ReLU())
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The name of the space, and the folder of its table, not yet calibrated."""
    folder = tmp_path_factory.mktemp("stack")
    (folder / "stack.py").write_text(SPACE)
    name = f"{folder / 'stack.py'}:Stack"
    bench = Workbench(load_space(name), ThisMachine(make_profiler("onnxruntime", 1, 1)), folder, rounds=2)
    save_table(bench.table(bench.plan()), folder / "table")
    return name, folder / "table"


@pytest.fixture(scope="module")
def calibrated(made, tmp_path_factory):
    """The same, after a first check has calibrated it; and what that check said."""
    name, table = made
    own = shutil.copytree(table, tmp_path_factory.mktemp("calibrated") / "table")
    code = main(["table", "check", str(own), "--space", name, "--nets", "12", "--seed", "5", "--rounds", "2"])
    return name, own, code


def test_the_first_check_calibrates_and_keeps_what_it_measured(calibrated):
    _, table, code = calibrated
    networks = read_networks(table)
    assert 60 <= len(networks) <= 69  # 81 networks, 12 of them fresh
    assert len({text for text, _ in networks}) == len(networks)
    content = json.loads((table / "check.json").read_text())
    assert code == (0 if content["problem"] is None else 1)
    assert len(content["measured_ms"]) == len(content["predicted_ms"]) == 12
    errors = np.array(content["predicted_ms"]) / np.array(content["measured_ms"]) - 1
    assert content["figures"]["mape_pct"] == pytest.approx(100 * np.abs(errors).mean())
    assert content["figures"]["calibrated_on"] == len(networks)
    assert (table / "check.png").read_bytes().startswith(b"\x89PNG")


def test_a_second_check_uses_that_calibration(calibrated, tmp_path, capsys):
    name, table, _ = calibrated
    own = shutil.copytree(table, tmp_path / "table")
    before = (own / "networks.csv").read_bytes()
    code = main(["table", "check", str(own), "--space", name, "--nets", "6", "--seed", "9", "--rounds", "1", "--json"])
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (own / "networks.csv").read_bytes() == before
    assert answer["fits"] == (code == 0)
    assert answer["calibrated_on"] == len(read_networks(own))


def test_a_device_that_has_changed_is_found_out(calibrated, tmp_path, capsys):
    name, table, _ = calibrated
    own = shutil.copytree(table, tmp_path / "table")
    save_networks(own, [(text, 3 * ms) for text, ms in read_networks(own)])  # it was three times slower then
    assert main(["table", "check", str(own), "--space", name, "--nets", "10", "--seed", "7", "--rounds", "1"]) == 1
    said = capsys.readouterr().out
    assert "the table does not fit: only 0 of 10 networks are inside their 90 % interval" in said


@pytest.mark.parametrize(
    ("inside", "slowdown", "says"),
    [
        (50, 1.0, None),
        (40, 1.0, None),
        (35, 1.0, "only 35 of 50"),
        (50, 1.3, "takes 1.30 x"),
        (50, 0.7, "takes 0.70 x"),
    ],
)
def test_what_no_longer_fits_by_hand(inside, slowdown, says):
    # of 50, fewer than 36 inside has a chance below one in a thousand when 90 % should be
    measured = np.where(np.arange(50) < inside, 1.0, 2.0)
    prediction = LatencyPrediction(np.ones(50), np.full(50, 0.9), np.full(50, 1.1))
    problem = Check(Agreement(prediction, measured), slowdown, 40).problem
    assert problem is None if says is None else says in problem


def test_of_another_target(made, tmp_path, capsys):
    name, table = made
    loaded = load_table(table)
    target = replace(loaded.provenance.target, device="another")
    save_table(replace(loaded, provenance=replace(loaded.provenance, target=target)), tmp_path / "table")
    assert main(["table", "check", str(tmp_path / "table"), "--space", name]) == 2
    assert "device is 'another'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--nets", "0"], "--nets must be at least 1"),
        (["--seed", "-1"], "--seed at least 0"),
        (["--nets", "70"], "has only"),
        (["--space", "nowhere"], "unknown space 'nowhere'"),
    ],
)
def test_what_cannot_be_asked(calibrated, tmp_path, capsys, options, says):
    name, table, _ = calibrated
    own = shutil.copytree(table, tmp_path / "table")
    assert main(["table", "check", str(own), "--space", name, *options]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1 or said.splitlines()[-1].startswith("hwnas: ")


def test_too_few_calibration_networks(calibrated, tmp_path):
    name, table, _ = calibrated
    own = shutil.copytree(table, tmp_path / "table")
    save_networks(own, read_networks(own)[:9])
    with pytest.raises(TableError, match="has 9 calibration networks and needs 10"):
        load_model(own, load_table(own), load_space(name))


def test_an_edited_network_is_not_believed(calibrated, tmp_path):
    name, table, _ = calibrated
    own = shutil.copytree(table, tmp_path / "table")
    networks = own / "networks.csv"
    networks.write_bytes(networks.read_bytes().replace(b"0.", b"9.", 1))
    with pytest.raises(TableError, match=r"networks\.csv was edited or damaged"):
        load_model(own, load_table(own), load_space(name))


def test_a_latency_that_makes_no_sense_is_named(calibrated, tmp_path):
    name, table, _ = calibrated
    own = shutil.copytree(table, tmp_path / "table")
    (text, ms), *others = read_networks(own)
    save_networks(own, [(text, 1e6 * ms), *others])
    with pytest.raises(TableError, match=r"networks left out of the calibration of .* % off on average") as caught:
        load_model(own, load_table(own), load_space(name))
    assert text in str(caught.value)


def test_a_board_is_asked_where_it_is(calibrated, serve, keys, tmp_path, capsys):
    trust = pytest.importorskip("benchmarks._loopback").trust
    name, table, _ = calibrated
    folder, board = shutil.copytree(table, tmp_path / "table"), serve()
    trusted = trust(tmp_path / "known", keys / "host.pub", board.port)
    there = ["--device", f"ssh://me@127.0.0.1:{board.port}", "--identity", str(keys / "user"), "--known-hosts"]
    words = ["table", "check", str(folder), "--space", name, "--nets", "3", "--rounds", "1", "--json"]
    words += [*there, str(trusted)]
    code, said = main(words), capsys.readouterr()
    assert json.loads(said.out)["fits"] == (code == 0)
    assert len(json.loads((folder / "check.json").read_text())["measured_ms"]) == 3
    assert "asking me@127.0.0.1 what it is" in said.err
    assert len(board.connections) >= 2
    assert main([*words[:3], "--runtime", "own.py:Mine", *there, str(trusted)]) == 2
    assert "with --device the table says which runtime measures" in capsys.readouterr().err
