"""Type and help text of every setting, without importing anything heavy."""

from __future__ import annotations

from typing import Any

HELP: dict[str, tuple[Any, str]] = {
    "space": (
        str,
        "search space: mbconv-32, mbconv-112, mbconv-224, ofa-mbv3, regnet-32, regnet-224, or yours: file.py:Class "
        "[default: mbconv-32]",
    ),
    "data": (str, "'digits', an image .parquet file, or a folder of class folders [default: digits]"),
    "test_data": (str, "the test split, when it is a file or folder of its own"),
    "limit": (int, "use at most this many images of each file or folder"),
    "mirror": (bool, "whether mirrored images keep their label [default: no for digits, else yes]"),
    "runtime": (str, "inference runtime: onnxruntime, openvino, torch, ncnn ... [default: onnxruntime]"),
    "threads": (int, "threads of the runtime [default: 1]"),
    "precision": (str, "what the device computes in: fp32, int8 (profile only so far) [default: fp32]"),
    "table": (str, "use this latency table, made on this device, instead of profiling"),
    "budget_ms": (float, "latency budget [default: the median predicted latency of random networks]"),
    "arch": (str, "take this architecture instead of the search's winner (train, export, verify)"),
    "seed": (int, "one seed makes a run repeatable [default: 0]"),
    "calibration_networks": (
        int,
        "at most so many whole networks calibrate the table; fewer when more would not help [default: 120]",
    ),
    "heldout_networks": (int, "whole networks that show its error [default: 20]"),
    "supernet_epochs": (int, "epochs of supernet training [default: 10]"),
    "pairs": (int, "networks whose supernet accuracy the predictor learns from [default: 80]"),
    "strategy": (
        str,
        "nsga2 and bocs search the predictor; exact, prednas, weaknas, bananas, gp-ucb, evolution, local, pnas and "
        "random ask the supernet itself [default: nsga2]",
    ),
    "evaluations": (int, "networks nsga2 or bocs looks at [default: 5000]"),
    "queries": (int, "networks any other strategy asks the supernet about [default: 40]"),
    "search_minutes": (
        float,
        "search for so many minutes at most and go on with the best so far [default: no limit]",
    ),
    "finalists": (int, "networks that are trained; validation picks the winner among them [default: 9]"),
    "train_epochs": (int, "epochs of training each of them [default: 6]"),
    "workers": (
        str,
        "who trains them: here, local (Ray on this machine), local:4 (so many at a time), auto (the Ray cluster this "
        "machine belongs to), ray://host:10001 [default: here]",
    ),
}
