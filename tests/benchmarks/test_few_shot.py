"""The few-shot benchmark: its figures by hand, and a small run on the real devices where their data is."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks._few_shot_methods import Forecast, Methods
from benchmarks._help_data import SPACES, DeviceData, load
from benchmarks._speak import DATA_FOLDER
from benchmarks.few_shot import evaluate, figures, score_one

ROOT = Path(__file__).resolve().parents[2]


def test_a_score_by_hand():
    ms = np.array([10.0, 20.0, 30.0, 40.0, 50.0])
    forecast = Forecast(np.array([1.0, 20.8, 33.1, 40.0, 49.0]), ms * 0.99, np.array([99, 99, 29, 99, 99.0]))
    # row 0 was timed; the others are 4, 10.3, 0 and 2 % off, and the third is above its interval
    rho, within5, within10, inside = score_one(forecast, ms, np.array([0]))
    assert (rho, within5, within10, inside) == pytest.approx((1, 75, 75, 75))
    assert score_one(Forecast(np.ones(5)), ms, np.array([0]))[0] == 0
    assert np.isnan(score_one(Forecast(ms), ms, np.array([0]))[3])


def made_data():
    """Three devices that are additive in five ops, one of which counts only half of them."""
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 4, (300, 5)).astype(float)
    costs = np.array([[1.0, 2, 3, 4, 5]])
    ms = {f"titan_rtx_{i}": counts @ rng.uniform(1, 5, 5) + i for i in (1, 32)}
    ms |= {name: counts @ rng.uniform(1, 5, 5) for name in ("v100_1", "2080ti_1")}
    return DeviceData("ofa", {"all": counts}, costs, (np.arange(5),), counts @ costs[0], ms)


def test_every_method_on_made_devices():
    methods = Methods(made_data())
    names = ["with_prior", "without_prior", "macs", "ridge", "pooled_ridge", "mixture", "best_proxy"]
    scores = evaluate(methods, names, methods.data.test_devices, 8, range(2), False)
    assert [(s.method, s.device) for s in scores[:2]] == [
        ("with_prior", "titan_rtx_1"),
        ("without_prior", "titan_rtx_1"),
    ]
    result = figures(scores, "with_prior")
    ours = [s.spearman for s in scores if s.method == "with_prior"]
    assert result["spearman_mean"] == pytest.approx(np.mean(ours))
    assert result["spearman.titan_rtx_32"] == ours[1]
    assert result["spearman_mean"] > 0.95
    assert result["spearman_mean"] > result["macs.spearman_mean"]
    assert {"within5_pct_mean", "within10_pct_mean", "macs.spearman_mean", "best_proxy.spearman.titan_rtx_1"} <= set(
        result
    )
    chosen = methods.choose("titan_rtx_1", np.arange(100, 150), 6, True)
    assert len(set(chosen.tolist())) == 6
    assert (chosen >= 100).all()
    assert (chosen < 150).all()


def test_test_devices_are_never_known():
    data = made_data()
    assert set(data.pool("titan_rtx_1")) == {"v100_1", "2080ti_1"}
    assert set(data.pool("v100_1")) == {"2080ti_1"}


def run(*arguments):
    command = [sys.executable, "-m", "benchmarks.few_shot", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_without_the_data_it_says_so_and_stops(tmp_path):
    done = run("--data-folder", str(tmp_path))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"few_shot: {tmp_path}/help_nb201_latency.csv.gz: No such file or directory; "
        "name the folder of HELP's latencies with --data-folder"
    ]


needs_data = pytest.mark.skipif(
    not (DATA_FOLDER / "help_nb201_latency.csv.gz").exists(),
    reason="HELP's latencies are not in shared/data beside the repository",
)


@needs_data
@pytest.mark.parametrize("space", SPACES)
def test_the_data_and_who_may_know_whom(space):
    data = load(space)
    kept_out = {"fbnet": {"raspi4", "pixel3", "eyeriss", "fpga"}}.get(space, set())
    for device in (*data.test_devices, *data.development_devices):
        pool = set(data.pool(device))
        assert pool
        assert device not in pool
        assert not pool & set(data.test_devices)
        assert not pool & kept_out
    assert not set(data.development_devices) & set(data.test_devices)
    for counts in data.countings.values():
        assert counts.shape == (len(data.macs), data.costs.shape[1])
        assert all(len(g) == counts.shape[1] for g in data.groups)


@needs_data
def test_macs_of_the_spaces():
    # published: once-for-all's MobileNetV3 sub-networks reach about 0.6 GMACs at 224 px; these are random ones
    assert 0.3e9 < load("ofa").macs.max() < 0.6e9
    assert load("fbnet").macs.max() < 0.6e9
    nb201 = load("nb201")
    assert np.unique(nb201.macs).tolist() == sorted({9 * a + b for a in range(7) for b in range(7 - a)})


@needs_data
def test_a_small_run_on_real_devices():
    done = run("--space", "nb201", "--quick", "--seeds", "2", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["settings"]["seeds"] == 2
    assert found["figures"]["spearman_mean"] > 0.93
    assert found["figures"]["spearman_mean"] > found["figures"]["pooled_ridge.spearman_mean"]
