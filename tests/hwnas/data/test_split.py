import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwnas.data import DataError
from hwnas.data._split import apportion, split_stratified, stratified_subset


@pytest.mark.parametrize(
    ("weights", "total", "at_least", "parts"),
    [
        ([900, 100], 100, [1, 1], [90, 10]),
        ([0.6, 0.2, 0.2], 178, [1, 1, 1], [107, 36, 35]),  # 106.8, 35.6, 35.6
        ([0.6, 0.2, 0.2], 3, [1, 1, 1], [1, 1, 1]),  # 1.8, 0.6, 0.6
        ([97, 3], 10, [3, 3], [7, 3]),  # 9.7, 0.3: the floor wins
        ([1, 1, 1], 4, [0, 0, 0], [2, 1, 1]),
    ],
)
def test_apportion_by_hand(weights, total, at_least, parts):
    assert apportion(weights, total, at_least) == parts


@given(st.lists(st.integers(1, 500), min_size=1, max_size=12), st.data())
def test_apportion_keeps_its_bounds(counts, data):
    floors = [min(3, count) for count in counts]
    total = data.draw(st.integers(sum(floors), sum(counts)))
    parts = apportion(counts, total, floors)
    assert sum(parts) == total
    assert all(low <= part <= count for low, part, count in zip(floors, parts, counts, strict=True))


label_lists = st.lists(st.integers(3, 40), min_size=2, max_size=6).flatmap(
    lambda counts: st.permutations([label for label, count in enumerate(counts) for _ in range(count)])
)


@given(label_lists, st.integers(0, 99))
def test_splits_are_disjoint_complete_and_stratified(values, seed):
    labels = np.array(values)
    names = [str(i) for i in range(labels.max() + 1)]
    parts = split_stratified(labels, (0.6, 0.2, 0.2), names, seed, "x")
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    totals = np.bincount(labels)
    for part, fraction in zip(parts, (0.6, 0.2, 0.2), strict=True):
        counts = np.bincount(labels[part], minlength=len(names))
        assert counts.min() >= 1
        assert np.all(np.abs(counts - fraction * totals) < 1)
        assert np.all(np.diff(part) > 0)


def test_splits_depend_on_the_seed_alone():
    labels = np.repeat([0, 1], 30)
    one, again, other = (split_stratified(labels, (0.5, 0.5), "ab", seed, "x") for seed in (0, 0, 1))
    assert [p.tolist() for p in one] == [p.tolist() for p in again]
    assert one[0].tolist() != other[0].tolist()
    assert one[0].tolist() != list(range(15)) + list(range(30, 45))  # shuffled, not the first of each


def test_a_class_with_too_few_images_is_named():
    with pytest.raises(DataError, match=r"pets: class 'frog' has 2 image\(s\), the splits need 3"):
        split_stratified(np.array([0, 0, 0, 1, 1]), (0.6, 0.2, 0.2), ["cat", "frog"], 0, "pets")
    assert [len(p) for p in split_stratified(np.array([0, 0, 1, 1]), (0.8, 0.2), ["cat", "frog"], 0, "pets")] == [2, 2]


def test_subset_is_in_proportion_and_keeps_rare_classes():
    labels = np.repeat([0, 1, 2], [800, 197, 3])
    rows = stratified_subset(labels, 100, seed=0, at_least=3)
    assert np.bincount(labels[rows]).tolist() == [79, 18, 3]  # 80, 19.7, 0.3: the rare one keeps 3
    assert rows.tolist() == stratified_subset(labels, 100, seed=0, at_least=3).tolist()
    assert np.all(np.diff(rows) > 0)


def test_subset_larger_than_the_data_is_all_of_it():
    assert stratified_subset(np.array([1, 0, 1]), 9, seed=0).tolist() == [0, 1, 2]
