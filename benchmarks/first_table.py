"""From a wheel to a first table of mbconv-32, as a stranger goes: `python -m benchmarks.first_table --json`.

Builds the wheel, installs it with its extra `search` into an empty virtual environment outside the checkout, from the
index that pip is set up for, and there runs three commands: `hwnas doctor`, `hwnas profile`, `hwnas table show`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from functools import partial
from pathlib import Path

from benchmarks._speak import add_output_options, publish, say
from benchmarks._timing import timed

ROOT = Path(__file__).resolve().parents[1]


def run(command: list[str], folder: Path, codes: tuple[int, ...] = (0,)) -> str:
    """What a command prints; ends the program when it ends with another code."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in codes:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def installed(folder: Path) -> Path:
    """The `bin` of an empty environment into which the wheel of these sources was installed."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder / "dist"), str(ROOT)], folder)
    (wheel,) = (folder / "dist").glob("hwnas-*.whl")
    venv.create(folder / "venv", with_pip=False)
    programs = folder / "venv" / "bin"
    into = [*pip, "--python", str(programs / "python"), "install", "--quiet"]
    run([*into, "--constraint", str(ROOT / "constraints.txt"), f"{wheel}[search]"], folder)
    return programs


def main() -> None:
    """Measure the three commands and publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="calibrate on ten networks in place of up to 120")
    add_output_options(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs, install_seconds = timed(lambda: installed(folder))
        hwnas, less = str(programs / "hwnas"), ["--calibration-networks", "10", "--heldout-networks", "3"]
        commands = (
            ([hwnas, "doctor"], (0, 1)),  # 1: it found something to fix, and said it
            ([hwnas, "profile", "--space", "mbconv-32", "--out", "first", *(less if args.quick else [])], (0,)),
            ([hwnas, "table", "show", "first/table", "--json"], (0,)),
        )
        figures: dict[str, float] = {"install_seconds": install_seconds, "commands": len(commands), "seconds": 0.0}
        answer = ""
        for command, codes in commands:
            answer, seconds = timed(partial(run, command, folder, codes))
            say(f"{' '.join(command[1:])}: {seconds:.1f} s")
            figures["seconds"] += seconds
        rows = json.loads(answer)["rows"]
        figures["ops"] = len(rows)
        figures["ops_without_time"] = sum(row["median_us"] is None for row in rows)
    publish("first_table", figures, {"space": "mbconv-32", "quick": args.quick}, 0, {}, args.save)


if __name__ == "__main__":
    main()
