"""One searchable block at one input shape: what a row of a latency table is about."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Op:
    """A block of a search space at one input shape; hashable, with a canonical text key.

    `kind` names the block, `in_shape` is its input without the batch axis, `settings` are its integer
    hyper-parameters sorted by name. Use `Op.of` to make one; `key` is for people and files, never parsed back.
    """

    kind: str
    in_shape: tuple[int, ...]
    settings: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, kind: str, in_shape: tuple[int, ...], **settings: int) -> Op:
        """Make an op with its settings in canonical order."""
        return cls(kind, tuple(in_shape), tuple(sorted(settings.items())))

    @property
    def key(self) -> str:
        """Canonical text, e.g. `mbconv(16x32x32; expand=3 kernel=5 out=24 stride=2)`."""
        shape = "x".join(map(str, self.in_shape))
        settings = " ".join(f"{name}={value}" for name, value in self.settings)
        return f"{self.kind}({shape}; {settings})" if settings else f"{self.kind}({shape})"

    def __getitem__(self, name: str) -> int:
        return dict(self.settings)[name]
