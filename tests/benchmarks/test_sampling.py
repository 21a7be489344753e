"""Sample efficiency and rank correlation: their figures by hand, and small runs on the real benchmarks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import rank_correlation, sample_efficiency
from benchmarks._nas_data import device_budget, load
from benchmarks._sampling_runs import Outcome, Task, figures, run_one
from benchmarks._speak import DATA_FOLDER
from hwnas.search.budget import feasible

ROOT = Path(__file__).resolve().parents[2]
NB201 = DATA_FOLDER / "nb201_accuracy.csv.gz"
needs_nb201 = pytest.mark.skipif(not NB201.exists(), reason="NAS-Bench-201's accuracies are not here")


def outcome(to_optimum, validation, test, over=0):
    return Outcome(to_optimum, 95.0, validation, test, over, seconds=2.0, fit_seconds=1.5)


def test_figures_by_hand():
    rising = [90.0] * 49 + [94.0] + [95.0] + [91.0] * 49
    test = [80.0] * 49 + [85.0] + [84.0] + [88.0] * 49
    found = figures([outcome(51, rising, test), outcome(None, rising, test, over=1)], 100)
    assert found["queries_to_val_optimum_median"] == 76  # 51, and 101 for the one that never got there
    assert found["reached_optimum_pct"] == 50
    assert found["over_budget"] == 1
    assert found["fit_share_pct"] == 75
    # validation chooses query 50, then query 51; the oracle knows of the 88 that validation does not
    assert (found["selected_test_at_50"], found["selected_test_at_100"]) == (85, 84)
    assert (found["oracle_test_at_50"], found["oracle_test_at_100"]) == (85, 88)
    assert found["oracle_test_at_50_se"] == 0


def test_shorter_runs_have_fewer_marks():
    found = figures([outcome(3, [1.0] * 60, [1.0] * 60)], 60)
    assert "oracle_test_at_50" in found
    assert "oracle_test_at_100" not in found


@needs_nb201
def test_the_best_cells_are_the_known_ones():
    for dataset, validation, test in (("c10", 91.57, 94.2967), ("c100", 73.26, 73.48), ("in16", 47.3333, 46.4444)):
        benchmark = load("nb201", dataset)
        everything = benchmark.population
        accuracy = benchmark.estimate(everything).mean
        best = everything[[accuracy.argmax()]]
        assert len(everything) == 15_625
        assert 100 * accuracy.max() == pytest.approx(validation)
        assert 100 * benchmark.look_up(best, "test")[0] == pytest.approx(test)


@pytest.mark.skipif(not (DATA_FOLDER / "help_nb201_latency.csv.gz").exists(), reason="HELP's latencies are not here")
@needs_nb201
def test_half_of_all_cells_keep_the_median_budget():
    benchmark = load("nb201", "c10")
    budget = device_budget(benchmark, "gold_6226", 50)
    assert feasible([budget], benchmark.population).mean() == pytest.approx(0.5, abs=0.01)


@needs_nb201
@pytest.mark.parametrize("strategy", ["prednas", "evolution"])
def test_a_run_is_repeatable_and_asks_no_cell_twice(strategy):
    task = Task("nb201", "c10", strategy, 12, 3, None, 100.0, str(DATA_FOLDER))
    one, two = run_one(task), run_one(task)
    assert one.validation == two.validation
    assert len(one.test) == 12
    assert one.over_budget == 0


def run(name, *arguments):
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@needs_nb201
def test_the_commands_speak_as_benchmarks_do(tmp_path):
    options = ["--dataset", "c10", "--strategy", "random,local", "--queries", "60", "--seeds", "3", "--workers", "1"]
    done = run("sample_efficiency", *options, "--save", str(tmp_path / "se.json"), "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["settings"]["strategy"] == ["random", "local"]
    assert 90 < said["figures"]["c10 random selected_test_at_50"] < 94.4
    assert (tmp_path / "se.png").stat().st_size > 5000

    done = run("rank_correlation", "--predictor", "ridge", "--labels", "60", "--seeds", "2", "--workers", "1", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])["figures"]
    assert 0.5 < figures["kendall_tau_val"] < 0.9


def test_what_is_asked_for_wrongly(tmp_path, monkeypatch, capsys):
    for benchmark, options, says in (
        (sample_efficiency, ["--strategy", "grid"], "unknown strategy 'grid'; there are exact, prednas"),
        (sample_efficiency, ["--dataset", "mnist"], "unknown data set 'mnist'; there are c10, c100, in16"),
        (sample_efficiency, ["--data-folder", str(tmp_path), "--seeds", "1", "--workers", "1"], "there is no file"),
        (rank_correlation, ["--predictor", "oracle"], "unknown predictor 'oracle'"),
    ):
        monkeypatch.setattr("sys.argv", ["benchmark", *options])
        with pytest.raises(SystemExit) as ended:
            benchmark.main()
        assert ended.value.code == 2
        assert says in capsys.readouterr().err


@pytest.mark.skipif(not (DATA_FOLDER / "cifar10" / "train.parquet").exists(), reason="CIFAR-10 is not here")
def test_regnets_are_really_trained_and_kept(tmp_path):
    less = [
        "--budgets",
        "macs",
        "--queries",
        "3",
        "--seeds",
        "1",
        "--images",
        "100",
        "--epochs",
        "1",
        "--percentile",
        "5",
    ]
    first, again = (run("regnet_search", *less, "--out", str(tmp_path), "--workers", "1", "--json") for _ in range(2))
    assert first.returncode == 0, first.stderr
    figures = json.loads(first.stdout.splitlines()[-1])["figures"]
    assert set(figures) == {"macs prednas", "macs random", "macs evolution", "macs gp-ucb"}
    assert all(0 <= value <= 100 for value in figures.values())
    trained = list(tmp_path.glob("trained/*/*.json"))
    assert 3 <= len(trained) <= 12
    assert json.loads(again.stdout.splitlines()[-1])["figures"] == figures
    assert sorted(tmp_path.glob("trained/*/*.json")) == sorted(trained)  # nothing was trained twice
