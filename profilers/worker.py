"""A fresh process that measures one model beside the reference: `python -P -m profilers.worker < request.json`.

What a model does in a process that has just trained or profiled says little; this is how it will run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latency_tables import HwnasError, Measurement, ProfilerError
from profilers.device import quiet
from profilers.protocol import Protocol, visit_model
from profilers.runtimes import make_profiler


@dataclass(frozen=True)
class FreshMeasurement:
    """The visits of one model in a fresh process and the target it saw."""

    visits: tuple[Measurement, ...]
    target: dict[str, Any]


def measure_in_fresh_process(
    model: Path,
    reference: Path,
    *,
    runtime: str,
    threads: int,
    batch: int,
    protocol: Protocol,
    rounds: int,
    precision: str = "fp32",
) -> FreshMeasurement:
    """Measure `model` against `reference` in a new interpreter; raises `ProfilerError` with its last words."""
    request = {
        "model": str(model.resolve()),
        "reference": str(reference.resolve()),
        "runtime": runtime,
        "threads": threads,
        "batch": batch,
        "precision": precision,
        "protocol": protocol.to_json(),
        "rounds": rounds,
    }
    # -P: a folder called profilers where the user stands must not be taken for ours.
    command = [sys.executable, "-P", "-m", "profilers.worker"]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()
        raise ProfilerError(f"the measuring process failed: {words[-1] if words else f'exit {done.returncode}'}")
    answer = json.loads(done.stdout.splitlines()[-1])
    return FreshMeasurement(tuple(map(Measurement.from_json, answer["visits"])), answer["target"])


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    profiler = make_profiler(request["runtime"], request["threads"], request["batch"], request["precision"])
    defaults = Protocol().to_json()
    protocol = Protocol(**{k: type(defaults[k])(v) for k, v in request["protocol"].items()})  # type: ignore[arg-type]
    model = Path(request["model"]).read_bytes()
    visits: Sequence[Measurement]
    with quiet(request["threads"]), profiler.open(Path(request["reference"]).read_bytes()) as reference:
        for _ in range(20):
            reference.run()
        visits = [
            visit_model(profiler, model, reference, protocol, "network", round_) for round_ in range(request["rounds"])
        ]
    return {"visits": [v.to_json() for v in visits], "target": vars(profiler.target())}


def main() -> int:
    """Read a request from standard input, answer with one JSON line on standard output."""
    try:
        print(json.dumps(_answer(json.load(sys.stdin))))
    except (HwnasError, OSError, ValueError, KeyError) as e:
        print(e, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
