import numpy as np
import pytest
from scipy.stats import kendalltau

from hwnas.accuracy import AccuracyEstimate, GaussianProcessPredictor, Predictor
from hwnas.accuracy.contract import check_estimator, check_predictor
from hwnas.spaces import mbconv_space, unique_genotypes

SPACE = mbconv_space("mbconv-32")
KIND_WORTH = {"mb": 0.0, "se": 0.03, "fu": 0.01}


def additive(archs):
    """Every block brings something by its kind, expansion and kernel."""
    worth = []
    for arch in archs:
        blocks = SPACE.to_text(arch).partition(":")[2].replace("/", ",").split(",")
        parts = [KIND_WORTH[b[:2]] + 0.004 * int(b[2]) + 0.003 * int(b[4]) for b in blocks]
        worth.append(0.5 + sum(parts))
    return np.array(worth)


@pytest.fixture(scope="module")
def archs():
    return unique_genotypes(SPACE.sample(np.random.default_rng(0), 300))[:280]


def test_the_gaussian_process_keeps_the_contract():
    check_predictor(lambda: GaussianProcessPredictor(SPACE), SPACE)


def test_it_ranks_networks_it_has_not_seen(archs):
    predictor = GaussianProcessPredictor(SPACE).fit(archs[:80], additive(archs[:80]))
    estimate = predictor.estimate(archs[80:])
    assert kendalltau(estimate.mean, additive(archs[80:]))[0] > 0.8
    assert np.abs(estimate.mean - additive(archs[80:])).mean() < 0.02


def test_noise_is_learned_and_left_out_of_the_uncertainty(archs):
    noise = np.random.default_rng(1).normal(0, 0.03, 200)
    noisy = GaussianProcessPredictor(SPACE).fit(archs[:200], additive(archs[:200]) + noise)
    estimate = noisy.estimate(archs[200:])
    assert kendalltau(estimate.mean, additive(archs[200:]))[0] > 0.7
    assert (estimate.std < 0.03).all()  # more certain of the network than of one measurement of it
    error = np.abs(estimate.mean - additive(archs[200:]))
    assert (error < 3 * estimate.std).mean() > 0.85


def test_it_is_surer_of_what_it_has_seen(archs):
    predictor = GaussianProcessPredictor(SPACE).fit(archs[:40], additive(archs[:40]))
    assert predictor.estimate(archs[:40]).std.mean() < predictor.estimate(archs[40:]).std.mean()


def test_constant_accuracies_are_predicted_as_such(archs):
    estimate = GaussianProcessPredictor(SPACE).fit(archs[:20], np.full(20, 0.9)).estimate(archs[20:40])
    assert estimate.mean == pytest.approx(np.full(20, 0.9), abs=1e-6)
    assert np.isfinite(estimate.std).all()
    assert (estimate.std < 1e-5).all()


def test_same_seed_same_answer(archs):
    y = additive(archs[:50])
    a, b = (GaussianProcessPredictor(SPACE, seed=3).fit(archs[:50], y).estimate(archs[50:]) for _ in range(2))
    assert np.array_equal(a.mean, b.mean)
    assert np.array_equal(a.std, b.std)


def test_asking_before_fitting_is_an_error(archs):
    with pytest.raises(ValueError, match="fit the predictor"):
        GaussianProcessPredictor(SPACE).estimate(archs[:1])


class _Mean(Predictor):
    """Knows the mean of its labels."""

    mean = None

    def fit(self, population, accuracy):
        self.mean = float(accuracy.mean())
        return self

    def estimate(self, population):
        if self.mean is None:
            raise ValueError("not fitted")
        return AccuracyEstimate(np.full(len(population), self.mean), np.full(len(population), 0.01))


class _Eager(_Mean):
    mean = 0.5


class _ReturnsNothing(_Mean):
    def fit(self, population, accuracy):
        super().fit(population, accuracy)


class _Percent(_Mean):
    def estimate(self, population):
        estimate = super().estimate(population)
        return AccuracyEstimate(100 * estimate.mean, estimate.std)


class _OneNumber(_Mean):
    def estimate(self, population):
        estimate = super().estimate(population)
        return AccuracyEstimate(estimate.mean, estimate.std[:1])


class _Moody(_Mean):
    def estimate(self, population):
        estimate = super().estimate(population)
        return AccuracyEstimate(estimate.mean + np.random.default_rng().normal(0, 0.1, len(population)), estimate.std)


class _Relative(_Mean):
    """Ranks within what it is asked."""

    def estimate(self, population):
        super().estimate(population)
        rank = np.argsort(np.argsort(additive(population))) / len(population)
        return AccuracyEstimate(rank, np.full(len(population), 0.01))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (_Mean, "hardly learned anything"),
        (_Eager, "before fit must raise"),
        (_ReturnsNothing, "must return the predictor itself"),
        (_Percent, "not a percentage"),
        (_OneNumber, "std must be"),
        (_Moody, "must get the same accuracy"),
        (_Relative, "what else is asked"),
    ],
)
def test_broken_predictors_are_rejected(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_predictor(broken, SPACE)


def test_an_estimator_that_is_no_predictor_is_checked_too(archs):
    with pytest.raises(AssertionError, match="must be finite"):
        check_estimator(_Mean().fit(archs, np.full(len(archs), np.nan)), SPACE)
    check_estimator(_Mean().fit(archs, additive(archs)), SPACE)
