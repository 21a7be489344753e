"""Damage to the records of a finished run: how often it is a traceback, or believed without a word.

Bytes of stages/*.json, run.json and table/networks.csv are flipped, cut, doubled or exchanged; each time everything is
read again as a run would. Whatever reads as before, is done again or is refused in one line is right.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks._speak import add_output_options, publish, say
from hwnas.run import Run, RunFolder, Settings
from hwnas.run.stage import Stage
from latency_tables import HwnasError, load_table
from latency_tables.storage.networks import read_networks

TINY = Settings(
    limit=200,
    calibration_networks=10,
    heldout_networks=3,
    pairs=10,
    supernet_epochs=1,
    evaluations=300,
    finalists=2,
    train_epochs=1,
)
REDONE, REFUSED = "redone", "refused"


def finished_stages(path: Path, settings: Settings) -> list[Stage]:
    """Bring a run to its end, and every stage it is made of."""
    with Run(settings, path) as run:
        run.result()
        return [stage for stage, _ in run.folder.done.values()]


def read_all(path: Path, settings: Settings, stages: list[Stage]) -> dict[str, Any]:
    """What the folder answers: result by stage, settings and calibration networks; `REDONE` or `REFUSED` for none."""
    folder = RunFolder(path, settings)
    try:
        answers: dict[str, Any] = {s.name: REDONE if (r := folder.find(s)) is None else r for s in stages}
    finally:
        folder.close()
    try:
        answers["settings"] = RunFolder.settings_of(path)
    except HwnasError:
        answers["settings"] = REFUSED
    try:
        table = path / "table"
        answers["networks"] = read_networks(table, load_table(table).provenance.networks_sha256)
    except HwnasError:
        answers["networks"] = REFUSED
    return answers


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Another content: a byte or a digit changed, bytes cut out or doubled, the end lost."""
    at, end = sorted(rng.randrange(len(content)) for _ in range(2))
    digits = [i for i, byte in enumerate(content) if chr(byte).isdigit()] or [at]
    digit = rng.choice(digits)
    return rng.choice(
        [
            content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :],
            content[:digit] + b"%d" % rng.randrange(10) + content[digit + 1 :],
            content[:at] + content[end:],
            content[:end] + content[at:],
            content[:at],
        ]
    )


def outcomes(path: Path, settings: Settings, stages: list[Stage], count: int, seed: int) -> Iterator[str]:
    """Of each mutant: "same", "noticed", "silent change" or "traceback"."""
    rng, before = random.Random(seed), read_all(path, settings, stages)
    files = [*sorted((path / "stages").glob("*.json")), path / "run.json", path / "table" / "networks.csv"]
    for _ in range(count):
        file = rng.choice(files)
        whole = file.read_bytes()
        file.write_bytes(mutate(whole, rng))
        try:
            yield judged(before, read_all(path, settings, stages))
        except Exception as e:  # this is what is counted
            say(f"{file.relative_to(path)}: {type(e).__name__}: {e}")
            yield "traceback"
        finally:
            file.write_bytes(whole)


def judged(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What the answers after a mutation are, compared with those before."""
    changed = [after[name] for name in before if after[name] != before[name]]
    if any(answer not in (REDONE, REFUSED) for answer in changed):
        return "silent change"
    return "noticed" if changed else "same"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="100 mutants")
    parser.add_argument("--run", type=Path, help="copy this finished run instead of making a tiny one")
    add_output_options(parser)
    options = parser.parse_args()
    count = 100 if options.quick else options.mutants
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "run"
        if options.run is not None:
            shutil.copytree(options.run, path)
        settings = TINY if options.run is None else RunFolder.settings_of(path)
        stages = finished_stages(path, settings)
        seen = Counter(outcomes(path, settings, stages, count, options.seed))
    figures = {
        "tracebacks": seen["traceback"],
        "silent_changes": seen["silent change"],
        "noticed": seen["noticed"],
        "harmless": seen["same"],
    }
    publish("mutations", figures, {"mutants": count}, options.seed, {}, options.save)


if __name__ == "__main__":
    main()
