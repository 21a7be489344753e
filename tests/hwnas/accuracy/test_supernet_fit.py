"""A fit of a supernet's scores: what it says, how it is kept, and what labels make of it."""

import json

import numpy as np
import pytest
from scipy.stats import kendalltau

from hwnas.accuracy.contract import check_predictor
from hwnas.accuracy.predictors import AdditiveGaussianProcess, AveragePredictor, Fitting, GCNEnsemble, RidgePredictor
from hwnas.accuracy.supernet_fit import CorrectedFit, SupernetFit, gp_and_trees
from hwnas.spaces import NasBench201, NasBenchMacro, mbconv_space
from hwnas.spaces.genotypes import every_network
from hwnas.spaces.sampling import different_functions
from latency_tables import HwnasError

MACRO, NB201 = NasBenchMacro(), NasBench201()
RIDGE_AND_GP = {"ridge": lambda: RidgePredictor(MACRO), "additive-gp": lambda: AdditiveGaussianProcess(MACRO)}
SEEDED = {"gp-and-trees": lambda: gp_and_trees(MACRO, 3)}


def truth(archs):
    """Deeper and larger is better, in parts."""
    return 0.5 + 0.04 * (archs > 0).sum(axis=1) + 0.01 * (archs == 2)[:, :4].sum(axis=1)


def size_biased(archs):
    """What a supernet says: it thinks too little of large layers."""
    return truth(archs) - 0.03 * (archs == 2).sum(axis=1)


@pytest.fixture(scope="module")
def fit():
    archs = different_functions(MACRO, [0], 120)
    return SupernetFit(MACRO, candidates=RIDGE_AND_GP).fit(archs, size_biased(archs))


@pytest.mark.filterwarnings("ignore::hwnas.accuracy.predictors.ConstantLabelsWarning")
def test_both_keep_the_contract_of_predictors():
    check_predictor(lambda: SupernetFit(MACRO, candidates=RIDGE_AND_GP), MACRO)


@pytest.mark.filterwarnings("ignore::hwnas.accuracy.predictors.ConstantLabelsWarning")
def test_a_corrected_fit_keeps_it_too(fit):
    check_predictor(lambda: CorrectedFit(fit), MACRO)


def test_the_better_of_both_is_kept_and_both_are_shown():
    assert set(SupernetFit(MACRO).candidates) == {"gp-and-trees", "gcn"}
    archs = different_functions(MACRO, [1], 40)
    candidates = {
        "gp-and-trees": lambda: gp_and_trees(MACRO),
        "gcn": lambda: GCNEnsemble(MACRO, fitting=Fitting(members=2, hidden=8, steps=20)),
    }
    fit = SupernetFit(MACRO, candidates=candidates).fit(archs, size_biased(archs))
    assert set(fit.taus) == {"gp-and-trees", "gcn"}
    assert fit.taus[fit.chosen] == max(fit.taus.values())


def test_views_order_networks_as_the_fit_does(fit):
    archs = MACRO.sample(np.random.default_rng(5), 200)
    (view,) = fit.views
    assert view.trend
    seen = view.encode(archs)
    assert seen.shape == (200, 1)
    assert kendalltau(seen[:, 0], fit.estimate(archs).mean)[0] > 0.999
    assert abs(np.median(seen)) < 0.5  # random networks are standard normal


def test_each_of_several_that_answer_together_is_a_view():
    archs = different_functions(MACRO, [1], 40)
    candidates = {"together": lambda: AveragePredictor([RidgePredictor(MACRO), AdditiveGaussianProcess(MACRO)])}
    fit = SupernetFit(MACRO, candidates=candidates).fit(archs, size_biased(archs))
    ridge, process = (view.encode(archs) for view in fit.views)
    assert not np.array_equal(ridge, process)


def test_a_few_labels_correct_a_systematic_error(fit):
    every = every_network(MACRO)
    labelled = different_functions(MACRO, [9], 30)
    corrected = CorrectedFit(fit).fit(labelled, truth(labelled))
    before = kendalltau(fit.estimate(every).mean, truth(every))[0]
    after = kendalltau(corrected.estimate(every).mean, truth(every))[0]
    alone = kendalltau(AdditiveGaussianProcess(MACRO).fit(labelled, truth(labelled)).estimate(every).mean, truth(every))
    assert before < 0.8 < after
    assert after >= alone[0] - 0.02


def test_networks_that_compute_nothing_are_as_accurate_as_chance():
    archs = different_functions(NB201, [0], 60)
    candidates = {"additive-gp": lambda: AdditiveGaussianProcess(NB201)}
    accuracy = 0.6 + 0.05 * (archs == 3).sum(axis=1)
    fit = SupernetFit(NB201, candidates=candidates).fit(archs, accuracy)
    dead = NB201.from_text("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|none~0|none~1|none~2|")[None]
    for predictor in (fit, CorrectedFit(fit).fit(archs[:20], accuracy[:20])):
        estimate = predictor.estimate(np.concatenate([dead, archs[:1]]))
        assert estimate.mean[0] == 0.1
        assert estimate.std[0] == 0
        assert estimate.mean[1] > 0.5


def test_a_fit_is_kept_and_says_the_same_again(tmp_path):
    archs, every = different_functions(MACRO, [0], 60), every_network(MACRO)
    fit = SupernetFit(MACRO, seed=3, candidates=SEEDED).fit(archs, size_biased(archs))
    fit.save(tmp_path / "fit.json")
    again = SupernetFit.load(tmp_path / "fit.json", MACRO, candidates=SEEDED)
    assert again.seed == 3
    assert again.chosen == fit.chosen
    assert again.taus == fit.taus
    assert np.array_equal(again.estimate(every).mean, fit.estimate(every).mean)
    assert np.array_equal(again.views[0].encode(every), fit.views[0].encode(every))


def test_a_file_that_is_not_right_is_one_line(fit, tmp_path):
    path = tmp_path / "fit.json"
    fit.save(path)
    with pytest.raises(HwnasError, match="is of 'nasbench-macro', not of mbconv-32"):
        SupernetFit.load(path, mbconv_space("mbconv-32"))
    with pytest.raises(HwnasError, match=r"needs the predictor '(ridge|additive-gp)', which is not here"):
        SupernetFit.load(path, MACRO, candidates={"other": lambda: RidgePredictor(MACRO)})
    content = json.loads(path.read_text())
    content["accuracy"][0] += 0.1
    path.write_text(json.dumps(content))
    with pytest.raises(HwnasError, match=r"damaged .*sha256 does not match"):
        SupernetFit.load(path, MACRO)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(HwnasError, match="damaged"):
        SupernetFit.load(path, MACRO)
    with pytest.raises(HwnasError, match="cannot read the supernet fit"):
        SupernetFit.load(tmp_path / "absent.json", MACRO)
    with pytest.raises(ValueError, match="before saving"):
        SupernetFit(MACRO).save(path)
