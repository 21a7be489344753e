import numpy as np
import pytest

from latency_tables import HwnasError
from latency_tables.few_shot.fit import Counting, FewShotFit, fit_few_shot, leave_one_out_ms
from latency_tables.few_shot.prior import design, op_prior

OPS = 12
COSTS = np.stack([np.arange(1.0, OPS + 1), np.ones(OPS)])


def networks(n, rng, ops=OPS):
    return rng.integers(0, 4, (n, ops)).astype(float)


def off_pct(fit, features, ms):
    return 100 * np.abs(fit.predict(features) / ms - 1)


def random_table(rng, ops=OPS):
    return np.append(rng.lognormal(0, 0.8, ops), rng.uniform(1, 5))


def ms_of(table, features):
    return design(features) @ table


def test_an_additive_device_is_recovered_from_enough_timings():
    rng = np.random.default_rng(0)
    truth, timed, fresh = random_table(rng), networks(60, rng), networks(200, rng)
    fit = fit_few_shot([Counting("all", timed, op_prior(timed, COSTS))], ms_of(truth, timed))
    assert off_pct(fit, fresh, ms_of(truth, fresh)).max() < 0.5
    assert fit.table_ms[:-1] == pytest.approx(truth[:-1], abs=0.05)
    assert fit.table_ms[-1] == pytest.approx(truth[-1], abs=0.5)
    assert (
        off_pct(
            fit, timed, leave_one_out_ms(fit, Counting("all", timed, op_prior(timed, COSTS)), ms_of(truth, timed))
        ).max()
        < 1
    )


def test_more_timings_than_variances_are_learnt_from():
    rng = np.random.default_rng(1)
    truth, timed = random_table(rng), networks(500, rng)
    ms = ms_of(truth, timed) * (1 + 0.02 * rng.standard_normal(500))
    fit = fit_few_shot([Counting("all", timed, op_prior(timed, COSTS))], ms)
    off = off_pct(fit, timed, ms_of(truth, timed))  # 13 unknowns from 500 timings of 2 % noise: 0.3 % on average
    assert off.mean() < 0.5
    assert off.max() < 2


@pytest.mark.parametrize("way", ["all", "live"])
def test_what_the_device_executes_is_recognised(way):
    rng = np.random.default_rng(2)
    truth, every = random_table(rng), networks(40, rng)
    # ops 0 to 3 stand on a branch that is dead in half of the networks
    live = every.copy()
    live[: len(live) // 2, :4] = 0
    order = rng.permutation(len(every))
    timed, rest = order[:15], order[15:]
    features = {"all": every, "live": live}
    ms = ms_of(truth, features[way])
    countings = [Counting(name, x[timed], op_prior(x, COSTS)) for name, x in features.items()]
    fit = fit_few_shot(countings, ms[timed])
    assert fit.counting == way
    assert off_pct(fit, features[way][rest], ms[rest]).mean() < 8
    wrong = next(c for c in countings if c.name != way)
    assert off_pct(fit_few_shot([wrong], ms[timed]), features[wrong.name][rest], ms[rest]).mean() > 12


def test_the_plainest_wins_where_timings_say_nothing():
    rng = np.random.default_rng(3)
    timed = networks(10, rng)
    countings = [Counting(name, timed, op_prior(timed, COSTS)) for name in ("one", "two", "three")]
    fit = fit_few_shot(countings, ms_of(random_table(rng), timed))
    assert fit.counting == "one"
    assert fit.log_evidence["one"] - fit.log_evidence["three"] == pytest.approx(np.log(4))


def test_tables_of_like_devices_help():
    rng = np.random.default_rng(4)
    ops = 40
    sample, timed, fresh = (networks(n, rng, ops) for n in (200, 8, 300))
    kinds = np.array([random_table(rng, ops)[:-1] for _ in range(2)])
    # known devices are mixtures of two kinds of machine, the new one is another mixture, nine times as slow
    known = [np.append(np.array(mix) @ kinds, 1.0) for mix in ([1, 0.1], [0.2, 1], [0.7, 0.6])]
    truth = np.append(9 * np.array([0.5, 0.9]) @ kinds, 9.0)
    costs = np.ones((1, ops))
    alone = fit_few_shot([Counting("all", timed, op_prior(sample, costs))], ms_of(truth, timed))
    helped = fit_few_shot([Counting("all", timed, op_prior(sample, costs, tables=known))], ms_of(truth, timed))
    assert off_pct(helped, fresh, ms_of(truth, fresh)).mean() < 1
    assert off_pct(alone, fresh, ms_of(truth, fresh)).mean() > 5


def test_ops_of_a_kind_learn_from_each_other():
    rng = np.random.default_rng(5)
    ops = 40
    kind = np.arange(ops) % 4
    op_ms = np.array([0.2, 3.0, 1.0, 6.0])[kind]
    sample, timed, fresh = (networks(n, rng, ops) for n in (200, 15, 300))
    costs = np.ones((1, ops))
    plain = fit_few_shot([Counting("all", timed, op_prior(sample, costs))], timed @ op_ms)
    grouped = fit_few_shot([Counting("all", timed, op_prior(sample, costs, [kind]))], timed @ op_ms)
    assert off_pct(grouped, fresh, fresh @ op_ms).mean() < 0.3 * off_pct(plain, fresh, fresh @ op_ms).mean()


def test_one_disturbed_timing_does_not_bend_the_table():
    rng = np.random.default_rng(6)
    truth, timed, fresh = random_table(rng), networks(40, rng), networks(200, rng)
    ms = ms_of(truth, timed) * (1 + 0.01 * rng.standard_normal(40))
    ms[7] *= 1.5
    fit = fit_few_shot([Counting("all", timed, op_prior(timed, COSTS))], ms)
    assert off_pct(fit, fresh, ms_of(truth, fresh)).mean() < 2


def test_units_do_not_matter():
    rng = np.random.default_rng(7)
    timed = networks(10, rng)
    ms = ms_of(random_table(rng), timed)
    countings = [Counting("all", timed, op_prior(timed, COSTS))]
    a, b = fit_few_shot(countings, ms), fit_few_shot(countings, ms * 1000)
    assert b.predict(timed) == pytest.approx(1000 * a.predict(timed))
    assert b.bounds(timed)[1] == pytest.approx(1000 * a.bounds(timed)[1])


def test_the_interval_holds_what_it_promises():
    inside = []
    for seed in range(20):
        rng = np.random.default_rng([8, seed])
        truth, timed, fresh = random_table(rng), networks(20, rng), networks(100, rng)
        noisy = [ms_of(truth, x) * (1 + 0.05 * rng.standard_normal(len(x))) for x in (timed, fresh)]
        fit = fit_few_shot([Counting("all", timed, op_prior(timed, COSTS))], noisy[0])
        lower, upper = fit.bounds(fresh, 0.9)
        inside.append(((lower <= noisy[1]) & (noisy[1] <= upper)).mean())
    assert 0.82 < np.mean(inside) < 0.98


def test_an_interval_is_wider_where_less_is_known():
    rng = np.random.default_rng(9)
    timed = networks(15, rng)
    timed[:, 0] = 0  # an op that no timed network has
    sample = networks(100, rng)
    fit = fit_few_shot([Counting("all", timed, op_prior(sample, COSTS))], ms_of(random_table(rng), timed))
    known = np.zeros((1, OPS))
    known[0, 5] = 3
    unknown = np.zeros((1, OPS))
    unknown[0, 0] = 3
    widths = [float(np.ptp([b[0] for b in fit.bounds(x, 0.5)])) for x in (known, unknown)]
    assert fit.op_std_ms[0] > fit.op_std_ms[5]
    assert widths[1] > widths[0]


def made(op_ms, constant_ms, covariance):
    return FewShotFit(np.append(op_ms, constant_ms), "all", np.array(covariance), 0.1, 0.02, np.empty(0), {})


def test_bounds_by_hand():
    fit = made([2.0], 1.0, [[0.04, 0.0], [0.0, 0.01]])
    # 3 ops: 7 ms; variance 9 * .04 + .01 of the table, .01 + .0196 of a timing; t(.95, 4) = 2.1318
    lower, upper = fit.bounds(np.array([[3.0]]), 0.9)
    half = 2.13185 * np.sqrt(0.37 + 0.0296)
    assert lower == pytest.approx([7 - half], rel=1e-4)
    assert upper == pytest.approx([7 + half], rel=1e-4)


def test_no_op_gives_time_back():
    independent = made([-1.0, 2.0], 0.5, np.eye(3)).non_negative()
    assert independent == pytest.approx([0, 2, 0.5], abs=1e-6)
    # an op that shares half of its error with the first moves by half as much
    together = made([-1.0, 2.0], 0.5, [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]).non_negative(0.2)
    assert together[:-1] == pytest.approx([0.2, 2.6], abs=1e-5)
    sound = made([1.0, 2.0], 0.0, np.eye(3))
    assert sound.non_negative(0.5) is sound.table_ms


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        ([1.0, 2.0, 3.0, 4.0], "at least 5 timed networks, got 4"),
        ([], "got 0"),
        ([1.0, 2.0, 0.0, 4.0, 5.0], "timing 3 is 0 ms"),
        ([1.0, -2.0, 3.0, 4.0, 5.0], "timing 2 is -2 ms"),
        ([1.0, 2.0, 3.0, 4.0, np.nan], "timing 5 is nan ms"),
        ([np.inf, 2.0, 3.0, 4.0, 5.0], "timing 1 is inf ms"),
        ([1e300, 2.0, 3.0, 4.0, 5.0], "timing 1 is 1e"),
        ([2.0] * 6, "all 6 timings are 2 ms"),
    ],
)
def test_timings_from_which_nothing_can_be_learnt(ms, words):
    timed = networks(len(ms), np.random.default_rng(0))
    counting = Counting("all", timed, op_prior(networks(20, np.random.default_rng(1)), COSTS))
    with pytest.raises(HwnasError) as said:
        fit_few_shot([counting], np.array(ms))
    assert words in str(said.value)


def test_leaving_one_out_does_not_see_it():
    rng = np.random.default_rng(10)
    truth, timed = random_table(rng), networks(30, rng)
    ms = ms_of(truth, timed)
    counting = Counting("all", timed, op_prior(timed, COSTS))
    fit = fit_few_shot([counting], ms)
    left_out = leave_one_out_ms(fit, counting, ms)
    assert left_out[3] == pytest.approx(ms[3], rel=0.01)
    another = ms.copy()
    another[3] *= 2
    # the mean timing is the unit of the prior, and that is all of it that may show
    assert leave_one_out_ms(fit, counting, another)[3] == pytest.approx(left_out[3], rel=0.01)
