"""What a run is about, made of its settings once: the images, the search space, how and where to train."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hwnas.data import Dataset, load_dataset
from hwnas.run.folder import RunFolder
from hwnas.run.settings import Settings
from hwnas.spaces import Genotype, SearchSpace, Subspace, load_space
from hwnas.training import Recipes, Teacher, Where, load_recipes, load_teacher, training_device


def make_space(settings: Settings, num_classes: int = 10, left: Sequence[str] = ()) -> SearchSpace:
    """The space that the settings name; the one place where `allow` and `fix` narrow it, and what is `left` of it."""
    space = load_space(settings.space, num_classes)
    narrowed = (*settings.allow, *settings.fix, *left)
    return Subspace.of_texts(space, narrowed) if narrowed else space


@dataclass(frozen=True)
class Inputs:
    """Images and space; both are loaded when they are first asked for.

    `left` are values of genes without ops that the runtime refuses.
    """

    settings: Settings
    left: tuple[str, ...] = ()

    @cached_property
    def data(self) -> Dataset:
        """The images, in the size that the space takes."""
        s = self.settings
        size, skip = make_space(s).input_shape[1], s.skip_broken is True
        return load_dataset(
            s.data, test_source=s.test_data, size=size, limit=s.limit, mirror=s.mirror, skip_broken=skip
        )

    @cached_property
    def space(self) -> SearchSpace:
        """The search space, with as many classes as the data has."""
        return make_space(self.settings, self.data.num_classes, self.left)

    @cached_property
    def recipes(self) -> Recipes:
        """How to train, with the epochs that were asked for."""
        return load_recipes(self.settings.recipe).with_epochs(self.settings.supernet_epochs, self.settings.train_epochs)

    @cached_property
    def teacher(self) -> Teacher | None:
        """Whose answers the networks learn from, besides the labels."""
        return None if self.settings.teacher is None else load_teacher(self.settings.teacher)

    @cached_property
    def where(self) -> Where:
        """Where torch trains."""
        return Where(training_device(self.settings.train_device), self.settings.tensorboard is True)


@dataclass(frozen=True)
class Stages:
    """Some stages of a run: the folder that keeps what they did, and what the run is about."""

    folder: RunFolder
    inputs: Inputs

    @property
    def settings(self) -> Settings:
        """What the run was asked to do."""
        return self.folder.settings

    @property
    def space(self) -> SearchSpace:
        """The search space, with as many classes as the data has."""
        return self.inputs.space

    def candidate(self, arch: Genotype) -> Path:
        """The folder of what these stages leave of one architecture."""
        text = self.space.to_text(arch)
        return self.folder.path / "candidates" / hashlib.sha256(text.encode()).hexdigest()[:10]
