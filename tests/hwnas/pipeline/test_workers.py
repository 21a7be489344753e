"""Finalists trained on a Ray cluster of this machine: the same networks, stages and report as trained here."""

import hashlib
import importlib.util
import json

import pytest

from hwnas.cli.main import main

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs ray: pip install 'hwnas[ray]'")


def weights(folder):
    return {p.parent.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("weights.safetensors")}


def trainings(folder):
    """The records of the stages `train`, without how long they took."""
    records = {p.stem: json.loads(p.read_text()) for p in (folder / "stages").glob("train-*.json")}
    assert all(record.pop("seconds") > 0 for record in records.values())
    return records


@needs_ray
@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_and_the_run_goes_on_as_ever(finished, own_copy, tiny, hwnas):
    for record in (own_copy / "stages").glob("train-*.json"):
        record.unlink()
    for network in own_copy.rglob("weights.safetensors"):
        network.unlink()
    done = hwnas("run", *tiny, "--workers", "local:2", "--json", "--out", own_copy)
    assert done.returncode in (0, 1), done.stderr
    assert "training networks on workers ..." in done.stderr
    assert "training a network" not in done.stderr
    assert len(weights(finished.folder)) == 2
    assert weights(own_copy) == weights(finished.folder)
    assert trainings(own_copy) == trainings(finished.folder)
    before, now = (json.loads(text) for text in (finished.process.stdout, done.stdout))
    assert [before.pop("seconds").keys(), before] == [now.pop("seconds").keys(), now]

    again = hwnas("run", *tiny, "--json", "--out", own_copy)  # by default the work is done here again: there is none
    assert again.stderr.count("training a network: already done") == 2
    assert "report: already done" in again.stderr


def test_nobody_knows_such_workers(tmp_path, capsys):
    assert main(["run", "--workers", "local:none", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert said == "hwnas: unknown --workers 'local:none'; there are here, local, local:4, auto, ray://host:10001\n"
    assert not (tmp_path / "run").exists()
