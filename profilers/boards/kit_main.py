"""What `python3 kit.pyz` does on a board."""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

from latency_tables import HwnasError
from latency_tables.progress import Progress
from profilers.boards.claim import FAILED, FINISHED, RUNNING, Claim, Status, is_claimed, read_status
from profilers.boards.kit import measure_kit, read_kit

FAILED_CODE, KILLED_CODE, STOPPED_CODE = 2, 3, 130
LOG = "log.txt"
_RESUMES = "what was measured is kept, and the same command resumes from there"


def main(kit: Path, arguments: list[str] | None = None) -> int:
    """Measure, or `--attach` to a measuring process in the background; returns the exit code.

    0: all was measured. 2: it cannot be, the last line on standard error says why. 3: the process in the background
    was killed. 130: Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    try:
        return _attach(kit, options) if options.attach else _measure(kit, options)
    except HwnasError as e:
        return _complain(str(e), FAILED_CODE)
    except OSError as e:
        return _complain(f"{e.filename}: {e.strerror}" if e.filename else str(e), FAILED_CODE)
    except KeyboardInterrupt:
        return _complain(f"stopped; {_RESUMES}", STOPPED_CODE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kit", description="Measure this board. Resumes where it was stopped, also after kill -9 or a power cut."
    )
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder to measure into [default: results]")
    parser.add_argument("--runtime", help="inference runtime [default: the one the kit was made for]")
    parser.add_argument("--threads", type=int, help="threads of the runtime [default: as the kit was made for]")
    parser.add_argument(
        "--attach",
        action="store_true",
        help="measure in the background, where a lost connection does no harm, and watch; call it again to watch again",
    )
    return parser


def _complain(message: str, code: int) -> int:
    _print(f"kit: {' '.join(message.split())}", sys.stderr)
    return code


def _print(line: str, file: TextIO | None = None) -> None:
    with contextlib.suppress(OSError):  # a log on a full disk, a terminal that is gone: keep measuring
        print(line, file=file, flush=True)


def _measure(kit: Path, options: argparse.Namespace) -> int:
    with Claim(options.out) as claim:
        try:
            measure_kit(read_kit(kit), options.out, _lines, options.runtime, options.threads)
        except KeyboardInterrupt:
            claim.say(Status(FAILED, "stopped by hand"))
            raise
        except (HwnasError, OSError) as e:
            claim.say(Status(FAILED, str(e)))
            raise
        claim.say(Status(FINISHED))
    _print(f"finished: copy the folder {options.out} to your workstation and read it with `hwnas table import`")
    return 0


def _attach(kit: Path, options: argparse.Namespace) -> int:
    """Start the work in a session of its own unless it is running; print what it says until it ends."""
    options.out.mkdir(parents=True, exist_ok=True)
    given = [("--out", options.out), ("--runtime", options.runtime), ("--threads", options.threads)]
    command = [sys.executable, str(kit), *(str(w) for name, value in given if value is not None for w in (name, value))]
    with open(options.out / LOG, "ab") as log, open(options.out / LOG, "rb") as said:
        said.seek(0, 2)
        child = None
        if not is_claimed(options.out):
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        while True:
            # Asked before reading, so that nothing it said before it ended is missed.
            running = (child is not None and child.poll() is None) or is_claimed(options.out)
            sys.stdout.buffer.write(said.read())
            sys.stdout.flush()
            if not running:
                break
            time.sleep(0.2)
    status = read_status(options.out)
    if status is None or status.state == RUNNING:
        return _complain(f"the measuring process was killed; {_RESUMES}", KILLED_CODE)
    return _complain(status.said, FAILED_CODE) if status.state == FAILED else 0


def _lines(stage: str) -> Progress:
    """Progress in plain lines, at most one per second."""
    started, first, shown = time.monotonic(), -1, 0.0

    def report(done: int, total: int, what: str) -> None:
        nonlocal first, shown
        now = time.monotonic()
        first = done if first < 0 else first  # what an earlier process did says nothing of our speed
        if done < total and now - shown < 1:
            return
        shown = now
        eta = f"{(now - started) / (done - first) * (total - done):.0f}" if done > first else "?"
        _print(progress_line(stage, done, total, eta, what))

    return report


def progress_line(stage: str, done: int, total: int, eta_s: str, what: str) -> str:
    """One line of progress; `parse_progress_line` reads it."""
    return f"{stage} {done}/{total}, ETA {eta_s} s, {what}"


def parse_progress_line(line: str) -> tuple[str, int, int, str] | None:
    """Stage, steps done, steps in all, what; None when the line is something else."""
    found = re.fullmatch(r"(\w+) (\d{1,9})/(\d{1,9}), ETA \S+ s, (.*)", line.strip())
    return (found[1], int(found[2]), int(found[3]), found[4]) if found else None
