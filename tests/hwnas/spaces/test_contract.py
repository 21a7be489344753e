from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from hwnas.spaces import PRESETS, mbconv_space
from hwnas.spaces.contract import check_space
from latency_tables import Op


@pytest.mark.parametrize(("name", "samples"), [("mbconv-32", 6), ("mbconv-112", 4), ("mbconv-224", 2), ("ofa-mbv3", 2)])
def test_spaces_that_ship_keep_the_contract(name, samples):
    check_space(mbconv_space(name, num_classes=7), samples)


def test_every_preset_is_checked():
    assert set(PRESETS) == {"mbconv-32", "mbconv-112", "mbconv-224", "ofa-mbv3"}


def test_a_tiny_mbconv_space_keeps_it(tiny_space):
    check_space(tiny_space)


def test_a_space_of_ones_own_keeps_it(conv_space):
    space = conv_space()
    check_space(space)
    assert space.size == 27
    assert space.to_text(np.array([2, 0, 1, 0])) == "conv:2-0-1-0"
    assert [op["kernel"] for op in space.ops(np.array([2, 0, 1, 0]))[:3]] == [5, 1, 3]


def _strides_forgotten(base):
    class Broken(base):
        def build_op(self, op):
            return nn.Conv2d(op.in_shape[0], op["out"], 1) if op.kind == "conv" else super().build_op(op)

    return Broken()


def _samples_from_nowhere(base):
    class Broken(base):
        def sample(self, rng, n):
            return np.random.default_rng().integers(0, self.cardinalities, (n, len(self.cardinalities)))

    return Broken()


def _idle_gene_unknown_to_canonical(base):
    class Broken(base):
        cardinalities = (3, 3, 3, 4)  # the last gene changes nothing
        size = 108

        @property
        def slots(self):
            *convs, head = super().slots
            return (*convs, replace(head, choices=head.choices * 4))

        def canonical(self, population):
            return population

        def to_text(self, arch):
            return super().to_text(arch * np.array([1, 1, 1, 0]))

    return Broken()


def _choices_missing(base):
    class Broken(base):
        @property
        def slots(self):
            first, *rest = super().slots
            return (replace(first, choices=first.choices[:2]), *rest)

    return Broken()


def _foreign_gene(base):
    class Broken(base):
        @property
        def slots(self):
            first, *rest = super().slots
            return (replace(first, genes=(4,)), *rest)

    return Broken()


def _two_values_of_one_name(base):
    class Broken(base):
        gene_values = (*(("a", "b", "a"),) * 3, ("a",))

    return Broken()


def _small_weight_source(base):
    class Broken(base):
        def weight_source(self, op):
            return Op.of("conv", op.in_shape, out=op["out"], kernel=3) if op.kind == "conv" else op

    return Broken()


def _bare_errors(base):
    class Broken(base):
        def from_text(self, text):
            return self.check(np.array([int(gene) for gene in text.split(":")[1].split("-")]))

    return Broken()


def _mutates_in_place(base):
    class Broken(base):
        def mutate(self, population, rng, rate=None):
            population[:] = super().mutate(population, rng, rate)
            return population

    return Broken()


def _stuck(base):
    class Broken(base):
        def mutate(self, population, rng, rate=None):
            return population.copy()

    return Broken()


def _counts_wrong(base):
    class Broken(base):
        size = 26

    return Broken()


def _unsorted_settings(base):
    class Broken(base):
        @property
        def slots(self):
            first, *rest = super().slots
            (op,), *others = first.choices
            backwards = (replace(op, settings=op.settings[::-1]),)
            return (replace(first, choices=(backwards, *others)), *rest)

    return Broken()


def _build_adds_a_layer(base):
    class Broken(base):
        def build(self, arch):
            return nn.Sequential(nn.Conv2d(3, 3, 1), super().build(arch))

    return Broken()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (_strides_forgotten, r"conv\(3x32x32; .*\) gives \(16, 32, 32\), but what follows takes \(16, 16, 16\)"),
        (_samples_from_nowhere, "sample must depend on its rng alone"),
        (_idle_gene_unknown_to_canonical, "from_text must be the inverse of to_text"),
        (_small_weight_source, r"0.weight of conv\(.*kernel=5.*\) is \(16, 3, 5, 5\), not a slice"),
        (_bare_errors, "must raise ArchError, not IndexError"),
        (_mutates_in_place, "mutate must not change what it is given"),
        (_stuck, "not a gene of them is different"),
        (_counts_wrong, "size is 26, but there are 27"),
        (_unsorted_settings, "make ops with Op.of"),
        (_choices_missing, "slot 0 needs a choice per joint value of its genes: 3"),
        (_foreign_gene, r"slot 0 follows genes \(4,\), but there are 4"),
        (_two_values_of_one_name, "gene_values must name the 3 values of gene0"),
        (_build_adds_a_layer, "build must chain them"),
    ],
)
def test_broken_spaces_are_rejected(conv_space, broken, message):
    with pytest.raises(AssertionError, match=message):
        check_space(broken(conv_space))
