"""A whole run whose device is a board behind ssh: what a link that is cut and a process that is killed there cost.

The board is this machine behind an ssh server on loopback. Two runs of another speed never measure the same
milliseconds, so "the same winner" is asked of the journals: the run is done again from them alone, without a link.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks._loopback import LoopbackBoard, make_keys, trust
from latency_tables import HwnasError, Measurement
from latency_tables.storage.journal import StoredJournal, read_journal
from latency_tables.storage.serialise import from_plain
from profilers import Plan, Protocol, read_plan
from profilers.profile import lacking

_OPTIONS = (
    *("--space", "mbconv-32", "--limit", "400", "--calibration-networks", "30", "--heldout-networks", "8"),
    *("--rounds", "3", "--pairs", "12", "--supernet-epochs", "1", "--evaluations", "500"),
    *("--finalists", "2", "--train-epochs", "1"),
)
_CUTS, _KILLS = 10, 5
_PAUSE_S = (0.1, 1.2)  # between two disturbances, while the board works
_RESUMES = 5
_MEASURING = ("profile", "calibrate", "verify")


@dataclass(frozen=True)
class _Run:
    """A run that came to its end: its folder, its answer, how often it had to be resumed, and seconds."""

    folder: Path
    result: Mapping[str, Any]
    resumed: int
    seconds: float


@dataclass
class _Disturbance:
    """Cuts and kills in a random order at random moments while the board works; what its journals held before each."""

    board: LoopbackBoard
    todo: list[str]
    random: random.Random
    seen: list[tuple[dict[str, Any], list[dict[str, Any]]]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def work(self, ended: threading.Event) -> None:
        """Until all are done, or the run has ended."""
        visits_at_kill = -1
        while self.todo and not ended.wait(self.random.uniform(*_PAUSE_S)):
            measuring = self.board.measuring()
            linked = any(not connection.is_closed() for connection in self.board.connections)
            kind = self.todo[-1]
            visits = self._look()
            if kind == "cut" and linked:
                self.board.hang_up()
            elif kind == "kill" and measuring and visits != visits_at_kill:
                visits_at_kill = visits  # three kills in a row without a visit would be a board out of memory
                for process in measuring:
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
            else:
                continue
            self.done[self.todo.pop()] += 1

    def _look(self) -> int:
        """Note what the journals on the board hold; how many visits that is."""
        held = 0
        for path in self.board.home.glob("hwnas/*/results-*/*.jsonl"):
            with suppress(HwnasError):  # not begun
                journal = read_journal(path)
                self.seen.append((journal.header, journal.records))
                held += len(journal.records)
        return held


def boards(seed: int, quick: bool = False) -> tuple[dict[str, float], Mapping[str, Any]]:
    """A run undisturbed and one with ten cuts and five kills (`quick`: three and two); figures of the second one.

    `board_lost` counts models that lack a visit in the run's journals, and visits that only the board had kept;
    `board_twice` visits too many; `board_same_winner` is 1 when both runs, done again from their journals without a
    link, end in the network, its milliseconds and the verdict that they had.
    """
    cuts, kills = (3, 2) if quick else (_CUTS, _KILLS)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        keys = make_keys(_made(folder / "keys"))
        plain, _ = _run(folder / "plain", keys, [], seed)
        todo = ["cut"] * cuts + ["kill"] * kills
        disturbed, disturbance = _run(folder / "disturbed", keys, todo, seed)
        journals = _journals(disturbed.folder)
        figures = {
            "board_cuts": float(disturbance.done["cut"]),
            "board_kills": float(disturbance.done["kill"]),
            "board_lost": float(_missing(journals) + _forgotten(journals, disturbance)),
            "board_twice": float(_twice(journals)),
            "board_resumed": float(disturbed.resumed),
            "board_same_networks": float(_asked(plain.folder) == _asked(disturbed.folder)),
            "board_same_winner": float(all(_replayed(run) for run in (plain, disturbed))),
        }
    details = {
        name: {"seconds": round(run.seconds, 1), **{k: run.result[k] for k in ("arch", "measured_ms", "verified")}}
        for name, run in (("undisturbed", plain), ("disturbed", disturbed))
    }
    return figures, details


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _run(folder: Path, keys: Path, todo: Sequence[str], seed: int) -> tuple[_Run, _Disturbance]:
    """`hwnas run` with a board of its own, resumed where it gave up."""
    order = random.Random(seed)
    disturbances = order.sample(todo, len(todo))
    python = Path(sys.executable).parent
    with LoopbackBoard(_made(folder / "board"), keys, f"{python}:/usr/bin:/bin") as board:
        known = trust(folder / "known", keys / "host.pub", board.port)
        login = ("--identity", keys / "user", "--known-hosts", known)
        words = (*_OPTIONS, "--seed", seed, "--device", f"ssh://me@127.0.0.1:{board.port}", *login)
        disturbance, ended = _Disturbance(board, disturbances, order), threading.Event()
        thread = threading.Thread(target=disturbance.work, args=(ended,))
        thread.start()
        started, resumed = time.monotonic(), 0
        try:
            done = _hwnas(folder / "run", *words)
            while done.returncode not in (0, 1) and resumed < _RESUMES:
                resumed += 1
                done = _hwnas(folder / "run", "--resume")
        finally:
            ended.set()
            thread.join()
    if done.returncode not in (0, 1):
        raise RuntimeError(f"the run ended with {done.returncode}: {done.stderr.strip().splitlines()[-1]}")
    if disturbance.todo:
        raise RuntimeError(f"the run was over before {len(disturbance.todo)} disturbances")
    return _Run(folder / "run", json.loads(done.stdout), resumed, time.monotonic() - started), disturbance


def _hwnas(out: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "hwnas.cli.main", "run", *map(str, words), "--json", "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _journals(run: Path) -> list[tuple[Plan, StoredJournal]]:
    """What was measured in a run: each plan and its journal."""
    plans = {tuple(m.sha256 for m in plan.models): plan for plan in map(read_plan, _plan_folders(run))}
    paths = *run.glob("journals/*.jsonl"), *run.glob("candidates/*/verify-*/verify.jsonl")
    journals = [read_journal(path) for path in paths]
    return [(plans[tuple(j.header["plan"])], j) for j in journals if "plan" in j.header]


def _plan_folders(run: Path) -> list[Path]:
    found = [run / "ops", *run.glob("networks/*"), *run.glob("candidates/*/verify-*")]
    return [folder for folder in found if (folder / "plan.json").exists()]


def _missing(journals: Sequence[tuple[Plan, StoredJournal]]) -> int:
    """Models that the protocols still ask to visit."""
    missing = 0
    for plan, journal in journals:
        visits = [Measurement.from_json(record) for record in journal.records]
        missing += len(lacking(plan, visits, from_plain(Protocol, journal.header["protocol"])))
    return missing


def _forgotten(journals: Sequence[tuple[Plan, StoredJournal]], disturbance: _Disturbance) -> int:
    """Visits that were in a journal on the board and are in none of the run's."""
    kept = {_text(record) for _, journal in journals for record in journal.records}
    return len({_text(record) for _, records in disturbance.seen for record in records} - kept)


def _twice(journals: Sequence[tuple[Plan, StoredJournal]]) -> int:
    """Visits that no protocol asks for."""
    extra = 0
    for _, journal in journals:
        in_a_row = int(journal.header["protocol"]["in_a_row"])
        seen = Counter((record["key"], record["round"]) for record in journal.records)
        extra += sum(max(0, count - in_a_row) for count in seen.values())
    return extra


def _asked(run: Path) -> dict[str, Any]:
    """The networks that are asked for whatever the milliseconds are."""
    names = {folder.name: [m.key for m in read_plan(folder).models] for folder in (run / "networks").iterdir()}
    predicted = json.loads((run / "stages" / "predict.json").read_bytes())["result"]["archs"]
    return {**names, "ops": [m.key for m in read_plan(run / "ops").models], "pairs": predicted}


def _replayed(run: _Run) -> bool:
    """Whether the run ends the same when all that was measured is read from the journals, and there is no board."""
    for kind in _MEASURING:
        for record in (run.folder / "stages").glob(f"{kind}*.json"):
            record.unlink()
    shutil.rmtree(run.folder / "table")
    again = _hwnas(run.folder, "--resume")
    if again.returncode not in (0, 1):
        return False
    result, names = json.loads(again.stdout), ("arch", "measured_ms", "measured_ci95_ms", "predicted_ms", "verified")
    return all(result[name] == run.result[name] for name in names)


def _text(record: Mapping[str, Any]) -> str:
    return json.dumps(record, sort_keys=True)
