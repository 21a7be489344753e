import subprocess
import sys
from pathlib import Path

import pytest

from latency_tables import HwnasError
from profilers.boards.claim import FAILED, FINISHED, RUNNING, Claim, Status, is_claimed, read_status


def test_one_at_a_time(tmp_path):
    folder = tmp_path / "results"
    assert not is_claimed(folder)
    with Claim(folder):
        assert is_claimed(folder)
        with pytest.raises(HwnasError) as e:
            Claim(folder)
        assert str(e.value).startswith(f"another process is measuring into {folder}; ")
    assert not is_claimed(folder)
    Claim(folder).__exit__()


def test_what_was_said_is_read(tmp_path):
    assert read_status(tmp_path) is None
    with Claim(tmp_path) as claim:
        assert read_status(tmp_path) == Status(RUNNING)
        claim.say(Status(FAILED, "no space: µ"))
        assert read_status(tmp_path) == Status(FAILED, "no space: µ")
        claim.say(Status(FINISHED))
    assert read_status(tmp_path) == Status(FINISHED)
    Claim(tmp_path).__exit__()
    assert read_status(tmp_path) == Status(RUNNING)  # a second process begins anew


@pytest.mark.parametrize("said", ["x" * 10_000, "\U0001f525" * 1000, "\udcff"])
def test_the_file_never_grows(tmp_path, said):
    with Claim(tmp_path) as claim:
        size = (tmp_path / "status.json").stat().st_size
        claim.say(Status(FAILED, said))
        assert (tmp_path / "status.json").stat().st_size == size
    status = read_status(tmp_path)
    assert status.state == FAILED
    assert len(status.said) == min(len(said), 300)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"state": 3}', b'{"state": "x", "more": 1}'])
def test_a_damaged_status_says_nothing(tmp_path, content):
    (tmp_path / "status.json").write_bytes(content)
    assert read_status(tmp_path) is None
    Claim(tmp_path).__exit__()
    assert read_status(tmp_path) == Status(RUNNING)


def test_a_killed_process_gives_its_claim_back(tmp_path):
    code = (
        "import pathlib, sys; from profilers.boards.claim import Claim\n"
        "with Claim(pathlib.Path(sys.argv[1])): print('mine', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"mine\n"
        assert is_claimed(tmp_path)
        process.kill()
        process.wait()
    assert not is_claimed(tmp_path)
    assert read_status(tmp_path) == Status(RUNNING)  # running, but nobody does: it was killed


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HwnasError, match=r"cannot write into .*file/below: Not a directory"):
        Claim(tmp_path / "file" / "below")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk is played by /dev/full")
def test_a_full_disk(tmp_path):
    (tmp_path / "status.json").symlink_to("/dev/full")
    with pytest.raises(HwnasError, match="No space left on device"):
        Claim(tmp_path)
