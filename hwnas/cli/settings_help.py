"""What each setting of a run means, in a line. Types and defaults are those of `Settings`."""

from __future__ import annotations

from collections.abc import Mapping

HELP: Mapping[str, str] = {
    "space": "search space, see `hwnas spaces`; or your own: file.py:Class",
    "allow": "GENE=VALUE,VALUE: only these values, e.g. 'block*=mb3k3,se6k5'; may repeat; genes: `hwnas spaces NAME`",
    "fix": "GENE=VALUE: only this value, e.g. depth1=2; may repeat",
    "data": "'digits', an image .parquet file, or a folder of class folders",
    "test_data": "the test split, when it is a file or folder of its own",
    "limit": "use at most this many images of each file or folder",
    "mirror": "whether mirrored images keep their label [default: no for digits, else yes]",
    "runtime": "inference runtime, see `hwnas runtimes`; or your own: file.py:Class",
    "threads": "threads of the runtime",
    "precision": "what the device computes in: fp32, fp16, int8 (profile only so far)",
    "table": "use this latency table, made on this device, instead of profiling",
    "budget_ms": "latency budget [default: the median predicted latency of random networks]",
    "arch": "take this architecture instead of the search's winner",
    "seed": "one seed makes a run repeatable",
    "calibration_networks": "at most so many whole networks calibrate the table; fewer when more would not help",
    "heldout_networks": "whole networks that show its error",
    "supernet_epochs": "epochs of supernet training",
    "pairs": "networks whose supernet accuracy the predictor learns from",
    "strategy": "nsga2 and bocs search the predictor; exact, prednas, weaknas, bananas, gp-ucb, evolution, local, pnas "
    "and random ask the supernet itself",
    "evaluations": "networks that nsga2 or bocs looks at",
    "queries": "networks that any other strategy asks the supernet about",
    "search_minutes": "search for so many minutes at most and continue with the best so far [default: no limit]",
    "finalists": "networks that are trained; validation picks the winner among them",
    "train_epochs": "epochs of training each of them",
    "workers": "who trains them: here, local (Ray on this machine), local:4 (so many at a time), auto (the Ray cluster "
    "this machine belongs to), ray://host:10001",
}
