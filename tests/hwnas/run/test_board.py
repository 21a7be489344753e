"""A whole run whose device is elsewhere: behind an ssh server, with python3, numpy and onnxruntime, and no torch."""

import json
import shutil
import subprocess
from collections import Counter

import pytest

from hwnas.cli.main import main
from hwnas.spaces import load_space
from hwnas.spaces.sampling import random_networks
from latency_tables import LatencyModel, load_table
from latency_tables.storage.journal import read_journal
from latency_tables.storage.networks import read_networks, save_networks
from profilers.runtimes import _runtime

trust = pytest.importorskip("benchmarks._loopback").trust
pytestmark = pytest.mark.slow

FEW_OPS = ("--allow", "block*=mb3k3,se6k5", "--finalists", "1", "--evaluations", "100")


def test_a_whole_run_on_a_board_and_again_without_it(serve, keys, tiny, hwnas, tmp_path):
    board, folder = serve(), tmp_path / "run"
    cut = []

    def once_among_the_ops(line):
        if line.startswith("ops ") and not cut:
            cut.append(line)
            return True
        return False

    board.drop = once_among_the_ops
    known = trust(tmp_path / "known", keys / "host.pub", board.port)
    there = ("--device", f"ssh://me@127.0.0.1:{board.port}", "--identity", keys / "user", "--known-hosts", known)
    done = hwnas("run", *tiny, *FEW_OPS, *there, "--json", "--out", folder)
    assert done.returncode in (0, 1), done.stderr
    result = json.loads(done.stdout)
    assert result["verified"] == (done.returncode == 0)
    assert cut
    assert "the connection to me@127.0.0.1 was lost" in done.stderr
    assert "Traceback" not in done.stderr

    # ops, calibration, held out; each visit once, brought from the board, where nothing is left
    journals = {path.name.rpartition("-")[0]: read_journal(path) for path in folder.glob("journals/*.jsonl")}
    assert {"ops", "calibration-10", "heldout"} <= journals.keys()
    for name in ("ops", "calibration-10", "heldout"):
        seen = Counter((record["key"], record["round"]) for record in journals[name].records)
        assert set(seen.values()) == {1}
    (verified, *_) = folder.glob("candidates/*/verify-*/verify.jsonl")
    seen = Counter(record["round"] for record in read_journal(verified).records)
    assert len(seen) >= 5  # processes; more where the machine was disturbed
    assert set(seen.values()) == {4}
    assert list(board.home.glob("hwnas/*")) == []

    connections = len(board.connections)
    for record in (folder / "stages").glob("verify*.json"):  # judged again, from what was measured
        record.unlink()
    again = hwnas("run", "--resume", "--json", "--out", folder)
    assert again.returncode == done.returncode, again.stderr
    assert len(board.connections) == connections
    assert {**json.loads(again.stdout), "seconds": None} == {**result, "seconds": None}


@pytest.fixture
def of_a_board(own_copy, tmp_path, monkeypatch):
    """A finished run that is told to use its own table, on a machine that is now another."""
    table = shutil.copytree(own_copy / "table", tmp_path / "table")
    space, known = load_space("mbconv-32"), load_table(table)
    more = random_networks(space, [0, 9], 6)
    ms = LatencyModel(known, space).predict(more).ms
    save_networks(table, [*read_networks(table), *zip(map(space.to_text, more), ms.tolist(), strict=True)])
    monkeypatch.setattr(_runtime, "cpu_name", lambda: "a workstation")
    arch = json.loads((own_copy / "result.json").read_text())["arch"]
    words = ["verify", "--arch", arch, "--table", str(table), "--budget-ms", "1000", "--out", str(own_copy)]
    return own_copy, table, words


def test_a_table_of_another_device_ends_with_a_kit_for_it(of_a_board, board_python, tmp_path, capsys):
    folder, table, words = of_a_board
    assert main(words) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    (kit,) = folder.glob("candidates/*/verify-*/verify.pyz")
    assert said == (
        f"hwnas: not verified yet: copy {kit} to the {load_table(table).provenance.target.device}, run `python3 "
        f"verify.pyz --out results` there, bring the folder results back, and give it to `hwnas verify --import "
        f"results --out {folder}`"
    )
    there = tmp_path / "there"
    there.mkdir()
    shutil.copy(kit, there)
    command = [board_python, "verify.pyz", "--out", "results"]
    subprocess.run(command, cwd=there, check=True, capture_output=True)

    journal = there / "results" / "networks.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    import_ = [*words, "--import", str(there / "results")]
    assert main(import_) == 2
    assert "is not complete: run the kit there again" in capsys.readouterr().err
    journal.write_bytes(whole)
    assert main([*import_, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["verified"]
    visits = read_journal(kit.with_suffix(".jsonl")).records
    assert set(Counter(v["round"] for v in visits).values()) == {4}
    assert not kit.exists()
    assert main([*words, "--json"]) == 0  # known from now on
    assert json.loads(capsys.readouterr().out) == answer
    assert main(import_) == 2
    assert "no kit in" in capsys.readouterr().err


def test_a_table_of_another_device_needs_its_networks(of_a_board, capsys):
    _, table, words = of_a_board
    save_networks(table, read_networks(table)[:14])
    assert main(words) == 2
    assert "has 14 whole networks beside it, but needs 15" in capsys.readouterr().err
