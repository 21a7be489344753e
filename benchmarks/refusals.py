"""How soon `hwnas run` refuses what cannot end well: `python -m benchmarks.refusals --json`.

Each command runs in a fresh process, as a person would start it; what counts is the time until it has ended with exit
code 2 and one line that says why. A missing package is played by a folder that hides it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks._speak import add_output_options, publish, say
from benchmarks._timing import timed

_HIDDEN = "openvino"


def refused(arguments: list[str], folder: Path) -> str:
    """The line with which a command is refused; ends the program when it ends otherwise."""
    command = [sys.executable, "-P", "-m", "hwnas.cli.main", "run", *arguments]
    path = os.pathsep.join(filter(None, [str(folder / "hidden"), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    line = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ""
    if done.returncode != 2 or not line.startswith("hwnas: "):
        sys.exit(f"{' '.join(arguments)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return line


def main() -> None:
    """Time every refusal and publish the slowest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="accepted for symmetry: it takes seconds")
    add_output_options(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hidden" / _HIDDEN).mkdir(parents=True)
        (folder / "hidden" / _HIDDEN / "__init__.py").write_text("raise ImportError('hidden')\n")
        (folder / "file").write_text("in the way of a run folder\n")
        cases = {
            "fallback": ["--precision", "fp16"],
            "no_int8": ["--runtime", "torch", "--precision", "int8"],
            "nb201": ["--space", "nb201"],
            "unwritable_folder": ["--out", "file/run"],
            "missing_extra": ["--runtime", _HIDDEN],
            "unknown_strategy": ["--strategy", "magic"],
            "missing_data": ["--data", "no-such-folder"],
            "infinite_budget": ["--budget-ms", "inf"],
        }
        figures, lines = {}, {}
        for case, arguments in cases.items():
            out = [] if "--out" in arguments else ["--out", "run"]
            lines[case], figures[f"{case}_seconds"] = timed(partial(refused, [*arguments, *out], folder))
            say(f"{figures[f'{case}_seconds']:.2f} s  {lines[case]}")
        if (folder / "run").exists():
            sys.exit("a refused run left a folder behind")
    figures["slowest_seconds"] = max(figures.values())
    publish("refusals", figures, {}, 0, {"lines": lines}, args.save)


if __name__ == "__main__":
    main()
