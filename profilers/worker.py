"""A fresh process that measures: `python -P -m profilers.worker < request.json`; see `profilers.isolated`."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from latency_tables import HwnasError
from latency_tables.storage.serialise import from_plain, parse_json
from profilers.isolated import MeasureModel, Request
from profilers.layer_profile import ProfileLayers
from profilers.profile import MeasureRound
from profilers.resources import MeasureResources
from profilers.runtimes import make_profiler

Kinds = Mapping[str, type[Request]]
_KINDS: Kinds = {kind.__name__: kind for kind in (MeasureRound, MeasureModel, MeasureResources, ProfileLayers)}
_PR_SET_PDEATHSIG = 1


def _read_request(content: bytes, kinds: Kinds) -> Request:
    asked = parse_json(content)
    if not isinstance(asked, dict) or (kind := kinds.get(str(asked.pop("kind", None)))) is None:
        raise ValueError(f"the request is none of {', '.join(kinds)}")
    return from_plain(kind, asked)


def _end_with_parent() -> None:
    """Let the system end this process with the one that asked, where it can (Linux): nobody else may measure then."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(kinds: Kinds = _KINDS) -> int:
    """Read a request of one of these kinds from standard input, answer with JSON lines on standard output."""
    _end_with_parent()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a runtime prints must not be taken for an answer

    def say(what: str, value: Any) -> None:
        print(json.dumps({what: value}), file=answers, flush=True)

    try:
        request = _read_request(sys.stdin.buffer.read(), kinds)
        profiler = make_profiler(**asdict(request.spec))
        say("answer", request.work(profiler, lambda *done: say("progress", done)))
    except (HwnasError, OSError, ValueError) as e:
        print(" ".join(str(e).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
