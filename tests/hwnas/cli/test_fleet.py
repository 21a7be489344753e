"""`hwnas fleet`: several devices, their fronts, and one network for all of them."""

import csv
import json

import numpy as np
import pytest

from hwnas.cli.main import main
from hwnas.spaces import NasBenchMacro, every_network, mbconv_space
from latency_tables import LatencyModel, LatencyTable, OpCost, Provenance, TableRow, Target, load_table, save_table
from latency_tables.storage.find import shipped_tables
from latency_tables.storage.signed import write_signed

SPACE = NasBenchMacro()
EVERY = every_network(SPACE)
WORTH = np.random.default_rng(1).uniform(0, 0.05, (8, 3))
TRAINED = np.random.default_rng(2).choice(EVERY, 60, replace=False)


def truth(archs):
    return 0.5 + sum(WORTH[gene][archs[:, gene]] for gene in range(8))


def save_device(folder, seed):
    rng = np.random.default_rng(seed)
    target = Target("board", "tflite", "1", "fp32", 1, 1)
    provenance = Provenance(target, SPACE.name, 350.0, "", {}, "2026-01-01", 1.0)
    rows = tuple(TableRow(op, OpCost(0.1, 10**6, 10**4), median_us=float(rng.uniform(50, 500))) for op in SPACE.all_ops)
    save_table(LatencyTable(rows, provenance, b""), folder)
    return LatencyModel(load_table(folder), SPACE)


@pytest.fixture
def devices(tmp_path):
    return {name: save_device(tmp_path / name, seed) for seed, name in enumerate(("jetson", "cpu"))}


@pytest.fixture
def command(tmp_path, devices):
    """Write accuracies and give the command line for these options."""
    lines = [f"{SPACE.to_text(a)},{accuracy}" for a, accuracy in zip(TRAINED, truth(TRAINED), strict=True)]
    (tmp_path / "trained.csv").write_text("\n".join(["arch,accuracy", *lines]) + "\n")

    def make(*options, tables=("jetson", "cpu")):
        where = [word for name in tables for word in ("--table", f"{name}={tmp_path / name}")]
        fixed = ["--space", SPACE.name, "--accuracy", tmp_path / "trained.csv", "--out", tmp_path / "out", *where]
        return [str(word) for word in ("fleet", *fixed, *options)]

    return make


def test_one_network_for_all_and_every_front(command, devices, tmp_path, capfd):
    every_ms = {name: model.predict(EVERY).upper_ms for name, model in devices.items()}
    limits = {name: float(np.quantile(ms, 0.4)) for name, ms in every_ms.items()}
    options = [word for name, ms in limits.items() for word in ("--budget-ms", f"{name}={ms}")]
    assert main(command(*options, "--budget-mb", "0.9", "--budget-macs", "9", "--budget-params", "1", "--json")) == 0
    answer = json.loads(capfd.readouterr().out)
    assert answer == json.loads((tmp_path / "out" / "fleet.json").read_text())
    assert (answer["space"], answer["networks"]) == (SPACE.name, 60)
    assert answer["heldout_tau"] > 0.8
    chosen = answer["chosen"]
    arch = SPACE.from_text(chosen["arch"])[None]
    assert chosen["proven"]
    assert chosen["bound"] == pytest.approx(chosen["accuracy"], abs=1e-4)
    for name, model in devices.items():
        assert chosen["upper_ms"][name] == pytest.approx(model.predict(arch).upper_ms[0])
        assert chosen["upper_ms"][name] <= limits[name]
    inside = np.all([every_ms[name] <= limits[name] for name in devices], axis=0)
    inside &= np.array([len(SPACE.ops(a)) for a in EVERY]) <= 9
    assert truth(arch)[0] > np.quantile(truth(EVERY[inside]), 0.98)
    units = ["ms on jetson", "ms on cpu", "MB", "M MACs", "M parameters"]
    assert [budget["name"] for budget in chosen["budgets"]] == units
    left = {budget["name"]: budget["left_pct"] for budget in chosen["budgets"]}
    assert left == pytest.approx({b["name"]: 100 * (1 - b["cost"] / b["limit"]) for b in chosen["budgets"]})
    assert left[chosen["limited_by"]] == min(left.values())
    with open(tmp_path / "out" / "fronts.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for name in devices:
        mine = [row for row in rows if row["front"] == name]
        device = answer["devices"][name]
        assert len(mine) == device["front"]
        assert (device["whole"], device["calibrated"]) == (True, False)
        archs = np.array([SPACE.from_text(row["arch"]) for row in mine])
        assert np.array_equal(archs[0], EVERY[every_ms[name].argmin()])
        assert device["best"]["arch"] == mine[-1]["arch"]
        for other, there in devices.items():
            assert [float(row[f"ms_{other}"]) for row in mine] == pytest.approx(there.predict(archs).ms)
            assert [float(row[f"upper_ms_{other}"]) for row in mine] == pytest.approx(there.predict(archs).upper_ms)
    assert (tmp_path / "out" / "fleet.png").read_bytes().startswith(b"\x89PNG")


def test_for_people_and_near_a_start(command, devices, capfd):
    start = EVERY[-1]
    limit = float(np.quantile(devices["cpu"].predict(EVERY).upper_ms, 0.5))
    near = ("--start", SPACE.to_text(start), "--changes", "3")
    assert main(command("--budget-ms", str(limit), *near, tables=("cpu",))) == 0
    said = capfd.readouterr().out
    assert "accuracy from 60 networks: Kendall's tau 0." in said
    assert "cpu: " in said
    assert "every best trade, a plain sum of ops that no whole network has calibrated" in said
    assert "nothing within the budgets is better, 3 genes changed" in said
    assert f"of {limit:g} ms on cpu" in said
    assert "3 of 3 genes changed, 0.0 % left" in said
    assert "limited by genes changed" in said


def test_without_budgets_only_the_fronts(command, capfd):
    assert main(command()) == 0
    said = capfd.readouterr().out
    assert "one network" not in said
    assert said.count("fastest") == said.count("best   ") == 2


def test_calibrated_tables_that_ship(tmp_path, capfd):
    space = mbconv_space("mbconv-32")
    archs = space.sample(np.random.default_rng(0), 40)
    rows = [f'"{space.to_text(a)}",{60 + len(space.ops(a)) + a[1] / 10}' for a in archs]  # in percent
    (tmp_path / "trained.csv").write_text("\n".join(["arch,accuracy", *dict.fromkeys(rows)]) + "\n")
    folders = sorted(path.parent for path in shipped_tables().rglob("mbconv-32/provenance.json"))[:2]
    tables = [word for i, folder in enumerate(folders) for word in ("--table", f"d{i}={folder}")]
    line = ["fleet", "--space", "mbconv-32", "--accuracy", tmp_path / "trained.csv", "--out", tmp_path / "out", *tables]
    line += ["--rungs", "3", "--budget-ms", "d0=0.3", "--budget-ms", "d1=0.25", "--json"]
    assert main([str(word) for word in line]) == 0
    answer = json.loads(capfd.readouterr().out)
    assert all(
        device["calibrated"] and device["proven"] and device["front"] >= 2 for device in answer["devices"].values()
    )
    assert 0.6 < answer["chosen"]["accuracy"] < 0.8
    assert answer["chosen"]["upper_ms"]["d0"] <= 0.3
    assert answer["chosen"]["upper_ms"]["d1"] <= 0.25


def test_an_impossible_budget_names_the_least_of_each(command, devices, refused, tmp_path):
    said = refused(*command("--budget-ms", "jetson=0.001", "--budget-mb", "50"))
    least = devices["jetson"].predict(EVERY).upper_ms.min()
    assert "no network of nasbench-macro fits 0.001 ms on jetson and 50 MB" in said
    assert f"has the fewest ms on jetson, {least:.4g}" in said
    assert "has the fewest MB, " in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--budget-ms", "phone=4"], "there is no device 'phone' for a budget; there are jetson, cpu"),
        (["--budget-ms", "4"], "--budget-ms 4: write NAME=VALUE"),
        (["--budget-ms", "cpu=fast"], "--budget-ms: 'fast' is not a number"),
        (["--budget-ms", "cpu=0"], "--budget-ms must be more than 0, got 0"),
        (["--budget-ms", "cpu=nan"], "--budget-ms must be more than 0, got nan"),
        (["--budget-ms", "cpu=1", "--budget-ms", "cpu=2"], "--budget-ms names cpu twice"),
        (["--budget-mb", "-1"], "--budget-mb must be more than 0, got -1"),
        (["--table", "tables/cpu"], "--table tables/cpu: write NAME=VALUE"),
        (["--start", "22222222"], "--start and --changes go together"),
        (["--changes", "3"], "--start and --changes go together"),
        (["--start", "2222222", "--changes", "3"], "2222222"),
    ],
)
def test_options_that_cannot_be(options, words, command, refused):
    assert words in refused(*command(*options))


def test_accuracies_that_cannot_be(command, refused, tmp_path):
    path, line = tmp_path / "trained.csv", command()
    rows = path.read_text().splitlines()
    path.write_text("\n".join(rows[:8]) + "\n")
    assert "has 7 networks; a model of accuracy needs 10" in refused(*line)
    path.write_text("\n".join([rows[0], *(f"{row.partition(',')[0]},0.5" for row in rows[1:])]) + "\n")
    assert "is 0.5: there is nothing to learn" in refused(*line)
    path.write_text("\n".join(["network,accuracy", *rows[1:]]) + "\n")
    assert "has no column 'arch'" in refused(*line)
    path.unlink()
    assert "there is no file" in refused(*line)
    path.mkdir()
    assert "is no run with accuracies; run `hwnas train-supernet --out" in refused(*line)
    (path / "stages").mkdir()
    (path / "stages" / "predict.json").write_text('{"result": {"archs": ["00000000"]}}')
    assert "is damaged; run `hwnas train-supernet --out" in refused(*line)


def test_accuracies_of_a_run(command, tmp_path, capfd):
    path, line = tmp_path / "trained.csv", command("--json")
    path.unlink()
    (path / "stages").mkdir(parents=True)
    result = {"archs": [SPACE.to_text(a) for a in TRAINED], "true_class_probability": truth(TRAINED).tolist()}
    write_signed(path / "stages" / "predict.json", {"result": result})
    assert main(line) == 0
    assert json.loads(capfd.readouterr().out)["networks"] == 60


def test_a_table_of_another_space(command, refused, tmp_path):
    (folder,) = sorted(path.parent for path in shipped_tables().rglob("mbconv-224/provenance.json"))
    said = refused(*command("--table", f"phone={folder}"))
    assert "is for mbconv-224" in said
    assert "is not a latency table" in refused(*command("--table", "phone=nowhere"))
