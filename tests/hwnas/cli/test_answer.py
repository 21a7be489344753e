"""Standard output gets a verb's answer and nothing else; every failure is one line, with --json one object too."""

import json

import numpy as np
import pytest

from hwnas.cli.answer import Answer, columns, print_answer, printable
from hwnas.cli.main import main
from hwnas.spaces import NasBenchMacro
from latency_tables import LatencyTable, OpCost, Provenance, TableRow, Target, save_table

LOUD = """
import ctypes, os, sys
from hwnas.spaces import NasBenchMacro
print("printed")
sys.__stdout__.write("written past the redirection")
os.write(1, b"to the descriptor")
ctypes.CDLL(None).puts(b"by a C library")  # waits in its buffer
class Own(NasBenchMacro):
    def from_text(self, text):
        print("printed again")
        {}
        return super().from_text(text)
"""


@pytest.fixture
def own(tmp_path):
    """A command line that loads a space of the user's own, which does `what` for each network, and prints a lot."""
    space, target = NasBenchMacro(), Target("board", "tflite", "1", "fp32", 1, 1)
    rows = tuple(TableRow(op, OpCost(0.1, 10**6, 10**4), median_us=100.0) for op in space.all_ops)
    provenance = Provenance(target, space.name, 350.0, "", {}, "2026-01-01", 1.0)
    save_table(LatencyTable(rows, provenance, b""), tmp_path / "table")

    def make(what="pass"):
        (tmp_path / "own.py").write_text(LOUD.format(what))
        where = ("--space", f"{tmp_path / 'own.py'}:Own", "--arch", "02012100")
        return ["table", "predict", str(tmp_path / "table"), *where]

    return make


def test_a_file_of_the_users_that_prints_leaves_one_object_on_standard_output(own, hwnas):
    done = hwnas(*own(), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["networks"][0]["arch"] == "02012100"
    for words in ("printed", "written past", "to the descriptor", "by a C library", "printed again"):
        assert words in done.stderr


@pytest.mark.parametrize(
    ("what", "words"),
    [("raise TypeError('two\\nlines')", "TypeError: two lines"), ("sys.exit(0)", "something called sys.exit(0)")],
)
def test_what_nobody_foresaw_is_one_line_and_70(what, words, own, capfd):
    assert main([*own(what), "--json"]) == 70
    said = capfd.readouterr()
    line = said.err.splitlines()[-1]
    assert line.startswith("hwnas: internal error: ")
    assert words in line
    assert "--debug" in line
    assert "Traceback" not in said.err
    assert json.loads(said.out) == {"error": line.removeprefix("hwnas: "), "code": 70}


def test_debug_before_and_after_the_verb_shows_the_traceback(own, capfd):
    line = own("raise TypeError('oops')")
    for words in (["--debug", *line], [*line, "--debug"]):
        assert main(words) == 70
        said = capfd.readouterr()
        assert "Traceback (most recent call last)" in said.err
        assert "TypeError: oops" in said.err.splitlines()[-1]


def test_ctrl_c_is_130_and_an_object(own, capfd):
    assert main([*own("raise KeyboardInterrupt"), "--json"]) == 130
    said = capfd.readouterr()
    answer = json.loads(said.out)
    assert answer["code"] == 130
    assert said.err.splitlines()[-1] == f"hwnas: {answer['error']}"
    assert answer["error"].startswith("stopped; what was done is kept")


@pytest.mark.parametrize(
    "words", [["table", "show", "nowhere"], ["table", "bogus"], ["run", "--threads", "x"], ["bogus"]]
)
def test_what_the_user_can_fix_is_2_and_an_object(words, capfd):
    assert main([*words, "--json"]) == 2
    said = capfd.readouterr()
    answer = json.loads(said.out)
    assert answer["code"] == 2
    assert said.err.splitlines()[-1] == f"hwnas: {answer['error']}"


def test_json_has_no_nan_and_no_numpy(capsys):
    record = {"nan": float("nan"), "inf": np.float32("inf"), "list": [np.int64(3), (np.bool_(True), np.array([0.5]))]}
    print_answer(Answer(record, "text"), as_json=True)
    assert json.loads(capsys.readouterr().out) == {"nan": None, "inf": None, "list": [3, [True, [0.5]]]}


def test_names_in_files_do_not_steer_the_terminal(tmp_path, capfd):
    name = "\x1b[31mRED\x1b]0;title\x07\x9b1m"
    target = Target(name, "rt", "1", "fp32", 1, 1)
    provenance = Provenance(target, "tiny", 50.0, "ab" * 32, {}, "2026-01-02", 1.5)
    save_table(LatencyTable((), provenance, b"reference"), tmp_path / "table")
    for words in (["show", tmp_path / "table"], ["ls", tmp_path], ["diff", tmp_path / "table", tmp_path / "table"]):
        assert main(["table", *map(str, words)]) == 0
        said = capfd.readouterr()
        assert not set(said.out + said.err) & set("\x1b\x07\x9b")
    assert printable("a\x1b[1mb\tc\n") == "a[1mb\tc\n"


def test_columns_are_as_wide_as_their_longest_cell():
    assert columns(("a", "bb"), [("ccc", "d"), ("e", "long one")]) == "a    bb\nccc  d\ne    long one"
