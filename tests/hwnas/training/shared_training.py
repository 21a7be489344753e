"""A supernet and a network, trained by as many processes as torchrun starts: `shared_training.py OUT [DIE_AT_STEP]`."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from conftest import chain_of_blocks, three_classes

from hwnas.training import Batches, Recipe, load_checkpoint, share_trainings, train_network, train_supernet
from latency_tables import HwnasError


def dies(at):
    """Progress of a leader that is killed at a step."""

    def progress(done, total, what):
        if done == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return progress


def train(out, at):
    space, batches, recipe = chain_of_blocks(), Batches(three_classes(), 16), Recipe(3, learning_rate=1e-2)
    supernet, curve = train_supernet(space, batches, recipe, 0, out / "supernet", dies(at))
    network = supernet.extract(space.sandwich(np.random.default_rng(0))[0])
    fine = train_network(network, "largest", batches, recipe, 0, out / "network")
    torch.save({"curves": [curve, fine], "weights": [supernet.state_dict(), network.state_dict()]}, out / "done.pt")
    load_checkpoint(out / "network")


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)  # so that only the order of sums differs, and by 1e-16
    try:
        share_trainings(lambda: train(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else -1))
    except HwnasError as e:
        sys.exit(f"one line: {e}")
