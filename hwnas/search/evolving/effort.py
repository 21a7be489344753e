"""How much evolving a space takes."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.search.evolving.active import branch_genes
from hwnas.spaces import SearchSpace


@dataclass(frozen=True)
class Effort:
    """How much a round does: branches that are active at a place, networks that are scored at its end.

    `survivors` of a place at most stay while others wait, which bounds the rounds. `inherit`: weights of branches that
    stay are kept; the paper begins every round with new ones.
    """

    active: int = 5
    survivors: int = 3
    networks: int = 40
    learning_rate: float = 0.1
    inherit: bool = True

    def rounds(self, space: SearchSpace) -> int:
        """How many there are at most, until every branch of `space` was active."""
        waiting = max(map(len, branch_genes(space))) - self.active
        return 1 + max(0, -(-waiting // (self.active - self.survivors)))
