"""What training costs beside the arithmetic: `python -m benchmarks.training --json`.

overhead: a step of a network inside a supernet against one of the same network alone, in pairs.
processes: three epochs of a supernet and of a network by two processes under torchrun against one. In float32 the order
of sums, which differs, is amplified from step to step; float64 tells that from a fault.
stream: resident memory while training batches are streamed from Parquet shards of 10,000 and of a million images of
16 x 16 pixels, each in a fresh process with its decoding processes. Both see the same number of batches, after a first
epoch of the small set would have ended; the difference of the peaks is what a hundred times more images cost.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks._shared_training import difference
from benchmarks._speak import add_output_options, listed, publish, say
from benchmarks._step_overhead import step_ratios
from benchmarks._streaming import Streamed, write_shards

_SIZES = (10_000, 1_000_000)
_WORKERS = 2


def stream(args: argparse.Namespace) -> tuple[dict[str, float], Mapping[str, Any]]:
    """Peak memory with each number of images."""
    found = {}
    for images in _SIZES:
        with TemporaryDirectory() as folder:
            mb = write_shards(Path(folder), images, args.seed)
            say(f"{images:,} images in shards of {mb:.0f} MB in all")
            found[images] = _streamed(Path(folder), args.batches)
        one = found[images]
        say(f"  {one.rss_mb:.0f} MB resident ({one.pss_mb:.0f} MB without what is shared), {one.images_per_s:.0f}/s")
    small, large = (found[images] for images in _SIZES)
    figures = {
        "stream_rss_mb_difference": large.rss_mb - small.rss_mb,
        "stream_pss_mb_difference": large.pss_mb - small.pss_mb,
        "stream_rss_mb_10k": small.rss_mb,
        "stream_rss_mb_1m": large.rss_mb,
        "stream_images_per_s_1m": large.images_per_s,
    }
    return figures, {f"{images} images": vars(one) for images, one in found.items()}


def _streamed(folder: Path, batches: int) -> Streamed:
    """In a process of its own: what this one holds would count too."""
    command = [sys.executable, "-m", "benchmarks._streaming", str(folder), str(batches), str(_WORKERS)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Streamed.read(said)


def overhead(args: argparse.Namespace) -> tuple[dict[str, float], Mapping[str, Any]]:
    """What sharing weights costs per step."""
    ratios = step_ratios("mbconv-32", args.networks, args.rounds, args.seed)
    say(f"a step in the supernet takes {np.mean(ratios):.3f} times as long ({min(ratios):.3f} to {max(ratios):.3f})")
    return {"step_overhead": float(np.mean(ratios)), "step_overhead_max": max(ratios)}, {"ratios": ratios}


def processes(args: argparse.Namespace) -> tuple[dict[str, float], Mapping[str, Any]]:
    """What two processes compute otherwise than one."""
    apart = {dtype: difference(dtype, args.seed) for dtype in ("float64", "float32")}
    for dtype, most in apart.items():
        say(f"one process and two, {dtype}: losses and weights differ by {most:.1e} at most")
    return {"ddp_max_abs": apart["float64"], "ddp_max_abs_float32": apart["float32"]}, {}


PARTS: Mapping[str, Callable[[argparse.Namespace], tuple[dict[str, float], Mapping[str, Any]]]] = {
    "overhead": overhead,
    "processes": processes,
    "stream": stream,
}


def main() -> None:
    """One part after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="all", help=f"some of {', '.join(PARTS)}, with commas between, or all")
    parser.add_argument("--batches", type=int, default=1000, help="batches of 64 images that are streamed")
    parser.add_argument("--networks", type=int, default=10, help="whose steps are timed")
    parser.add_argument("--rounds", type=int, default=20, help="pairs of steps of each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="300 batches, 3 networks, 5 rounds")
    add_output_options(parser)
    args = parser.parse_args()
    if args.quick:
        args.batches, args.networks, args.rounds = 300, 3, 5
    figures: dict[str, float] = {}
    details: dict[str, Any] = {}
    for name in listed(parser, "part", args.parts, PARTS):
        own, details[name] = PARTS[name](args)
        figures |= own
    settings = {"parts": args.parts, "batches": args.batches, "workers": _WORKERS, "quick": args.quick}
    publish("training", figures, settings, args.seed, details, args.save)


if __name__ == "__main__":
    main()
