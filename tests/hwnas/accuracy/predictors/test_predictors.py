"""Every predictor keeps the contract; those that can be differentiated have the right gradient."""

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from hwnas.accuracy import AccuracyEstimate, Predictor
from hwnas.accuracy.contract import check_predictor
from hwnas.accuracy.predictors import (
    AdditiveGaussianProcess,
    AdditivePredictor,
    AutomaticPredictor,
    AveragePredictor,
    ConstantLabelsWarning,
    Fitting,
    GCNEnsemble,
    GradientBoostingPredictor,
    MLPEnsemble,
    RandomForestPredictor,
    RidgePredictor,
)
from hwnas.spaces import NasBench201, View, mbconv_space, unique_genotypes
from hwnas.spaces.nb201.cell import live_edges

MBCONV, CELLS = mbconv_space("mbconv-32"), NasBench201()
QUICK = Fitting(members=3, hidden=24, steps=120)

MAKERS = {
    "additive gp": AdditiveGaussianProcess,
    "additive": AdditivePredictor,
    "ridge": RidgePredictor,
    "forest": RandomForestPredictor,
    "boosting": GradientBoostingPredictor,
    "mlp": lambda space: MLPEnsemble(space, fitting=QUICK),
    "gcn": lambda space: GCNEnsemble(space, fitting=QUICK),
    "average": lambda space: AveragePredictor([RidgePredictor(space), AdditiveGaussianProcess(space)]),
    "automatic": lambda space: AutomaticPredictor(
        {"ridge": lambda: RidgePredictor(space), "gp": lambda: AdditiveGaussianProcess(space)}
    ),
}
DIFFERENTIABLE = ("additive gp", "mlp", "gcn")


@pytest.mark.parametrize("space", [MBCONV, CELLS], ids=["mbconv-32", "nb201"])
@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.filterwarnings("ignore::hwnas.accuracy.predictors.ConstantLabelsWarning")
def test_predictors_keep_the_contract(name, space):
    check_predictor(lambda: MAKERS[name](space), space)


@pytest.fixture(scope="module")
def cells():
    archs = unique_genotypes(CELLS.sample(np.random.default_rng(0), 400))[:300]
    # conv 3x3 is best, then 1x1, where they are live; the fewer edges are, the worse
    live = live_edges(archs)
    worth = (np.array([0.0, 0.03, 0.05, 0.08, 0.02])[archs] * live).sum(axis=1)
    return archs, 0.5 + worth - 0.01 * (~live).sum(axis=1) ** 2


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_the_gradient_is_that_of_the_answer(name, cells):
    archs, accuracy = cells
    predictor = MAKERS[name](CELLS).fit(archs[:40], accuracy[:40])
    features = predictor.features(archs[40:43])
    assert features.dtype == torch.float64
    features.requires_grad_()
    for part in (0, 1):  # mean and deviation
        (slope,) = torch.autograd.grad(predictor.latent(features)[part].sum(), features)
        with torch.no_grad():
            for column in np.random.default_rng(1).choice(features.shape[1], 5, replace=False):
                step = torch.zeros_like(features)
                step[:, column] = 1e-5
                rise = (predictor.latent(features + step)[part] - predictor.latent(features - step)[part]) / 2e-5
                assert rise.numpy() == pytest.approx(slope[:, column].numpy(), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("name", MAKERS)
def test_equal_labels_are_said_so(name, cells):
    if name == "automatic":
        pytest.skip("it says what its candidate says")
    with pytest.warns(ConstantLabelsWarning, match="all 20 labels are 0.5"):
        MAKERS[name](CELLS).fit(cells[0][:20], np.full(20, 0.5))


@pytest.mark.parametrize("loss", ["mse", "hinge", "bce", "listmle"])
def test_every_loss_learns_the_order(loss, cells):
    archs, accuracy = cells
    fitting = Fitting(members=3, hidden=24, steps=150, loss=loss)
    estimate = MLPEnsemble(CELLS, fitting=fitting).fit(archs[:80], accuracy[:80]).estimate(archs[80:])
    assert kendalltau(estimate.mean, accuracy[80:])[0] > 0.6
    assert np.abs(estimate.mean - accuracy[80:]).mean() < 0.06  # and its answers are accuracies


def test_free_labels_help_when_labels_are_few(cells):
    archs, accuracy = cells
    order = np.array([0.0, 1.0, 2.0, 3.0, 0.5])

    def free(population):
        live = live_edges(population)
        return np.stack([(order[population] * live).sum(axis=1), live.sum(axis=1)], axis=1)

    taus = []
    for labels in (None, free):
        fitting = Fitting(members=3, hidden=32, steps=80)
        found = MLPEnsemble(CELLS, fitting=fitting, free_labels=labels).fit(archs[:12], accuracy[:12])
        taus.append(kendalltau(found.estimate(archs[12:]).mean, accuracy[12:])[0])
    assert taus[1] > taus[0] + 0.05


@pytest.mark.parametrize("trend", [False, True])
def test_the_gaussian_process_has_its_own_posterior(cells, trend):
    """Against scikit-learn's, with the hyper-parameters that were found."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern

    archs, accuracy = cells
    mine = AdditiveGaussianProcess(CELLS, [View("choices", CELLS.encode, trend)]).fit(archs[:60], accuracy[:60])
    found = mine._posterior.hyper
    kernel = ConstantKernel(found.variances[0], "fixed") * Matern(found.lengths[0], "fixed", nu=2.5)
    for slope in found.slopes:
        kernel += ConstantKernel(slope, "fixed") * DotProduct(0, "fixed")
    assert len(found.slopes) == trend
    scores = mine.require_fitted().transform(accuracy[:60])
    features = mine.features(archs).numpy()
    features -= features[:60].mean(axis=0)
    theirs = GaussianProcessRegressor(kernel, alpha=found.noise, optimizer=None).fit(features[:60], scores)
    mean, std = theirs.predict(features[60:], return_std=True)
    my_mean, my_std = mine.scores(archs[60:])
    assert my_mean == pytest.approx(mean, abs=1e-6)
    assert my_std == pytest.approx(std, abs=1e-6)


def test_hyper_parameters_are_at_the_top_of_the_posterior(cells):
    from hwnas.accuracy.predictors.additive_gp import _JITTER, _Known

    archs, accuracy = cells
    fitted = AdditiveGaussianProcess(CELLS, steps=300).fit(archs[:60], accuracy[:60])
    known = _Known.of(fitted.scaled(archs[:60]), fitted._trends)
    scores, found = fitted.require_fitted().transform(accuracy[:60]), fitted._posterior.hyper
    theta = np.log(np.concatenate([found.variances, found.lengths, found.slopes, [found.noise - _JITTER]]))
    best, gradient = fitted._loss(theta, known, scores)
    assert len(gradient) == 2 * 4 + 2 + 1
    for i in range(len(gradient)):
        step = np.eye(len(gradient))[i] * 1e-5
        rise = (fitted._loss(theta + step, known, scores)[0] - fitted._loss(theta - step, known, scores)[0]) / 2e-5
        assert gradient[i] == pytest.approx(rise, abs=1e-3)
        assert fitted._loss(theta + 1e4 * step, known, scores)[0] > best - 1e-3


def test_a_trend_reaches_beyond_what_was_seen():
    def convolutions(archs):
        return (archs == 3).mean(axis=1, keepdims=True)

    population = CELLS.sample(np.random.default_rng(0), 400)
    few = population[convolutions(population)[:, 0] < 0.4]
    accuracy = 0.5 + 0.3 * convolutions(few)[:, 0] + np.random.default_rng(1).normal(0, 0.01, len(few))
    all_convolutions = np.full((1, 6), 3)
    near, far = (
        AdditiveGaussianProcess(CELLS, [View("3x3", convolutions, trend)]).fit(few, accuracy).estimate(all_convolutions)
        for trend in (False, True)
    )
    assert near.mean[0] < accuracy.max() < far.mean[0], (near, accuracy.max(), far)


@pytest.mark.parametrize("space", [MBCONV, CELLS], ids=["mbconv-32", "nb201"])
def test_an_additive_model_is_its_tables(space):
    archs = space.sample(np.random.default_rng(0), 200)
    effect = np.random.default_rng(1).normal(size=space.encode(archs).shape[1])
    accuracy = 1 / (1 + np.exp(-space.encode(archs) @ effect))
    fitted = AdditivePredictor(space).fit(archs[:150], accuracy[:150])
    assert fitted.factors(archs) == pytest.approx(fitted.scores(archs)[0])
    assert kendalltau(fitted.factors(archs[150:]), accuracy[150:])[0] > 0.5


def test_the_automatic_choice_is_the_one_that_ranks_best(cells):
    archs, accuracy = cells

    class Backwards(RidgePredictor):
        def scores(self, population):
            mean, std = super().scores(population)
            return -mean, std

    candidates = {"backwards": lambda: Backwards(CELLS), "ridge": lambda: RidgePredictor(CELLS)}
    automatic = AutomaticPredictor(candidates).fit(archs[:60], accuracy[:60])
    assert automatic.chosen == "ridge"
    assert automatic.taus["backwards"] == pytest.approx(-automatic.taus["ridge"])
    plain = RidgePredictor(CELLS).fit(archs[:60], accuracy[:60])
    assert np.array_equal(automatic.estimate(archs).mean, plain.estimate(archs).mean)
    assert AutomaticPredictor({"ridge": candidates["ridge"]}).fit(archs[:60], accuracy[:60]).taus == {}
    with pytest.raises(ValueError, match="at least one candidate"):
        AutomaticPredictor({})


def test_an_average_is_that_of_its_members(cells):
    """One member says half of the labels' normal scores, one half as much again: together they say the labels."""
    archs = cells[0][:9]

    class Says(Predictor):
        def __init__(self, factor):
            self.factor = factor

        def fit(self, population, accuracy):
            self.known = {arch.tobytes(): self.factor * a for arch, a in zip(population, accuracy, strict=True)}
            return self

        def estimate(self, population):
            return AccuracyEstimate(np.array([self.known[arch.tobytes()] for arch in population]), np.full(9, 0.3))

    average = AveragePredictor([Says(0.5), Says(1.5)]).fit(archs, np.arange(1, 10) / 10)
    estimate = average.estimate(archs)
    assert estimate.mean == pytest.approx(np.arange(1, 10) / 10)  # the mean of both is what they were told
    mean, std = average.scores(archs)
    assert std == pytest.approx(np.hypot(0.3, 0.5 * np.abs(mean)))
    with pytest.raises(ValueError, match="at least one member"):
        AveragePredictor([])
