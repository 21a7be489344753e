"""Engines with proof: `python -m benchmarks.deploy --json`.

`rtx`: TensorRT for RTX builds our models without a GPU (`pip install 'hwnas[tensorrt-rtx]'`).
`int8`: whether int8 pays on this processor, in which form.
`answers`: what shipped files answer to real images on every runtime, in fp32 and int8.
`folder`: seconds of the folder that is handed over, and whether anything in it can be changed unnoticed.
`boards`: a whole run on a board behind ssh whose link is cut and whose process is killed (`pip install 'hwnas[ssh]'`).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks._answers import answers
from benchmarks._boards import boards
from benchmarks._folder import folder
from benchmarks._int8_speed import int8_speed
from benchmarks._rtx import rtx
from benchmarks._speak import add_output_options, listed, publish

Part = Callable[[], tuple[dict[str, float], Mapping[str, Any]]]


def main() -> None:
    """Measure the parts asked for, publish all figures together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="all", help="rtx, int8, answers, folder, boards; or several, by commas")
    parser.add_argument("--networks", type=int, default=20, help="random networks per space")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="two networks per space")
    add_output_options(parser)
    args = parser.parse_args()
    networks = 2 if args.quick else args.networks
    parts: dict[str, Part] = {
        "rtx": lambda: rtx(networks, args.seed),
        "int8": lambda: int8_speed(networks, args.seed),
        "answers": lambda: answers(networks, args.seed, 1 if args.quick else 10),
        "folder": lambda: folder(100 if args.quick else 1000, args.seed),
        "boards": lambda: boards(args.seed, args.quick),
    }
    figures: dict[str, float] = {}
    details: dict[str, Any] = {}
    names = listed(parser, "part", args.parts, parts)
    for name in names:
        found, details[name] = parts[name]()
        figures |= found
    publish("deploy", figures, {"parts": names, "networks": networks}, args.seed, details, args.save)


if __name__ == "__main__":
    main()
