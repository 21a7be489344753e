"""Two waves of trainings: what the first networks are worth decides which are the last."""

from types import SimpleNamespace

import numpy as np
import pytest

from hwnas.run import RunFolder, Settings
from hwnas.run.finalists import Finalists
from hwnas.run.search import Candidate, Choice, first_wave
from hwnas.search import Evaluated
from hwnas.spaces import NasBenchMacro

SPACE = NasBenchMacro()
SMALL = ("00000000", "10000000", "01000000", "00100000", "00010000")
LARGE = ("22222222", "22222221", "22222212", "22222122", "22221222")


class Training:
    """Says what networks are worth by their texts, and remembers the waves."""

    def __init__(self, worth):
        self.worth, self.waves = worth, []

    def train_all(self, archs):
        texts = [SPACE.to_text(arch) for arch in archs]
        self.waves.append(texts)
        return [SimpleNamespace(true_class_probability=self.worth(text)) for text in texts]


def candidates(*texts, precision="fp32"):
    return tuple(
        Candidate(SPACE.from_text(text), text, 0.6 - 0.001 * i, 1.0, 1.0, 1.0, precision)
        for i, text in enumerate(texts)
    )


def choice(first, others):
    nothing = Evaluated(np.zeros((0, 8), dtype=np.int64), *np.zeros((4, 0)))
    return Choice(first, nothing, (), nothing, others)


@pytest.fixture
def finalists(tmp_path, listener):
    opened = []

    def make(training, count):
        for folder in opened:
            folder.close()
        opened.append(RunFolder(tmp_path / "run", Settings(finalists=count), listener))
        return Finalists(opened[-1], SimpleNamespace(space=SPACE), training)

    yield make
    opened[-1].close()


FOUND = choice(candidates(SMALL[0], LARGE[0]), candidates(*SMALL[1:], *LARGE[1:]))


def small_is_good(text):
    return 0.9 - 0.01 * sum(map(int, text))


def large_is_good(text):
    return 0.5 + 0.01 * sum(map(int, text))


def test_five_of_nine_come_first_and_a_single_one_is_never_waited_for():
    assert [first_wave(n) for n in (1, 2, 3, 4, 9, 10, 18)] == [1, 2, 2, 3, 5, 6, 10]


@pytest.mark.parametrize(("worth", "group"), [(small_is_good, SMALL), (large_is_good, LARGE)])
def test_the_last_ones_are_like_the_best_of_the_first(finalists, worth, group):
    training = Training(worth)
    trained = finalists(training, 4).trained(FOUND)
    assert [c.text for c in trained[:2]] == [SMALL[0], LARGE[0]]
    assert len({c.text for c in trained}) == 4
    assert {c.text for c in trained[2:]} <= set(group)
    assert training.waves == [[SMALL[0], LARGE[0]], [c.text for c in trained[2:]]]


def test_there_are_never_more_than_asked_for_or_than_there_are(finalists):
    training = Training(small_is_good)
    assert finalists(training, 2).trained(FOUND) == FOUND.finalists
    assert training.waves == [[SMALL[0], LARGE[0]]]
    assert len(finalists(training, 30).trained(FOUND)) == 10
    alone = choice(FOUND.finalists, ())
    assert finalists(training, 9).trained(alone) == alone.finalists


def test_it_is_decided_once_and_again_when_a_training_says_something_else(finalists, listener):
    def trained(worth):
        return [one.text for one in finalists(Training(worth), 4).trained(FOUND)]

    first = trained(small_is_good)
    assert trained(small_is_good) == first
    assert listener.stages == ["last finalists"]
    assert listener.said == ["last finalists: already done"]
    assert trained(large_is_good) != first
    assert listener.stages == ["last finalists"] * 2


def test_the_same_network_in_another_precision_may_follow(finalists):
    found = choice(candidates(SMALL[0], LARGE[0]), candidates(SMALL[0], LARGE[0], precision="int8"))
    trained = finalists(Training(small_is_good), 3).trained(found)
    assert (trained[2].text, trained[2].precision) == (SMALL[0], "int8")
