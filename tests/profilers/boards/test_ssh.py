"""Against a real ssh server on loopback: asyncssh's own here, whose commands and files are real; sshd where it is."""

import getpass
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import psutil
import pytest

from hwnas.cli.main import main
from latency_tables import HwnasError, Op, OpCost, ProfilerError, load_table
from profilers import Protocol, RuntimeSetting, write_plan
from profilers.boards.kit import Part, pack_kit
from profilers.boards.kit_main import parse_progress_line
from profilers.boards.results import import_results
from profilers.boards.ssh import Patience, measure_over_ssh
from profilers.boards.ssh_login import Address, Login

trust = pytest.importorskip("benchmarks._loopback").trust
SOON = Patience(connect_s=5, first_pause_s=0.05, longest_pause_s=0.1, connections=4)


@pytest.fixture
def measure(keys, tmp_path):
    """Measure over ssh, with the right keys unless others are given; remembers what it was told."""

    def call(kit, board, results=tmp_path / "results", identity="user", patience=SOON, **more):
        port = board if isinstance(board, int) else board.port
        known = more.pop("known_hosts", None) or trust(tmp_path / "known_hosts", keys / "host.pub", port)
        call.steps, call.said = [], []
        address = Address("127.0.0.1", "me", port, **more.pop("where", {}))
        measure_over_ssh(
            kit,
            address,
            results,
            login=Login(keys / identity, known),
            patience=patience,
            progress=lambda *step: call.steps.append(step),
            say=call.said.append,
            **more,
        )
        return results

    return call


@pytest.fixture
def refusal(measure):
    """The one line that says why it cannot be measured."""

    def call(*args, **kwargs):
        with pytest.raises(HwnasError) as e:
            measure(*args, **kwargs)
        assert "\n" not in str(e.value)
        return str(e.value)

    return call


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def test_from_kit_to_table(serve, measure, quick_kit, complete, tmp_path):
    board = serve()
    results = measure(quick_kit, board)
    assert complete(results, 2)
    table, networks, _ = import_results(results)
    assert [row.median_us is None for row in table.rows] == [False, False, True]
    assert len(networks) == 2
    (there,) = (board.home / "hwnas").glob("*/results-*")
    for part in ("ops", "networks"):
        assert (there / f"{part}.jsonl").read_bytes() == (results / f"{part}.jsonl").read_bytes()
    size_kb = quick_kit.stat().st_size // 1024
    assert (size_kb, size_kb, "copying: the kit (kB)") in measure.steps
    assert measure.steps[-1] == (4, 4, "networks: measured")
    (said,) = measure.said
    assert said.startswith("kit and results stay on me@127.0.0.1 in hwnas/")
    assert there.parent.joinpath("kit.pyz").read_bytes() == quick_kit.read_bytes()


def test_again_only_fetches_and_another_folder_measures_anew(serve, measure, quick_kit, tmp_path):
    board = serve()
    first = measure(quick_kit, board)
    journal = (first / "ops.jsonl").read_bytes()
    (first / "ops.jsonl").unlink()
    assert (measure(quick_kit, board) / "ops.jsonl").read_bytes() == journal
    assert not any("copying" in what for _, _, what in measure.steps)
    other = measure(quick_kit, board, tmp_path / "other")
    assert (other / "ops.jsonl").read_bytes() != journal
    assert len(list((board.home / "hwnas").glob("*/results-*"))) == 2


def test_a_dropped_connection_costs_nothing(serve, measure, slow_kit, complete):
    board, dropped = serve(), []

    def after_the_first_step(line):
        step = parse_progress_line(line)
        if step and not dropped:
            dropped.append(step)
            return True
        return False

    board.drop = after_the_first_step
    results = measure(slow_kit, board)
    assert dropped[0][1] < 17
    assert len(board.connections) == 2
    assert measure.said[0].startswith("the connection to me@127.0.0.1 was lost")
    assert complete(results, 4)


@pytest.fixture(scope="module")
def large_kit(onnx_model, tmp_path_factory):
    """A kit of several megabytes."""
    folder, op = tmp_path_factory.mktemp("large"), Op.of("net", (1,))
    plan = write_plan(folder, "large", onnx_model(1), [(op.key, op, OpCost(0.1, 1, 1), onnx_model(24, 64))])
    part = Part(plan, Protocol(minimum_rounds=1, maximum_rounds=1, disturbed_rounds=0))
    pack_kit({"ops": part}, RuntimeSetting("onnxruntime"), folder / "kit.pyz")
    return folder / "kit.pyz"


def test_a_connection_that_drops_while_the_kit_is_copied(serve, measure, large_kit):
    board = serve()
    board.hang_up_after_bytes = 2_500_000
    table, *_ = import_results(measure(large_kit, board))
    assert len(board.connections) == 2
    assert table.rows[0].error is None
    (there,) = (board.home / "hwnas").glob("*/kit.pyz")
    assert there.read_bytes() == large_kit.read_bytes()
    assert board.written < 1.7 * large_kit.stat().st_size  # not once more from the start
    assert not list(there.parent.glob("*.part"))


def test_a_cut_copy_may_have_holes_at_its_end(serve, measure, large_kit):
    board, whole = serve(), large_kit.read_bytes()
    folder = board.home / "hwnas" / hashlib.sha256(whole).hexdigest()[:12]
    folder.mkdir(parents=True)
    (folder / "kit.pyz.part").write_bytes(whole[: 2**20 + 100_000] + bytes(100_000) + whole[2**20 + 200_000 : 2**21])
    measure(large_kit, board)
    assert (folder / "kit.pyz").read_bytes() == whole
    assert board.written == len(whole) - 2**20


@contextmanager
def killing(board, after_visits, times):
    """In the background: kill -9 what measures once it has made some visits, then whatever goes on; gives the pids."""
    killed, enough = [], threading.Event()

    def visits():
        journals = board.home.glob("hwnas/*/results-*/ops.jsonl")
        return sum(path.read_bytes().count(b"\n") - 1 for path in journals)

    def work():
        while not enough.wait(0.01) and len(killed) < times:
            if visits() >= after_visits:
                for process in board.measuring():
                    process.kill()
                    killed.append(process.pid)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield killed
    finally:
        enough.set()
        thread.join()


def test_kill_9_of_what_measures(serve, measure, slow_kit, complete):
    board = serve()
    with killing(board, 2, times=1) as killed:
        results = measure(slow_kit, board)
    assert len(killed) == 1
    assert measure.said[0].startswith("the measuring process on me@127.0.0.1 was killed; trying again in ")
    assert complete(results, 4)


def test_what_measures_is_killed_again_and_again(serve, refusal, measure, slow_kit, complete):
    board = serve()
    with killing(board, 1, times=100):
        said = refusal(slow_kit, board)
    assert said.startswith("the measuring process on me@127.0.0.1 was killed 3 times without progress: ")
    assert complete(measure(slow_kit, board), 4)


def test_an_impatient_watcher_may_come_back_later(serve, refusal, measure, slow_kit, complete):
    board = serve()
    board.drop = lambda line: parse_progress_line(line) is not None
    hasty = Patience(connect_s=5, first_pause_s=0.01, longest_pause_s=0.01, connections=1)
    said = refusal(slow_kit, board, patience=hasty)
    assert said.startswith("the connection to me@127.0.0.1 was lost")
    assert said.endswith("the board keeps measuring, and the same command resumes from there")
    board.drop = lambda line: False
    assert complete(measure(slow_kit, board), 4)


def test_the_host_is_unknown(quick_kit, tmp_path):
    with pytest.raises(ProfilerError, match=r"^the host board\.invalid is unknown \(.*\): check its name in --device$"):
        measure_over_ssh(quick_kit, Address("board.invalid"), tmp_path)


@pytest.fixture
def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_a_mistyped_address_spoils_no_folder(serve, measure, refusal, quick_kit, free_port, complete):
    board = serve()
    assert "refuses a connection" in refusal(quick_kit, free_port)
    assert complete(measure(quick_kit, board), 2)


def test_nobody_listens(refusal, quick_kit, free_port):
    assert refusal(quick_kit, free_port) == (
        f"127.0.0.1 refuses a connection to port {free_port}: is its ssh server running, and on this port?"
    )


def test_somebody_listens_and_says_nothing(refusal, quick_kit):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        said = refusal(quick_kit, port, patience=Patience(connect_s=0.3))
        assert said == f"127.0.0.1 does not answer on port {port}: is it switched on, and in this network?"


def test_a_key_that_is_refused(serve, refusal, quick_kit, monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    said = refusal(quick_kit, serve(), identity="nobody")
    assert said.startswith("me@127.0.0.1 refuses the login (")
    assert "~/.ssh/authorized_keys" in said
    assert "--identity FILE" in said


def test_a_host_key_that_is_not_known(serve, refusal, quick_kit, keys, tmp_path):
    board = serve()
    (tmp_path / "empty").write_text("")
    another = trust(tmp_path / "another", keys / "nobody.pub", board.port)
    for known in (tmp_path / "empty", another):
        said = refusal(quick_kit, board, known_hosts=known)
        assert said.startswith(f"the host key of 127.0.0.1 is not the one in {known}, or not there at all: ")
        assert f"`ssh -p {board.port} me@127.0.0.1`" in said
        assert "--known-hosts FILE" in said
    assert board.commands == []


def test_key_files_that_cannot_be_read(serve, refusal, quick_kit, keys, tmp_path):
    board = serve()
    assert "--identity: cannot read" in refusal(quick_kit, board, identity="missing")
    assert "--known-hosts: cannot read" in refusal(quick_kit, board, known_hosts=tmp_path / "missing")
    (tmp_path / "garbage").write_text("not a key\n")
    assert "cannot use the key" in refusal(quick_kit, board, identity=tmp_path / "garbage")


def test_no_python_on_the_board(serve, refusal, quick_kit, tmp_path):
    board = serve(path=str(tmp_path / "nothing"))
    assert refusal(quick_kit, board) == "python3 is not installed on me@127.0.0.1: a kit needs Python 3.11 or newer"
    assert list(board.home.iterdir()) == []


def test_an_old_python_on_the_board(serve, refusal, quick_kit, tmp_path):
    old = tmp_path / "bin" / "python3"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 3 9\n")
    old.chmod(0o755)
    board = serve(path=f"{old.parent}:/usr/bin:/bin")
    assert refusal(quick_kit, board) == "python3 on me@127.0.0.1 is 3.9: a kit needs 3.11 or newer"


def test_a_runtime_that_the_board_lacks(serve, refusal, quick_kit, bare_python):
    board = serve(path=f"{bare_python('numpy').parent}:/usr/bin:/bin")
    assert refusal(quick_kit, board) == (
        "measuring on me@127.0.0.1 failed: onnxruntime is not installed on this machine: pip install onnxruntime"
    )


def test_a_board_without_numpy(serve, refusal, quick_kit, bare_python):
    board = serve(path=f"{bare_python().parent}:/usr/bin:/bin")
    assert refusal(quick_kit, board) == "measuring on me@127.0.0.1 failed: it needs numpy: pip install numpy"


def test_a_board_without_sftp(serve, refusal, quick_kit):
    assert "the ssh server of me@127.0.0.1 has no SFTP" in refusal(quick_kit, serve(sftp=False))


def test_a_board_without_space_for_the_kit(serve, refusal, quick_kit, small_disk):
    said = refusal(quick_kit, serve(home=small_disk(32 * 1024)))
    assert said.startswith("me@127.0.0.1 is out of disk: hwnas/")
    assert "free some, or name another place: ssh://user@host/folder" in said


def test_a_board_whose_disk_fills_up(serve, refusal, measure, quick_kit, complete, small_disk):
    kit_kb = -(-quick_kit.stat().st_size // 4096) * 4
    disk = small_disk((kit_kb + 28) * 1024)
    board = serve(home=disk)
    said = refusal(quick_kit, board)
    assert said.startswith("measuring on me@127.0.0.1 failed: cannot write ")
    assert "No space left on device" in said
    subprocess.run(["mount", "-o", "remount,size=10m", disk], check=True)
    assert complete(measure(quick_kit, board), 2)


def test_a_folder_on_the_board_that_cannot_be(serve, refusal, quick_kit):
    board = serve()
    (board.home / "hwnas").write_text("a file")
    assert refusal(quick_kit, board).startswith("cannot copy the kit to hwnas/")
    assert (board.home / "hwnas").read_text() == "a file"


def test_another_place_on_the_board(serve, measure, quick_kit, complete):
    board = serve()
    assert complete(measure(quick_kit, board, where={"folder": "a place/with 'quotes'"}), 2)
    assert list((board.home / "a place" / "with 'quotes'").glob("*/results-*/ops.jsonl"))


def test_what_the_kit_says_when_it_fails(serve, measure, refusal, quick_kit):
    board = serve()
    measure(quick_kit, board)
    said = refusal(quick_kit, board, threads=2)
    assert said.startswith("measuring on me@127.0.0.1 failed: results-")
    assert "holds measurements of another threads (1, now 2)" in said


def test_a_folder_of_another_kit_or_board(serve, measure, refusal, quick_kit, make_kit, tmp_path):
    board = serve()
    results = measure(quick_kit, board)
    (tmp_path / "other").mkdir()
    said = refusal(make_kit(tmp_path / "other", threads=2), board)
    assert said.startswith(f"{results} holds measurements of another kit or board (me@127.0.0.1:{board.port}/hwnas)")
    assert "another kit or board" in refusal(quick_kit, board, where={"folder": "elsewhere"})
    (results / "job.json").write_text("{")
    assert "job.json is damaged" in refusal(quick_kit, board)


def test_without_asyncssh(monkeypatch, quick_kit, tmp_path):
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    with pytest.raises(ProfilerError, match=r"^asyncssh is not installed: pip install 'hwnas\[ssh\]'$"):
        measure_over_ssh(quick_kit, Address("board"), tmp_path)


def test_a_kit_that_is_none(tmp_path):
    (tmp_path / "kit.pyz").write_text("no kit")
    with pytest.raises(HwnasError, match="is not a kit"):
        measure_over_ssh(tmp_path / "kit.pyz", Address("board.invalid"), tmp_path / "results")


def test_on_the_command_line(serve, quick_kit, make_kit, keys, tmp_path, capsys):
    board = serve()
    known = trust(tmp_path / "known", keys / "host.pub", board.port)
    there = ("--device", f"ssh://me@127.0.0.1:{board.port}", "--identity", keys / "user", "--known-hosts", known)
    make_kit(tmp_path)
    for plan, less in ((quick_kit, ()), (tmp_path / "op-plan", ("--rounds", 1))):
        out = tmp_path / f"table-of-{plan.name}"
        words = [str(w) for w in ("table", "measure", plan, *less, "--out", out, *there, "--json")]
        assert main(words) == 0
        assert '"ops": 3, "failed": 1' in capsys.readouterr().out
        assert [row.error is None for row in load_table(out).rows] == [True, True, False]
    assert (tmp_path / "table-of-kit.pyz" / "networks.csv").read_text().count("tiny:") == 2


@pytest.fixture
def sshd(keys, board_python, free_port, tmp_path):
    """The real thing, where it is installed: process, address and login."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("no sshd is installed")
    settings = {
        "ListenAddress": f"127.0.0.1:{free_port}",
        "HostKey": keys / "host",
        "AuthorizedKeysFile": keys / "user.pub",
        "PidFile": tmp_path / "pid",
        "StrictModes": "no",
        "UsePAM": "no",
        "PermitRootLogin": "prohibit-password",
        "Subsystem": "sftp internal-sftp",
        "SetEnv": f"PATH={board_python.parent}:/usr/bin:/bin SHLVL=2",  # on the second level bash reads no .bashrc
    }
    (tmp_path / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    with open(tmp_path / "said", "w") as said:
        server = subprocess.Popen([program, "-D", "-e", "-f", tmp_path / "config"], stderr=said)
    wait_until(lambda: (tmp_path / "pid").exists() or server.poll() is not None)
    if server.poll() is not None:
        pytest.skip(f"sshd does not start here: {(tmp_path / 'said').read_text().strip()}")
    address = Address("127.0.0.1", getpass.getuser(), free_port, str(tmp_path / "board"))
    yield server, address, Login(keys / "user", trust(tmp_path / "known", keys / "host.pub", free_port))
    server.terminate()
    server.wait()


def test_against_sshd(sshd, quick_kit, complete, tmp_path):
    _, address, login = sshd
    measure_over_ssh(quick_kit, address, tmp_path / "results", login=login, patience=SOON)
    assert complete(tmp_path / "results", 2)
    assert list((tmp_path / "board").glob("*/results-*/ops.jsonl"))


def test_against_sshd_whose_session_dies(sshd, slow_kit, complete, tmp_path):
    server, address, login = sshd
    killed, said = [], []

    def progress(done, total, what):
        if what.startswith("ops") and not killed:
            for process in psutil.Process(server.pid).children(recursive=True):
                if process.name() == "sshd":
                    process.kill()
                    killed.append(process.pid)

    results = tmp_path / "results"
    measure_over_ssh(slow_kit, address, results, login=login, patience=SOON, progress=progress, say=said.append)
    assert killed
    assert said[0].startswith(f"the connection to {address.name} was lost")
    assert complete(results, 4)


def test_a_full_disk_behind_sshd(sshd, quick_kit, small_disk, tmp_path):
    _, address, login = sshd
    full = Address(address.host, address.user, address.port, str(small_disk(32 * 1024)))
    with pytest.raises(ProfilerError, match=f"^{address.name} is out of disk: {full.folder}/"):
        measure_over_ssh(quick_kit, full, tmp_path / "results", login=login, patience=SOON)
