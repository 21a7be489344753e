"""A plan measured on a board behind ssh as it is on this machine."""

import shutil
from collections import Counter

import pytest

from latency_tables import HwnasError, Target
from latency_tables.storage.journal import read_journal
from profilers import Protocol, RuntimeSetting, read_plan
from profilers.boards.board import Board, BoardFacts, Reach, ask_board
from profilers.boards.ssh import Patience
from profilers.boards.ssh_login import Address, Login
from profilers.profile import journal_header
from profilers.runtimes import make_profiler

trust = pytest.importorskip("benchmarks._loopback").trust
SETTING = RuntimeSetting("onnxruntime")
SOON = Patience(connect_s=5, first_pause_s=0.05, longest_pause_s=0.1, connections=4)
QUICK = Protocol(group_us=300, maximum_runs=6, groups=1, minimum_rounds=2, maximum_rounds=2, disturbed_rounds=0)


@pytest.fixture
def server(serve):
    return serve()


@pytest.fixture
def said():
    return []


@pytest.fixture
def reach(server, keys, said, tmp_path):
    login = Login(keys / "user", trust(tmp_path / "known", keys / "host.pub", server.port))
    return Reach(Address("127.0.0.1", "me", server.port), login, SETTING, said.append, SOON)


@pytest.fixture
def here():
    return make_profiler("onnxruntime", 1, 1)


@pytest.fixture
def board(reach, here):
    """The board is this very machine, so what it would say is known."""
    return Board(reach, BoardFacts(here.target(), here.int8_form, here.quick_to_start))


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journals" / "plan.jsonl"


def visits_of(records):
    return Counter((r.key, r.round) for r in records)


def test_what_a_board_says_of_itself(reach, server, here, said, tmp_path):
    assert ask_board(reach, tmp_path / "device") == BoardFacts(here.target(), "between-ops", True)
    assert said == []
    assert list(server.home.glob("hwnas/*")) == []  # nothing stays there


def test_a_plan_is_measured_there_and_nothing_stays(board, server, two_ops, journal, said):
    plan = read_plan(two_ops)
    steps = []
    visits = board.measure(plan, journal, QUICK, lambda *step: steps.append(step))
    assert visits_of(visits) == {(m.key, r): 1 for m in plan.models for r in range(2)}
    assert steps[-1] == (4, 4, "ops: measured")
    assert read_journal(journal).header == journal_header(plan, board.target(), QUICK)
    assert list(server.home.glob("hwnas/*")) == []
    assert not list(journal.parent.rglob("*.pyz"))
    assert said == []


def test_what_was_brought_is_not_asked_for_again(board, server, two_ops, journal):
    plan = read_plan(two_ops)
    visits, connections = board.measure(plan, journal, QUICK), len(server.connections)
    assert board.measure(plan, journal, QUICK) == visits
    assert len(server.connections) == connections


def test_a_journal_that_lost_a_visit_is_brought_again(board, two_ops, journal):
    plan = read_plan(two_ops)
    board.measure(plan, journal, QUICK)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:2], b"?" + lines[2], *lines[3:]]))
    assert sum(visits_of(board.measure(plan, journal, QUICK)).values()) == 4


def test_a_board_that_is_away_for_a_while(board, server, two_ops, journal, said):
    """It was reached before: a link that is down when a plan begins is waited for."""
    server.drop = lambda line: len(server.connections) < 3  # at the first word that the board says
    visits = board.measure(read_plan(two_ops), journal, QUICK)
    assert sum(visits_of(visits).values()) == 4
    assert len(server.connections) == 3
    assert len(said) == 2
    assert all(line.startswith("the connection to me@127.0.0.1 was lost") for line in said)


def test_a_board_that_has_changed(reach, here, two_ops, journal):
    other = Board(reach, BoardFacts(Target(**{**vars(here.target()), "runtime_version": "0.1"}), "between-ops", True))
    with pytest.raises(HwnasError) as e:
        other.measure(read_plan(two_ops), journal, QUICK)
    assert str(e.value).startswith("me@127.0.0.1 is no longer the device that this run began with: runtime_version is ")
    assert "\n" not in str(e.value)
    assert not journal.exists()


def test_measuring_goes_on_after_the_process_here_was_lost(board, server, two_ops, journal):
    """Whoever asked dies while the board measures: the same call takes up what is there."""

    class Gone(Exception):
        pass

    def die(done, total, what):
        if "round" in what:
            raise Gone

    plan = read_plan(two_ops)
    with pytest.raises(Gone):
        board.measure(plan, journal, QUICK, die)
    (begun,) = server.home.glob("hwnas/*/results-*")
    assert not journal.exists()
    assert visits_of(board.measure(plan, journal, QUICK)) == {(m.key, r): 1 for m in plan.models for r in range(2)}
    assert not begun.exists()
    shutil.rmtree(journal.parent)


def test_a_runtime_that_the_board_lacks(reach, tmp_path):
    lacking = Reach(reach.address, reach.login, RuntimeSetting("openvino"), reach.say, SOON)
    with pytest.raises(HwnasError, match=r"^measuring on me@127\.0\.0\.1 failed: openvino is not installed") as e:
        ask_board(lacking, tmp_path / "device")
    assert "\n" not in str(e.value)
