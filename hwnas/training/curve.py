"""What each epoch of a training cost and brought, and where people read it: CSV, TensorBoard."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from latency_tables.storage.files import write_atomically


@dataclass(frozen=True)
class Curve:
    """What an epoch cost and brought: loss on training batches, accuracy on the validation split."""

    epoch: tuple[int, ...] = ()
    loss: tuple[float, ...] = ()
    validation_accuracy: tuple[float, ...] = ()

    @classmethod
    def from_json(cls, values: Mapping[str, Sequence[Any]]) -> Curve:
        """The inverse of `dataclasses.asdict`, after a way through JSON."""
        return cls(**{name: tuple(column) for name, column in values.items()})

    def extended(self, epoch: int, loss: float, validation_accuracy: float) -> Curve:
        """The curve with one more point."""
        return Curve((*self.epoch, epoch), (*self.loss, loss), (*self.validation_accuracy, validation_accuracy))

    def write_csv(self, path: Path) -> None:
        """One line per epoch, whole each time: a resumed training has no line twice."""
        text, columns = io.StringIO(), asdict(self)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        write_atomically(path, text.getvalue().encode())

    def write_tensorboard(self, folder: Path) -> None:
        """The last epoch as TensorBoard scalars; without the package `tensorboard` this raises ImportError."""
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(folder), purge_step=self.epoch[-1]) as writer:
            for name in ("loss", "validation_accuracy"):
                writer.add_scalar(name, getattr(self, name)[-1], self.epoch[-1])
