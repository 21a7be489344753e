"""A fresh process that measures: `python -P -m profilers.worker < request.json`; see `profilers.isolated`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from latency_tables import HwnasError
from latency_tables.progress import Progress
from latency_tables.storage.serialise import from_plain, parse_json
from profilers._base import Profiler
from profilers.device.machine import quiet
from profilers.isolated import MeasureModel, MeasureResources, MeasureRound, ModelVisits, Request
from profilers.plan import read_plan
from profilers.profile import measure_here
from profilers.protocol import visit_model
from profilers.resources import resources_here
from profilers.runtimes import make_profiler


def _round(request: MeasureRound, profiler: Profiler, progress: Progress) -> None:
    journal = Path(request.journal)
    profiler.keep_engines(journal.with_name("engines"))
    measure_here(read_plan(Path(request.plan)), profiler, journal, request.protocol, progress, [request.round])


def _model(request: MeasureModel, profiler: Profiler, progress: Progress) -> dict[str, Any]:
    model, reference_model = Path(request.model).read_bytes(), Path(request.reference).read_bytes()
    with quiet(request.spec.threads), profiler.open(reference_model) as reference:
        for _ in range(20):
            reference.run()
        rounds = range(request.rounds)
        visits = [visit_model(profiler, model, reference, request.protocol, "network", round_) for round_ in rounds]
    return asdict(ModelVisits(tuple(visits), profiler.target()))


def _resources(request: MeasureResources, profiler: Profiler, progress: Progress) -> dict[str, Any]:
    return asdict(resources_here(Path(request.model).read_bytes(), profiler, request.energy_s))


_WORK: Mapping[type[Request], Callable[[Any, Profiler, Progress], Any]] = {
    MeasureRound: _round,
    MeasureModel: _model,
    MeasureResources: _resources,
}


def _read_request(content: bytes) -> Request:
    asked = parse_json(content)
    kinds = {kind.__name__: kind for kind in _WORK}
    if not isinstance(asked, dict) or (kind := kinds.get(str(asked.pop("kind", None)))) is None:
        raise ValueError(f"the request is none of {', '.join(kinds)}")
    return from_plain(kind, asked)


def main() -> int:
    """Read a request from standard input, answer with JSON lines on standard output."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a runtime prints must not be taken for an answer

    def say(what: str, value: Any) -> None:
        print(json.dumps({what: value}), file=answers, flush=True)

    try:
        request = _read_request(sys.stdin.buffer.read())
        profiler = make_profiler(**asdict(request.spec))
        say("answer", _WORK[type(request)](request, profiler, lambda *done: say("progress", done)))
    except (HwnasError, OSError, ValueError) as e:
        print(" ".join(str(e).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
