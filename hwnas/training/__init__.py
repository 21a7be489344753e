"""The training loop, the supernet, batches and checkpoints."""

from hwnas.training.batches import Batch, Batches
from hwnas.training.checkpoint import Checkpoint, CheckpointError, load_checkpoint, load_weights, save_checkpoint
from hwnas.training.evaluate import accuracy, recalibrate, true_class_probability
from hwnas.training.numerics import Numerics
from hwnas.training.supernet import Supernet
from hwnas.training.trainer import Curve, Recipe, train_network, train_supernet, trained_weights

__all__ = [
    "Batch",
    "Batches",
    "Checkpoint",
    "CheckpointError",
    "Curve",
    "Numerics",
    "Recipe",
    "Supernet",
    "accuracy",
    "load_checkpoint",
    "load_weights",
    "recalibrate",
    "save_checkpoint",
    "train_network",
    "train_supernet",
    "trained_weights",
    "true_class_probability",
]
