"""From a space to a table by way of a board that has python3, numpy and onnxruntime, and nothing else."""

import csv
import json
import shutil
import subprocess
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from hwnas.cli.main import main
from hwnas.spaces import load_space
from hwnas.spaces.sampling import calibration_networks
from hwnas.tables.kit import make_kit
from latency_tables import HwnasError, LatencyModel, load_table
from profilers import RuntimeSetting
from profilers.boards.kit import read_kit
from profilers.boards.results import import_results
from profilers.protocol import NETWORKS_PROTOCOL, OPS_PROTOCOL

pytestmark = pytest.mark.slow
ONNXRUNTIME = RuntimeSetting("onnxruntime")

SPACE = """\
from torch import nn

from hwnas.spaces import SearchSpace, Slot
from latency_tables import Op


class Plain(SearchSpace):
    name, input_shape, cardinalities = "plain", (3, 16, 16), (3, 2)

    def __init__(self, num_classes=10):
        self.num_classes = num_classes

    @property
    def slots(self):
        first = tuple((Op.of("conv", (3, 16, 16), kernel=k, out=8),) for k in (1, 3, 5))
        second = tuple((Op.of("conv", (8, 16, 16), kernel=k, out=8),) for k in (1, 3))
        return Slot((0,), first), Slot((1,), second), Slot.fixed(Op.of("head", (8, 16, 16), out=self.num_classes))

    def build_op(self, op):
        if op.kind == "head":
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, op["out"]))
        return nn.Sequential(nn.Conv2d(op.in_shape[0], 8, op["kernel"], 1, op["kernel"] // 2), nn.ReLU())
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A small space of one's own."""
    file = tmp_path_factory.mktemp("space") / "plain.py"
    file.write_text(SPACE)
    return f"{file}:Plain"


@pytest.fixture(scope="module")
def kit(plain, hwnas, tmp_path_factory):
    """A kit that the command line made."""
    file = tmp_path_factory.mktemp("kit") / "kit.pyz"
    words = ("--space", plain, "--networks", 4, "--seed", 3, "--classes", 7, "--rounds", 2, "--json", "--out", file)
    done = hwnas("kit", *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"kit": str(file), "ops": 6, "networks": 4, "bytes": file.stat().st_size}
    return file


@pytest.fixture(scope="module")
def results(kit, bare_python, tmp_path_factory):
    """What the kit left on the board."""
    pytest.importorskip("onnxruntime")
    board = tmp_path_factory.mktemp("board")
    shutil.copy(kit, board)
    python = bare_python("numpy", "onnxruntime")
    done = subprocess.run([python, "kit.pyz"], cwd=board, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return board / "results"


def test_a_kit_holds_the_space_and_the_networks_that_a_run_calibrates_on(kit, plain):
    space, opened = load_space(plain, 7), read_kit(kit)
    ops, networks = opened.parts["ops"], opened.parts["networks"]
    assert tuple(m.op for m in ops.plan.models) == space.all_ops
    assert any(op["out"] == 7 for op in space.all_ops if op.kind == "head")
    macs = {op: cost.macs for op, cost in ops.plan.costs.items()}
    drawn = calibration_networks(space, macs, 3, 4)
    assert [m.key for m in networks.plan.models] == [space.to_text(a) for a in drawn]
    assert opened.setting == RuntimeSetting("onnxruntime")
    assert (ops.protocol, networks.protocol) == (OPS_PROTOCOL.limited(2), NETWORKS_PROTOCOL.limited(2))


def test_a_kit_without_rounds_measures_as_a_run_does(plain, tmp_path):
    make_kit(load_space(plain), tmp_path / "kit.pyz", ONNXRUNTIME, networks=1)
    parts = read_kit(tmp_path / "kit.pyz").parts
    assert (parts["ops"].protocol, parts["networks"].protocol) == (OPS_PROTOCOL, NETWORKS_PROTOCOL)


def test_a_kit_says_itself_how_often_it_measures(kit, tmp_path, capsys):
    assert main(["table", "measure", str(kit), "--rounds", "1", "--out", str(tmp_path / "table")]) == 2
    assert f"{kit} says itself how often it measures; give --rounds to `hwnas kit`" in capsys.readouterr().err


def test_a_kit_has_no_room_for_what_a_board_lacks(kit):
    names = zipfile.ZipFile(kit).namelist()
    assert {name.split("/")[0] for name in names} == {
        *("__main__.py", "kit.json", "latency_tables", "profilers", "ops", "networks")
    }
    assert not [name for name in names if "__pycache__" in name or "test" in name]


def test_the_table_of_a_board(results, plain, hwnas, tmp_path):
    done = hwnas("table", "import", results, "--out", tmp_path / "table", "--json")
    assert done.returncode == 0, done.stderr
    counts = {"ops": 6, "failed": 0, "networks": 4, "damaged": 0}
    assert json.loads(done.stdout) == {"table": str(tmp_path / "table"), **counts}
    table, space = load_table(tmp_path / "table"), load_space(plain, 7)
    imported, networks, _ = import_results(results)
    provenance = replace(table.provenance, networks_sha256=imported.provenance.networks_sha256)
    assert replace(table, provenance=provenance) == imported
    assert LatencyModel(table, space).coverage().complete
    with open(tmp_path / "table" / "networks.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["arch"], float(row["ms"])) for row in rows] == networks
    archs = np.array([space.from_text(row["arch"]) for row in rows])
    assert (LatencyModel(table, space).predict(archs).ms > 0).all()


def test_people_are_told_what_to_do_next(plain, results, tmp_path, capsys):
    assert main(["kit", "--space", plain, "--networks", "0", "--out", str(tmp_path / "k.pyz")]) == 0
    said = capsys.readouterr().out
    assert "python3 k.pyz --out results" in said
    assert "hwnas table import results --out TABLE" in said
    assert main(["table", "import", str(results), "--out", str(tmp_path / "table")]) == 0
    assert capsys.readouterr().out.strip() == (f"{tmp_path / 'table'}: 6 ops, 0 without a time, 4 whole networks")


def test_a_kit_is_measured_here_too(kit, tmp_path, capsys):
    assert main(["table", "measure", str(kit), "--out", str(tmp_path / "table"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["networks"] == 4
    assert len(load_table(tmp_path / "table").rows) == 6


def test_seeds_draw_other_networks(plain, tmp_path):
    space = load_space(plain)
    for seed in (0, 0, 1):
        make_kit(space, tmp_path / f"{len(list(tmp_path.iterdir()))}.pyz", ONNXRUNTIME, networks=3, seed=seed)
    first, again, other = ((tmp_path / f"{i}.pyz").read_bytes() for i in range(3))
    assert first == again
    drawn = [[m.key for m in read_kit(tmp_path / f"{i}.pyz").parts["networks"].plan.models] for i in (0, 2)]
    assert drawn[0] != drawn[1]
    with pytest.raises(HwnasError, match="at least 0"):
        make_kit(space, tmp_path / "x.pyz", ONNXRUNTIME, networks=-1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.pyz", "1.pyz", "2.pyz"]
    assert other != first
