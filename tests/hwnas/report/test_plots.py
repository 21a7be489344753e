import subprocess
import sys
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from hwnas.report import ReportData
from hwnas.report._style import DARK, HEIGHT_IN, LIGHT, WIDTH_IN, finite, limits
from hwnas.report.html import PLOTS
from hwnas.report.plots import (
    op_breakdown,
    pareto_front,
    predicted_vs_measured,
    predictor_fit,
    stage_seconds,
    training_curves,
)

Make = Callable[..., ReportData]


def drawn(figure: Figure, gid: str, axes: int = 0) -> Any:
    """The one artist with that name."""
    found = [a for a in figure.axes[axes].get_children() if a.get_gid() == gid]
    assert len(found) == 1, gid
    return found[0]


def texts(figure: Figure) -> list[str]:
    return [t.get_text() for ax in figure.axes for t in ax.texts]


def test_pareto_draws_the_budget_the_winner_and_both_clouds(make: Make) -> None:
    data = make()
    figure = pareto_front(data)
    assert list(drawn(figure, "budget").get_xdata()) == [4.5, 4.5]
    assert drawn(figure, "winner").get_xydata().tolist() == [[4.125, 76.0]]
    assert list(drawn(figure, "winner_measured").get_xdata()) == [4.217, 4.217]
    over = drawn(figure, "over_budget")
    assert over.get_x() == 4.5
    assert over.get_x() + over.get_width() == pytest.approx(figure.axes[0].get_xlim()[1])
    cloud = np.asarray(drawn(figure, "random").get_offsets())
    np.testing.assert_allclose(cloud, np.c_[data.random_ms, 100 * data.random_accuracy])


def test_pareto_front_is_sorted_and_has_its_std_and_upper_ends(make: Make) -> None:
    figure = pareto_front(make())
    np.testing.assert_allclose(drawn(figure, "front").get_xydata(), [[2, 74], [3, 76], [4, 78], [5, 80]], rtol=1e-12)
    band = drawn(figure, "std").get_paths()[0].vertices
    assert sorted(set(np.round(band[band[:, 0] == 3][:, 1], 9))) == [75, 77]
    whiskers = [segment.tolist() for segment in drawn(figure, "upper").get_segments()]
    np.testing.assert_allclose(whiskers[0], [[2, 74], [2.08, 74]])


def test_pareto_keeps_a_front_without_std_or_upper_end(make: Make) -> None:
    figure = pareto_front(make(front_std=np.full(4, np.nan), front_upper_ms=np.full(4, np.nan)))
    assert len(drawn(figure, "front").get_xdata()) == 4


@pytest.mark.parametrize(("measured_ms", "budget_ms"), [(40.0, 4.5), (4.2, 50.0), (0.01, 4.5)])
def test_pareto_shows_budget_and_measurement_wherever_they_are(
    make: Make, measured_ms: float, budget_ms: float
) -> None:
    low, high = pareto_front(make(measured_ms=measured_ms, budget_ms=budget_ms)).axes[0].get_xlim()
    assert low < measured_ms < high
    assert low < budget_ms < high


def test_predicted_vs_measured_has_measured_across_and_predicted_up(make: Make) -> None:
    data = make()
    figure = predicted_vs_measured(data)
    for gid, measured_ms, predicted_ms in (
        ("calibration", data.calibration_measured_ms, data.calibration_predicted_ms),
        ("held out", data.heldout_measured_ms, data.heldout_predicted_ms),
    ):
        np.testing.assert_allclose(drawn(figure, gid).get_offsets(), np.c_[measured_ms, predicted_ms])
    assert drawn(figure, "winner").get_xydata().tolist() == [[4.217, 4.125]]
    x, y = drawn(figure, "identity").get_data()
    assert list(x) == list(y)


def test_the_band_is_five_percent_of_the_measurement(make: Make) -> None:
    figure = predicted_vs_measured(make())
    for x, y in drawn(figure, "band").get_paths()[0].vertices:
        assert y / x == pytest.approx(0.95) or y / x == pytest.approx(1.05)
    band = drawn(figure, "band_pct", axes=1)
    assert (band.get_y(), band.get_height()) == (-5, 10)


def test_errors_are_percent_of_the_measurement_and_none_is_cut_off(make: Make) -> None:
    figure = predicted_vs_measured(make(measured_ms=10.0, predicted_ms=5.0))
    calibration = np.asarray(drawn(figure, "calibration", axes=1).get_offsets())
    np.testing.assert_allclose(calibration[:, 1], 2.0)
    np.testing.assert_allclose(np.asarray(drawn(figure, "held out", axes=1).get_offsets())[:, 1], -3.0)
    assert drawn(figure, "winner", axes=1).get_ydata()[0] == pytest.approx(-50)
    assert figure.axes[1].get_ylim()[0] < -60  # the lower end of the winner's interval is -60.13 %


def test_op_breakdown_keeps_network_order_and_writes_ms_and_share(make: Make) -> None:
    figure = op_breakdown(make())
    ax = figure.axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["stem", "block 1", "block 2", "head"]
    assert [bar.get_width() for bar in ax.patches] == [1.0, 2.0, 0.5, 0.5]
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first op is at the top"
    assert texts(figure) == ["1.000", "25.0 %", "2.000", "50.0 %", "0.500", "12.5 %", "0.500", "12.5 %"]


def test_many_ops_make_the_plot_higher_so_that_labels_keep_apart(make: Make) -> None:
    few, many = op_breakdown(make()), op_breakdown(make(op_labels=("op",) * 45, op_ms=np.ones(45)))
    assert tuple(few.get_size_inches()) == (WIDTH_IN, HEIGHT_IN)
    many.draw_without_rendering()
    rows = [t.get_window_extent() for t in many.axes[0].get_yticklabels()]
    assert len(rows) == 45
    assert all(upper.y0 > lower.y1 for upper, lower in pairwise(rows))


@pytest.mark.parametrize("texts_ms", [1e-4, 1.0, 12345.678])
def test_bar_numbers_stay_inside_the_figure_and_off_the_bars(make: Make, texts_ms: float) -> None:
    figure = op_breakdown(make(op_ms=np.full(4, texts_ms), op_labels=("a very long label of an op " * 4,) * 4))
    figure.draw_without_rendering()
    ax = figure.axes[0]
    for text in ax.texts:
        box = text.get_window_extent()
        assert box.x0 > ax.bbox.x1
        assert box.x1 <= figure.bbox.x1 + 1
    assert ax.bbox.width > 0.25 * figure.bbox.width, "the bars keep some room"


def test_labels_are_not_read_as_formulas(make: Make) -> None:
    figure = op_breakdown(make(op_labels=("$x_", "$\\frac$", "a$b$c", "_"), op_ms=np.ones(4)))
    figure.draw_without_rendering()
    assert figure.axes[0].get_yticklabels()[2].get_text() == "a$b$c"


def test_training_curves_hold_both_networks_and_bridge_missing_epochs(make: Make) -> None:
    accuracy = np.array([np.nan, 0.5, np.nan, 0.75])
    curve = {"epoch": np.arange(4.0), "loss": np.ones(4), "validation_accuracy": accuracy}
    figure = training_curves(make(supernet_curve=curve))
    loss, accuracies = figure.axes
    assert [line.get_label() for line in loss.lines] == ["supernet", "winner"]
    assert [line.get_label() for line in accuracies.lines] == ["supernet", "winner", "winner on training data"]
    assert accuracies.lines[0].get_xydata().tolist() == [[1, 50], [3, 75]]
    assert loss.lines[1].get_ydata()[0] == 1


def test_predictor_fit_in_percent_with_equal_axes(make: Make) -> None:
    figure = predictor_fit(make())
    np.testing.assert_allclose(drawn(figure, "held out").get_offsets(), [[60, 61], [65, 64], [70, 71]])
    assert figure.axes[0].get_xlim() == figure.axes[0].get_ylim()


def test_stage_seconds_choose_a_unit_that_fits(make: Make) -> None:
    figure = stage_seconds(make())
    assert figure.axes[0].get_xlabel() == "time (min)"
    np.testing.assert_allclose([bar.get_width() for bar in figure.axes[0].patches], [1000 / 60, 8 / 60, 200 / 60])
    assert texts(figure)[:2] == ["16 min 40 s", "82.8 %"]
    assert stage_seconds(make(seconds={"a": 20.0})).axes[0].get_xlabel() == "time (s)"
    assert stage_seconds(make(seconds={"a": 20000.0})).axes[0].get_xlabel() == "time (h)"


@pytest.mark.parametrize("name", PLOTS)
def test_awkward_data_is_drawn_without_a_warning(awkward: ReportData, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = PLOTS[name](awkward, LIGHT)
        figure.draw_without_rendering()
    for ax in figure.axes:
        assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()


@pytest.mark.parametrize("name", PLOTS)
def test_no_data_is_said(make: Make, nothing: ReportData, name: str) -> None:
    assert "no data" in texts(PLOTS[name](nothing, LIGHT))
    assert "no data" not in texts(PLOTS[name](make(), LIGHT))


@pytest.mark.parametrize("name", PLOTS)
def test_the_theme_reaches_the_background(make: Make, name: str) -> None:
    for theme in (LIGHT, DARK):
        figure = PLOTS[name](make(), theme)
        assert to_hex(figure.get_facecolor()) == theme.surface
        assert {to_hex(ax.get_facecolor()) for ax in figure.axes} == {theme.surface}


def test_one_concept_has_one_colour_in_all_plots(make: Make) -> None:
    data = make()
    assert drawn(pareto_front(data), "winner").get_color() == LIGHT.winner
    assert drawn(predicted_vs_measured(data), "winner").get_color() == LIGHT.winner
    assert training_curves(data).axes[0].lines[1].get_color() == LIGHT.winner
    assert drawn(pareto_front(data), "front").get_color() == LIGHT.predicted


def test_importing_the_room_loads_no_plotting() -> None:
    code = "import sys, hwnas.report; assert not {'matplotlib', 'jinja2'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_finite_keeps_rows_in_which_all_are() -> None:
    a, b = finite(np.array([1.0, np.nan, 3.0]), np.array([4.0, 5.0, np.inf]))
    assert (a.tolist(), b.tolist()) == ([1], [4])


@pytest.mark.parametrize("values", [[], [np.nan], [0.0], [5.0, 5.0], [-2.0, 3.0]])
def test_limits_enclose_the_values_and_have_a_width(values: list[float]) -> None:
    low, high = limits(np.array(values))
    assert low < high
    assert all(low < v < high for v in values if np.isfinite(v))
