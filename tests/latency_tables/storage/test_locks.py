import subprocess
import sys

import pytest

from latency_tables.storage.locks import is_locked, open_locked


def test_one_user_at_a_time(tmp_path):
    path = tmp_path / "below" / "file"
    assert not is_locked(path)
    with open_locked(path) as file:
        file.write(b"kept")
        assert is_locked(path)
        with pytest.raises(BlockingIOError):
            open_locked(path)
    assert not is_locked(path)
    with open_locked(path) as again:
        assert again.read() == b"kept"


def test_a_killed_process_gives_its_lock_back(tmp_path):
    code = (
        "import pathlib, sys; from latency_tables.storage.locks import open_locked\n"
        "with open_locked(pathlib.Path(sys.argv[1])): print('mine', flush=True); input()"
    )
    command = [sys.executable, "-c", code, tmp_path / "file"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"mine\n"
        assert is_locked(tmp_path / "file")
        process.kill()
        process.wait()
    assert not is_locked(tmp_path / "file")


def test_what_cannot_be_opened(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        open_locked(tmp_path / "file" / "below")
    with pytest.raises(IsADirectoryError):
        open_locked(tmp_path)
