"""A fresh process that measures: `python -P -m profilers.worker < request.json`; see `profilers.fresh`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from latency_tables import HwnasError
from profilers._base import Profiler
from profilers.device import quiet
from profilers.plan import read_plan
from profilers.profile import measure_plan
from profilers.protocol import Protocol, visit_model
from profilers.runtimes import make_profiler


def _one_model(request: dict[str, Any], profiler: Profiler, protocol: Protocol) -> None:
    model = Path(request["model"]).read_bytes()
    with quiet(request["threads"]), profiler.open(Path(request["reference"]).read_bytes()) as reference:
        for _ in range(20):
            reference.run()
        visits = [
            visit_model(profiler, model, reference, protocol, "network", round_) for round_ in range(request["rounds"])
        ]
    _say({"visits": [v.to_json() for v in visits], "target": vars(profiler.target())})


def _one_round(request: dict[str, Any], profiler: Profiler, protocol: Protocol) -> None:
    plan, journal = read_plan(Path(request["plan"])), Path(request["journal"])
    measure_plan(plan, profiler, journal, protocol, lambda *done: _say({"progress": done}), [request["round"]])


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def main() -> int:
    """Read a request from standard input, answer with JSON lines on standard output."""
    try:
        request = json.load(sys.stdin)
        profiler = make_profiler(request["runtime"], request["threads"], request["batch"], request["precision"])
        defaults = Protocol().to_json()
        protocol = Protocol(**{k: type(defaults[k])(v) for k, v in request["protocol"].items()})  # type: ignore[arg-type]
        (_one_round if "plan" in request else _one_model)(request, profiler, protocol)
    except (HwnasError, OSError, ValueError, KeyError) as e:
        print(e, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
