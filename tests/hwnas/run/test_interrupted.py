"""Ctrl-C and kill -9 at several points of a real run; then `--resume` brings it to its end."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zlib
from collections import Counter

import pytest

from hwnas.training import load_checkpoint

pytestmark = pytest.mark.slow
PATIENCE_S = 240


def stopped_when(ready, sent, arguments, verb="run"):
    """Start `hwnas run`, or another verb, send the signal as soon as `ready()`; the exit code and standard error."""
    command = [sys.executable, "-P", "-m", "hwnas.cli.main", verb, *map(str, arguments)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # What a shell starts in the background ignores Ctrl-C, and so would all that these tests start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + PATIENCE_S
    try:
        while not ready():
            assert process.poll() is None, f"ended by itself: {process.stderr.read()}"
            assert time.monotonic() < deadline, "never got there"
            time.sleep(0.002)
        os.killpg(process.pid, sent)
        said = process.communicate()[1]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return process.returncode, said


def visits(path):
    """Every whole record of a journal but its header."""
    records = []
    for line in path.read_bytes().split(b"\n"):
        checksum, _, body = line.partition(b" ")
        if checksum and checksum == b"%08x" % zlib.crc32(body):
            records.append(json.loads(body))
    return [r for r in records if "header" not in r]


def test_a_run_stopped_again_and_again_ends_as_if_nothing_had_happened(tmp_path, tiny, hwnas):
    folder = tmp_path / "run"
    supernet, journals = folder / "supernet.safetensors", folder / "journals"

    def lines(pattern):
        return sum(p.read_bytes().count(b"\n") for p in journals.glob(pattern))

    few_ops = ["--allow", "block*=mb3k3,mb3k5,se6k3,se6k5,fu3k3"]  # 42, each visited three times or more
    start = [*tiny, *few_ops, "--rounds", "3", "--supernet-epochs", "2", "--train-epochs", "3", "--out", folder]
    code, said = stopped_when(lambda: lines("ops-*") > 30, signal.SIGINT, start)
    assert code == 130
    complaint = [line for line in said.splitlines() if line.startswith("hwnas: ")]
    assert complaint == said.splitlines()[-1:]
    assert "goes on from there" in complaint[0]
    assert "Traceback" not in said

    resume = ["--resume", "--out", folder]
    snapshots = [{p.name: p.read_bytes() for p in journals.iterdir()}]

    def killed_when(ready):
        code, _ = stopped_when(ready, signal.SIGKILL, resume)
        assert code == -signal.SIGKILL
        snapshots.append({p.name: p.read_bytes() for p in journals.iterdir()})

    had = lines("ops-*")
    killed_when(lambda: lines("ops-*") > had + 40)
    assert not (folder / "stages" / "profile.json").exists()
    killed_when(supernet.exists)
    assert not (folder / "stages" / "supernet.json").exists()
    half = load_checkpoint(supernet).metadata["curve"]
    killed_when(lambda: any(folder.glob("candidates/*/training.safetensors")))

    done = hwnas("run", *resume, "--json")
    assert done.returncode in (0, 1), done.stderr
    result = json.loads(done.stdout)
    assert json.loads((folder / "result.json").read_text()) == result
    assert done.returncode == (0 if result["verified"] else 1)
    for stage in ("op models", "latency table", "calibration on whole networks", "supernet training"):
        assert f"{stage}: already done" in done.stderr

    # Nothing was measured twice: what was in a journal stayed there, and no visit is in it twice.
    for snapshot in snapshots:
        for name, content in snapshot.items():
            assert (journals / name).read_bytes().startswith(content), name
    for pattern, identity, times in (
        ("ops-*", ("key", "round"), 1),
        ("calibration-*", ("key", "round"), 1),
        ("scores-*", ["arch"], 1),
    ):
        (journal,) = journals.glob(pattern)
        seen = Counter(tuple(record[k] for k in identity) for record in visits(journal))
        assert set(seen.values()) == {times}, pattern

    curve = json.loads((folder / "stages" / "supernet.json").read_text())["result"]["curve"]
    assert curve["epoch"] == [1, 2]
    assert curve["loss"][:1] == half["loss"][:1]
    trained = json.loads(next((folder / "stages").glob("train-*.json")).read_text())["result"]["curve"]
    assert trained["epoch"] == [1, 2, 3]
    assert not list(folder.glob("candidates/*/training.safetensors"))


def test_a_search_stopped_again_and_again_asks_the_supernet_nothing_twice(own_copy, tmp_path, hwnas):
    """Ctrl-C says the best so far; what the supernet answered before a kill is known afterwards."""
    (own_copy / "stages" / "search-1.json").unlink()
    other = shutil.copytree(own_copy, tmp_path / "undisturbed")
    options = ["--strategy", "prednas", "--queries", "12"]
    undisturbed = hwnas("search", *options, "--out", other, "--json")
    assert undisturbed.returncode == 0, undisturbed.stderr

    (journal,) = own_copy.glob("journals/scores-*")

    def asked(more):
        had = len(visits(journal))
        return lambda: len(visits(journal)) >= had + more

    code, said = stopped_when(asked(3), signal.SIGINT, [*options, "--out", own_copy], "search")
    assert code == 130
    best = r"^the search ended early \(interrupted\); best 0\.\d{4} at \S+ ms of \d+ networks: mbconv-32:"
    assert re.search(best, said, re.MULTILINE)
    assert "Traceback" not in said
    code, _ = stopped_when(asked(3), signal.SIGKILL, [*options, "--out", own_copy], "search")
    assert code == -signal.SIGKILL

    done = hwnas("search", *options, "--out", own_copy, "--json")
    assert done.stdout == undisturbed.stdout
    (same,) = other.glob("journals/scores-*")
    archs, once = [record["arch"] for record in visits(journal)], [record["arch"] for record in visits(same)]
    assert archs == once
    assert len(set(archs)) == len(archs)


def test_a_search_out_of_time_goes_on_with_what_it_found(own_copy, hwnas):
    done = hwnas("search", "--evaluations", "1000000", "--search-minutes", "0.001", "--out", own_copy, "--json")
    assert done.returncode == 0, done.stderr
    assert "the search ended early (time); best 0." in done.stderr
    assert json.loads(done.stdout)["finalists"]
