"""`hwnas fleet --verify`: the network of a fleet, measured here and on a board behind ssh."""

import json

import pytest

from hwnas.cli.main import main
from hwnas.run import fleet

trust = pytest.importorskip("benchmarks._loopback").trust
pytestmark = pytest.mark.slow


@pytest.fixture
def command(finished, tmp_path):
    """A fleet of two devices that are both this machine, and a budget of the first one."""
    table = finished.folder / "table"

    def make(*words, budget_ms=1000):
        tables = ("--table", f"laptop={table}", "--table", f"pi={table}")
        fixed = ("--space", "mbconv-32", "--accuracy", finished.folder, "--rungs", 2, "--out", tmp_path / "fleet")
        return [str(word) for word in ("fleet", *fixed, *tables, "--budget-ms", f"laptop={budget_ms}", *words)]

    return make


def test_the_network_is_measured_on_every_device_once(command, serve, keys, tmp_path, capsys):
    board = serve()
    known = trust(tmp_path / "known", keys / "host.pub", board.port)
    there = ("--verify", f"pi=ssh://me@127.0.0.1:{board.port}", "--identity", keys / "user", "--known-hosts", known)
    words = command("--verify", "laptop=here", *there, "--json")
    assert main(words) == 0
    answer = json.loads(capsys.readouterr().out)
    verified = answer["verified"]
    assert set(verified) == {"laptop", "pi"}
    assert (verified["laptop"]["budget_ms"], verified["pi"]["budget_ms"]) == (1000, None)
    assert all(one["verified"] and 0 < one["measured_ms"] < 1000 for one in verified.values())
    assert main(words) == 0  # what was measured is known
    assert json.loads(capsys.readouterr().out)["verified"] == verified


def test_a_device_that_is_slower_than_its_budget_fails(command, capsys, monkeypatch):
    said = []

    def measured(space, arch, table, where, budget_ms, device, path, progress):
        said.append((space.to_text(arch), budget_ms))
        return fleet.Verification("0" * 64, budget_ms, 2 * budget_ms, (budget_ms, 3 * budget_ms), 1.0, 1.0, False)

    monkeypatch.setattr(fleet, "measure_network", measured)
    assert main(command("--verify", "laptop=here")) == 1
    out = capsys.readouterr().out
    ((arch, budget_ms),) = said
    assert budget_ms == 1000
    assert f"one network for all: {arch}" in out
    assert "FAIL on laptop: 2000 ms, budget 1000 ms" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--verify", "phone=here"), "--verify phone: no --table has that name; there are laptop, pi"),
        (("--verify", "here"), "--verify here: write NAME=VALUE, with the name of a device"),
        (("--verify", "pi=somewhere"), "cannot read the device 'somewhere': write ssh://user@host"),
    ],
)
def test_what_cannot_be_verified(command, words, said, capsys):
    assert main(command(*words)) == 2
    assert said in capsys.readouterr().err
