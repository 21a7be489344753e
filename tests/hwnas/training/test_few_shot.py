"""Few-shot supernets: parts hold every network once, start from the parent, and hopeless ones are never trained."""

import numpy as np
import pytest

from hwnas.spaces import NasBenchMacro, every_network, mbconv_space
from hwnas.training import (
    Recipe,
    Supernet,
    parts_of,
    score_by_parts,
    score_each,
    splits_by_depth,
    splits_by_gradients,
    train_parts,
)
from hwnas.training.few_shot import Split, least_cut
from latency_tables import HwnasError


@pytest.fixture
def macro():
    return NasBenchMacro(num_classes=3, size=16, width_share=0.125)


@pytest.fixture
def images(batches, data):
    return list(batches.plain(data.train, size=16, limit=32)), list(batches.plain(data.validation, size=16))


def test_every_network_is_in_one_part(macro):
    parts = parts_of(macro, [Split(1, ((0,), (1, 2))), Split(4, ((0, 2), (1,)))])
    every = every_network(macro)
    assert [len(every_network(part)) for part in parts] == [6561 * a // 9 for a in (2, 1, 4, 2)]
    assert (np.sum([part.contains(every) for part in parts], axis=0) == 1).all()


def test_by_depth(macro):
    """The first layer of a stage is a projection where it is nothing else, one op for any value; others tie."""
    assert splits_by_depth(macro, 2) == [Split(1, ((0,), (1, 2))), Split(3, ((0,), (1, 2)))]
    space = mbconv_space("mbconv-32")
    (split,) = splits_by_depth(space)
    assert space.gene_names[split.gene].startswith("depth")
    assert max(split.groups[0]) < min(split.groups[1])


def test_by_depth_where_few_genes_decide_it(macro):
    with pytest.raises(HwnasError, match="fewer than 6 genes that change how many ops"):
        splits_by_depth(macro, 6)


def test_the_least_cut_by_hand():
    """Values 0 and 2 agree, 1 and 3 agree: between the pairs the mean cosine is -.2."""
    cosine = np.array([[0, -0.3, 0.9, -0.1], [-0.3, 0, -0.2, 0.8], [0.9, -0.2, 0, -0.2], [-0.1, 0.8, -0.2, 0]])
    assert least_cut(cosine) == (pytest.approx(-0.2), ((0, 2), (1, 3)))


def test_by_gradients(macro, batches):
    splits = splits_by_gradients(Supernet(macro), batches, seed=0, count=2, rounds=2)
    assert len({split.gene for split in splits}) == 2
    for split in splits:
        assert sorted(split.groups[0] + split.groups[1]) == [0, 1, 2]
    assert splits == splits_by_gradients(Supernet(macro), batches, seed=0, count=2, rounds=2)


def test_parts_start_from_the_parent(macro, batches, images, tmp_path):
    """Nothing is learned at a rate of zero: each part says of its networks what the parent does."""
    parent, parts = Supernet(macro, seed=3), parts_of(macro, splits_by_depth(macro))
    still = Recipe(2, learning_rate=0.0, weight_decay=0.0, paths="uniform")
    supernets = train_parts(parent, parts, batches, still, 0, tmp_path / "parts")
    archs = macro.canonical(macro.sample(np.random.default_rng(0), 12))
    found, wanted = dict(score_by_parts(supernets, archs, *images)), dict(score_each(parent, archs, *images))
    assert found == wanted
    assert len({score.true_class_probability for score in found.values()}) > 6


def test_the_epochs_are_divided_and_a_hopeless_part_is_never_trained(macro, batches, images, tmp_path):
    steps = []
    parts = parts_of(macro, splits_by_depth(macro))
    supernets = train_parts(
        Supernet(macro),
        parts,
        batches,
        Recipe(4, paths="uniform"),
        0,
        tmp_path,
        lambda done, total, what: steps.append(total),
        feasible=lambda part: part.allowed[1] == (0,),
    )
    assert [s.space for s in supernets] == [parts[0]]
    assert set(steps) == {4 * batches.steps_per_epoch()}  # all four are its own
    assert [file.name for file in tmp_path.glob("*.safetensors")] == ["part-0.safetensors"]
    archs = every_network(macro)[:: 6561 // 7]
    assert [i for i, _ in sorted(score_by_parts(supernets, archs, *images))] == np.flatnonzero(
        archs[:, 1] == 0
    ).tolist()


def test_no_part_inside_the_budget(macro, batches, tmp_path):
    parts = parts_of(macro, splits_by_depth(macro))
    with pytest.raises(HwnasError, match="none of the 2 parts of nasbench-macro has a network inside the budget"):
        train_parts(Supernet(macro), parts, batches, Recipe(1), 0, tmp_path, feasible=lambda part: False)


def test_a_parent_of_a_part_cannot_start_the_whole(macro):
    part = parts_of(macro, splits_by_depth(macro))[0]
    with pytest.raises(HwnasError, match="has no weights in the supernet to start from"):
        Supernet(macro).inherit(Supernet(part))


@pytest.mark.parametrize("values", [5, 12, 21])
def test_values_that_pull_apart_are_told_apart(values):
    """Two groups of values; gradients agree inside a group, and hardly across."""
    rng = np.random.default_rng(values)
    group = np.arange(values) % 3 == 0
    cosine = np.where(group[:, None] == group, 0.8, 0.1) + rng.uniform(-0.05, 0.05, (values, values))
    cosine = (cosine + cosine.T) / 2
    mean, groups = least_cut(cosine)
    assert {frozenset(g) for g in groups} == {frozenset(np.flatnonzero(group)), frozenset(np.flatnonzero(~group))}
    assert mean == pytest.approx(cosine[np.ix_(group, ~group)].mean())
