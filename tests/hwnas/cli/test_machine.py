"""`hwnas doctor`, `hwnas spaces`, `hwnas runtimes`."""

import json

import pytest

from hwnas.cli.machine import WHAT_FOR
from hwnas.cli.main import main
from hwnas.spaces import Subspace, load_space
from hwnas.spaces.load import SPACES
from profilers.runtimes import RUNTIMES


def test_doctor_has_one_line_per_finding_and_1_when_there_is_something_to_fix(capfd):
    pytest.importorskip("onnxruntime")
    code = main(["doctor", "--json"])
    answer = json.loads(capfd.readouterr().out)
    findings = {f["name"]: f for f in answer["findings"]}
    assert set(findings) >= {"governor", "boost", "pinning", "load", "steal", "quota", "noise", "runtime onnxruntime"}
    assert all((f["fix"] is None) == (f["level"] == "ok") for f in findings.values())
    to_fix = [name for name, f in findings.items() if f["level"] == "fix"]
    assert (code, answer["fit"]) == (1 if to_fix else 0, not to_fix)
    assert "visits to the reference network are within +-" in findings["noise"]["text"]


def test_every_space_that_ships_is_listed(capsys):
    assert set(WHAT_FOR) == set(SPACES)
    assert main(["spaces", "--json"]) == 0
    found = {s["name"]: s for s in json.loads(capsys.readouterr().out)["spaces"]}
    assert list(found) == list(SPACES)
    assert (found["nb201"]["networks"], found["nb201"]["input_shape"]) == (15625, [3, 32, 32])
    assert found["regnet-32"]["networks"] == (4 * 4 * 3) ** 3
    assert main(["spaces"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["space", *SPACES]


def test_every_runtime_is_listed(capsys):
    assert main(["runtimes", "--json"]) == 0
    found = {r["name"]: r for r in json.loads(capsys.readouterr().out)["runtimes"]}
    assert list(found) == list(RUNTIMES)
    assert all(r["ready"] == (r["version"] is not None) == (r["problem"] is None) for r in found.values())
    assert main(["runtimes"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["runtime", *RUNTIMES]


def test_the_genes_of_a_space_are_what_allow_and_fix_take(capsys):
    assert main(["spaces", "mbconv-32", "--json"]) == 0
    genes = json.loads(capsys.readouterr().out)["genes"]
    assert genes["depth1"] == ["1", "2"]
    assert "se6k5" in genes["block4.2"]
    part = Subspace.of_texts(load_space("mbconv-32"), ["depth1=2", "block*=se6k5,mb3k3"])
    assert part.gene_values[:2] == (("2",), ("mb3k3", "se6k5"))
    assert main(["spaces", "no-such"]) == 2
