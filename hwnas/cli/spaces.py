"""`hwnas spaces`: which search spaces ship."""

from __future__ import annotations

from hwnas.cli.answer import Answer, columns

WHAT_FOR = {
    "mbconv-32": "small images; networks below a millisecond on a CPU core",
    "mbconv-112": "images that need some detail; networks of one to three milliseconds",
    "mbconv-224": "photos at full resolution, with ImageNet's strides",
    "ofa-mbv3": "once-for-all's MobileNetV3, to compare with it",
    "regnet-32": "plain residual networks for small images",
    "regnet-224": "plain residual networks for photos",
    "nb201": "NAS-Bench-201, to compare search methods",
    "nb101": "NAS-Bench-101, to compare search methods",
    "nasbench-macro": "NAS-Bench-Macro, to compare search methods",
}


def spaces() -> Answer:
    """List the search spaces that ship: networks, input, ops to measure, and what each is for.

    Your own goes by file.py:ClassName wherever a space is asked for.
    """
    from hwnas.spaces import load_space
    from hwnas.spaces.load import SPACES

    found = [(name, load_space(name)) for name in SPACES]
    record = {
        "spaces": [
            {
                "name": name,
                "networks": space.size,
                "input_shape": list(space.input_shape),
                "ops": len(space.all_ops),
                "what_for": WHAT_FOR[name],
            }
            for name, space in found
        ]
    }
    rows = [
        (name, f"{space.size:.2g}", "x".join(map(str, space.input_shape)), str(len(space.all_ops)), WHAT_FOR[name])
        for name, space in found
    ]
    return Answer(record, columns(("space", "networks", "input", "ops", "what for"), rows))
