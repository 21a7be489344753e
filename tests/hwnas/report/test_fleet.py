import numpy as np

from hwnas.report.fleet import Panel, fleet_plot

MS, ACCURACY = np.array([1.0, 2.0, 4.0]), np.array([0.5, 0.7, 0.75])


def lines(ax, gid):
    return [line for line in ax.lines if line.get_gid() == gid]


def test_a_panel_a_device_with_its_own_milliseconds():
    panels = [
        Panel("jetson", MS, ACCURACY, True, (2.5, 0.72), 3.0),
        Panel("cpu", 100 * MS, ACCURACY, False, (700.0, 0.72), None),
    ]
    jetson, cpu = fleet_plot(panels).axes
    assert [ax.get_title("left") for ax in (jetson, cpu)] == ["jetson", "cpu"]
    (front,) = lines(jetson, "front")
    assert front.get_xydata().tolist() == np.column_stack([MS, 100 * ACCURACY]).tolist()
    (star,) = lines(cpu, "chosen")
    assert star.get_xydata().tolist() == [[700, 72]]
    (budget,) = lines(jetson, "budget")
    assert list(budget.get_xdata()) == [3, 3]
    assert lines(cpu, "budget") == []
    assert jetson.get_xlim()[1] < 10
    assert cpu.get_xlim()[1] > 700, "the network chosen is always in the picture"
    assert jetson.get_ylim() == cpu.get_ylim()


def test_fronts_alone():
    (ax,) = fleet_plot([Panel("cpu", MS, ACCURACY, True, None, None)]).axes
    assert lines(ax, "chosen") == lines(ax, "budget") == []
