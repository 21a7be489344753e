"""The front of a finished run: printed, and a few of its networks measured on this machine."""

import json

import numpy as np
import pytest
from PIL import Image

from hwnas.cli.main import main
from hwnas.run.folder import SETTINGS_FILE
from hwnas.run.front import spread


@pytest.mark.parametrize(
    ("count", "indices"),
    [(2, [0, 5]), (3, [0, 3, 5]), (4, [0, 2, 4, 5]), (6, [0, 1, 2, 3, 4, 5]), (99, [0, 1, 2, 3, 4, 5])],
)
def test_chosen_latencies_are_spread_evenly(count, indices):
    """Of 1, 1.1, 1.9, 3.2, 3.8, 5 ms: aims are 1, 3, 5 for three of them, and 1, 2.33, 3.67, 5 for four."""
    assert spread(np.array([1.0, 1.1, 1.9, 3.2, 3.8, 5.0]), count).tolist() == indices


def test_equal_latencies_are_not_chosen_twice():
    assert spread(np.array([2.0, 2.0, 2.0]), 2).tolist() == [0, 1]


def test_the_front_is_printed_fastest_first(own_copy, capsys):
    assert main(["pareto", "--out", str(own_copy), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["networks"]
    assert main(["search", "--out", str(own_copy), "--json"]) == 0
    searched = json.loads(capsys.readouterr().out)["front"]
    assert {one["arch"] for one in told} == {one["arch"] for one in searched}
    assert [one["ms"] for one in told] == sorted(one["ms"] for one in told)
    assert all(one["lower_ms"] <= one["ms"] <= one["upper_ms"] for one in told)
    assert main(["pareto", "--out", str(own_copy)]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["probability", "ms", "lower", "upper", "precision", "arch"]
    assert [line.split()[-1] for line in lines] == [one["arch"] for one in told]


def test_networks_of_the_front_are_measured_once_and_drawn(own_copy, capsys):
    settings = (own_copy / SETTINGS_FILE).read_bytes()
    command = ["pareto", "--verify", "2", "--out", str(own_copy), "--json"]
    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)
    networks = told["networks"]
    assert len(networks) == len({one["arch"] for one in networks}) == 2
    for one in networks:
        assert 0 < one["measured_low_ms"] <= one["measured_ms"] <= one["measured_high_ms"]
    assert told["inside_interval"] == sum(one["lower_ms"] <= one["measured_ms"] <= one["upper_ms"] for one in networks)
    assert Image.open(told["plot"]).width > 500
    assert main(command) == 0
    again = capsys.readouterr()
    assert json.loads(again.out) == told
    assert again.err.count("measuring the front: already done") == 2
    assert main(["pareto", "--verify", "1", "--out", str(own_copy)]) == 0
    said = capsys.readouterr()
    assert "1 inside the predicted 90 % interval; " in said.out
    assert (own_copy / SETTINGS_FILE).read_bytes() == settings  # --verify is for one command


def test_how_many_to_measure_is_checked_at_the_door(own_copy, capsys):
    assert main(["pareto", "--verify", "0", "--out", str(own_copy)]) == 2
    assert "--verify must be at least 1, got 0" in capsys.readouterr().err
