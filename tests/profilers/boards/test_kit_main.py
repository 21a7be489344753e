"""`python3 kit.pyz` as on a board: an interpreter with numpy and onnxruntime, nothing else."""

import signal
import subprocess
import time
from functools import partial

import psutil
import pytest

from latency_tables.progress import silent
from latency_tables.storage.journal import read_journal
from profilers.boards.claim import FAILED, FINISHED, Claim, Status, is_claimed, read_status
from profilers.boards.kit import measure_kit, read_kit
from profilers.boards.kit_main import KILLED_CODE, main, parse_progress_line, progress_line


@pytest.fixture
def board(board_python, tmp_path):
    """Run a kit on the board."""

    def call(kit, *arguments, python=board_python, start=subprocess.run):
        command = [str(python), str(kit), *map(str, arguments)]
        more = {"check": False} if start is subprocess.run else {}
        return start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, **more)

    return call


def wait_for_visits(results, count, part="ops"):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        path = results / f"{part}.jsonl"
        if path.exists() and path.read_bytes().count(b"\n") > count:
            return
        time.sleep(0.02)
    raise AssertionError(f"{results} has not come to {count} visits")


def measuring_process(results):
    """The process that measures into a folder in the background."""
    (found,) = (
        p
        for p in psutil.process_iter(["cmdline"])
        if str(results) in (p.info["cmdline"] or []) and "--attach" not in p.info["cmdline"]
    )
    return found


def test_measures_and_says_how_far_it_is(board, quick_kit, tmp_path, complete):
    done = board(quick_kit, "--out", "results")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    steps = [parse_progress_line(line) for line in lines[:-1]]
    assert ("ops", 5, 5, "measured") in steps
    assert steps[-1] == ("networks", 4, 4, "measured")
    assert "`hwnas table import`" in lines[-1]
    assert complete(tmp_path / "results", 2)
    assert read_status(tmp_path / "results") == Status(FINISHED)


def test_runs_as_a_program_from_anywhere(board_python, quick_kit, tmp_path, complete):
    path = {"PATH": f"{board_python.parent}:/usr/bin:/bin"}
    done = subprocess.run([quick_kit], env=path, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert complete(tmp_path / "results", 2)


@pytest.mark.parametrize("attach", [(), ("--attach",)])
def test_goes_on_after_kill_9(board, slow_kit, tmp_path, attach, complete):
    results = tmp_path / "results"
    first = board(slow_kit, "--out", results, *attach, start=subprocess.Popen)
    wait_for_visits(results, 2)
    (measuring_process(results) if attach else first).send_signal(signal.SIGKILL)
    _, complaint = first.communicate()
    if attach:
        assert first.returncode == KILLED_CODE
        assert complaint.splitlines()[-1].startswith("kit: the measuring process was killed; ")
    before = len(read_journal(results / "ops.jsonl")[1])
    assert 2 <= before < 9
    assert not complete(results, 4)
    again = board(slow_kit, "--out", results, *attach)
    assert again.returncode == 0, again.stderr
    assert complete(results, 4)
    assert parse_progress_line(again.stdout.splitlines()[0])[1] == before


def test_whoever_watches_may_go_and_come_back(board, slow_kit, tmp_path, complete):
    results = tmp_path / "results"
    first = board(slow_kit, "--out", results, "--attach", start=subprocess.Popen)
    wait_for_visits(results, 2)
    measuring = measuring_process(results)
    first.kill()
    first.communicate()
    assert is_claimed(results)
    again = board(slow_kit, "--out", results, "--attach", start=subprocess.Popen)
    assert measuring_process(results) == measuring
    said, complaint = again.communicate()
    assert (again.returncode, complaint) == (0, "")
    assert parse_progress_line(said.splitlines()[-2]) == ("networks", 8, 8, "measured")
    assert complete(results, 4)


def test_two_kits_into_one_folder(board, slow_kit, tmp_path, complete):
    results = tmp_path / "results"
    first = board(slow_kit, "--out", results, start=subprocess.Popen)
    wait_for_visits(results, 1)
    second = board(slow_kit, "--out", results)
    assert second.returncode == 2
    assert second.stderr == (
        f"kit: another process is measuring into {results}; wait for it, or choose another folder with --out\n"
    )
    first.communicate()
    assert first.returncode == 0
    assert complete(results, 4)


def test_ctrl_c(board, slow_kit, tmp_path):
    results = tmp_path / "results"
    listening = partial(subprocess.Popen, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    process = board(slow_kit, "--out", results, start=listening)  # whoever runs the tests may ignore it
    wait_for_visits(results, 1)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate()
    assert process.returncode == 130
    assert complaint == "kit: stopped; what was measured is kept, and the same command resumes from there\n"
    assert read_status(results) == Status(FAILED, "stopped by hand")


@pytest.mark.parametrize("attach", [(), ("--attach",)])
def test_what_cannot_be_is_one_line(board, quick_kit, tmp_path, attach):
    for options, words in (
        (("--runtime", "openvino"), "openvino is not installed on this machine: pip install openvino"),
        (("--runtime", "abacus"), "unknown runtime 'abacus'"),
        (("--threads", "0"), "threads must be at least 1, got 0"),
    ):
        refused = board(quick_kit, *attach, *options)
        assert refused.returncode == 2
        assert refused.stderr.splitlines()[-1].startswith(f"kit: {words}")
        assert "Traceback" not in refused.stdout + refused.stderr
    (tmp_path / "file").write_text("mine")
    refused = board(quick_kit, *attach, "--out", "file/below")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "Not a directory" in refused.stderr
    refused = board(quick_kit, *attach, "--colour", "red")
    assert refused.returncode == 2
    assert "--colour" in refused.stderr


def test_without_numpy(bare_python, board, quick_kit):
    refused = board(quick_kit, python=bare_python())
    assert (refused.returncode, refused.stderr) == (1, "kit: it needs numpy: pip install numpy\n")


def test_without_a_runtime(bare_python, board, quick_kit):
    refused = board(quick_kit, python=bare_python("numpy"))
    assert refused.returncode == 2
    assert refused.stderr == "kit: onnxruntime is not installed on this machine: pip install onnxruntime\n"


@pytest.mark.parametrize("where", [b'"parts": {', b"def measure_plan("])
def test_a_damaged_kit(board, quick_kit, tmp_path, where):
    content = quick_kit.read_bytes()
    assert content.count(where) == 1
    (tmp_path / "bad.pyz").write_bytes(content.replace(where, b"?" + where[1:]))
    refused = board(tmp_path / "bad.pyz")
    assert refused.returncode in (1, 2)
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"kit: {tmp_path}/bad.pyz is ")
    assert "damaged" in line
    assert "copy it again" in line


@pytest.mark.parametrize("attach", [(), ("--attach",)])
def test_a_disk_that_fills_up(board, quick_kit, small_disk, attach, complete):
    disk = small_disk(64 * 1024)
    filler = disk / "filler"
    filler.write_bytes(b"x" * 36 * 1024)
    refused = board(quick_kit, "--out", disk / "results", *attach)
    assert refused.returncode == 2
    line = refused.stderr.splitlines()[-1]
    assert line.startswith(f"kit: cannot write {disk / 'results'}")
    assert "No space left on device" in line
    filler.unlink()
    done = board(quick_kit, "--out", disk / "results", *attach)
    assert done.returncode == 0, done.stderr
    assert complete(disk / "results", 2)


def test_in_process_too(quick_kit, tmp_path, capsys):
    assert main(quick_kit, ["--out", str(tmp_path / "r")]) == 0
    measure_kit(read_kit(quick_kit), tmp_path / "r", lambda stage: silent)
    with Claim(tmp_path / "r"):
        assert main(quick_kit, ["--out", str(tmp_path / "r")]) == 2
    assert "another process" in capsys.readouterr().err


@pytest.mark.parametrize(
    "what", ["round 1: mbconv(16x32x32; expand=3 kernel=5 out=24 stride=2)", "measured", "x, ETA 1 s, y"]
)
def test_a_line_of_progress_is_read_back(what):
    assert parse_progress_line(progress_line("ops", 3, 510, "12", what) + "\n") == ("ops", 3, 510, what)


@pytest.mark.parametrize("line", ["", "finished", "ops 3/x, ETA 1 s, y", "ops 3, ETA 1 s, y", "ops 3/4 ETA"])
def test_a_line_that_is_no_progress(line):
    assert parse_progress_line(line) is None
