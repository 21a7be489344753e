"""Finalists trained on a Ray cluster of this machine: the same networks and stages as trained here."""

import importlib.util
import json
import shutil

import pytest
import torch

from hwnas.cli.main import main
from hwnas.training import load_checkpoint

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs ray: pip install 'hwnas[ray]'")


def trained(folder):
    """What the stages `train` say, and the weights they left, by network."""
    records = {p.stem: json.loads(p.read_text()) for p in (folder / "stages").glob("train-*.json")}
    assert all(record["seconds"] > 0 for record in records.values())
    said = {name: (record["inputs"], record["result"]) for name, record in records.items()}
    weights = {p.parent.name: load_checkpoint(p).tensors for p in folder.rglob("weights.safetensors")}
    return said, weights


@needs_ray
@pytest.mark.slow
@pytest.mark.measures
def test_the_same_seed_gives_the_same_weights_and_stages_that_are_done(finished, own_copy, tiny, hwnas):
    for record in (own_copy / "stages").glob("train-*.json"):
        record.unlink()
    shutil.rmtree(own_copy / "candidates")
    done = hwnas("train", *tiny, "--workers", "local:2", "--out", own_copy)
    said = done.stderr
    assert done.returncode == 0, said
    assert "training networks on workers: " in said
    assert "training a network" not in said
    (here, weights_here), (there, weights_there) = trained(finished.folder), trained(own_copy)
    assert len(here) == len(weights_here) == 2
    assert there == here
    for name, tensors in weights_here.items():
        assert tensors.keys() == weights_there[name].keys()
        assert all(torch.equal(tensor, weights_there[name][key]) for key, tensor in tensors.items())

    for workers in ("local:2", "here"):  # nothing is left to do for either, so no cluster is started
        said = hwnas("train", *tiny, "--workers", workers, "--out", own_copy).stderr
        assert said.count("training a network: already done") == 2
        assert "on workers" not in said


def test_nobody_knows_such_workers(tmp_path, capsys):
    assert main(["run", "--workers", "local:none", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert said == "hwnas: unknown --workers 'local:none'; there are here, local, local:4, auto, ray://host:10001\n"
    assert not (tmp_path / "run").exists()
