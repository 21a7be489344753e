"""`hwnas doctor`: is this machine fit to measure?"""

from __future__ import annotations

from dataclasses import asdict

from hwnas.cli.answer import Answer
from hwnas.cli.display import one_stage

_MARKS = {"ok": "OK  ", "note": "--  ", "fix": "FIX "}


def doctor() -> Answer:
    """Say what of this machine is fit to measure and what is installed; exit code 1 when something needs fixing.

    Takes about ten seconds, in which the reference network is measured against itself. One line per finding: OK, or
    FIX and what to do; lines with -- name what could be installed.
    """
    from hwnas.doctor import examine

    with one_stage("noise floor") as progress:
        findings = examine(progress)
    width = max(len(f.name) for f in findings)
    lines = [
        f"{_MARKS[f.level]}{f.name:<{width}}  {f.text}" + (f" -> {f.fix}" if f.fix is not None else "")
        for f in findings
    ]
    to_fix = sum(f.level == "fix" for f in findings)
    lines.append(f"{to_fix} to fix" if to_fix else "fit to measure")
    return Answer({"fit": not to_fix, "findings": [asdict(f) for f in findings]}, "\n".join(lines), 1 if to_fix else 0)
