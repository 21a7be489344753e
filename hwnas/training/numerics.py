"""What decides the last bits of a training besides its seed; a worker applies those of whoever asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch


@dataclass(frozen=True)
class Numerics:
    """How torch adds up: threads (in how many parts); whether an order that may change is forbidden, or warned of."""

    threads: int
    deterministic: bool
    warn_only: bool

    @classmethod
    def current(cls) -> Self:
        """This process's."""
        return cls(
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        )

    def apply(self) -> None:
        """Let this process compute as the one where these are `current`."""
        torch.set_num_threads(self.threads)
        torch.use_deterministic_algorithms(self.deterministic, warn_only=self.warn_only)
