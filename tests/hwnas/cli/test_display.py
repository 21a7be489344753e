import io
import re
import time

import pytest
from rich.console import Console

from hwnas.cli.display import ConsoleDisplay


class Screen:
    """A display of this width on a terminal or on none, and what was written."""

    def __init__(self, width=100, terminal=False):
        self.file = io.StringIO()
        self.display = ConsoleDisplay(Console(file=self.file, width=width, force_terminal=terminal, highlight=False))

    @property
    def lines(self):
        return self.file.getvalue().splitlines()

    def wait_for(self, text):
        """The bar is drawn a few times per second."""
        for _ in range(1000):
            if text in self.file.getvalue():
                return
            time.sleep(0.02)
        raise AssertionError(f"{text!r} was never drawn")

    @property
    def drawn(self):
        """Every state of the bar, without the codes that steer the terminal."""
        return [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line) for line in re.split(r"[\r\n]", self.file.getvalue())]


def test_without_a_terminal_a_stage_is_one_line_with_its_seconds():
    screen = Screen()
    with screen.display as display:
        with display.stage("latency table") as progress:
            for i in range(9):
                progress(i, 9, f"round {i}")
        display.say("budget: 1 ms")
    assert re.fullmatch(r"latency table: \d+\.\d s", screen.lines[0])
    assert screen.lines[1:] == ["budget: 1 ms"]


def test_the_same_title_again_and_again_is_one_line():
    screen = Screen()
    with screen.display as display:
        for title in (*["training a network"] * 9, "export to ONNX"):
            with display.stage(title):
                pass
    assert [re.sub(r"[\d.]+ s$", "", line) for line in screen.lines] == [
        "training a network (9 times): ",
        "export to ONNX: ",
    ]


def test_a_stage_that_failed_was_not_done():
    screen = Screen()
    with pytest.raises(ValueError, match="no"), screen.display as display, display.stage("latency table"):
        raise ValueError("no")
    assert screen.lines == []


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_numbers_are_never_cut_and_the_step_gets_the_rest(width):
    screen = Screen(width, terminal=True)
    step = "round 1: mbconv-32:se6k5/mb3k3/se4k3,se3k5/fu6k3 " * 3
    with screen.display.stage("calibration on whole networks") as progress:
        progress(12, 120, "first")
        progress(60, 120, step)
        screen.wait_for("60/120")
    shown = [line for line in screen.drawn if "60/120" in line]
    assert shown
    for line in shown:
        assert re.search(r"calibration on whole networks .* 60/120 \d:\d\d:\d\d", line)
        assert len(line.rstrip()) <= width
        assert line.rstrip().endswith("…")


def test_without_a_total_there_is_no_count_and_no_eta():
    screen = Screen(terminal=True)
    with screen.display.stage("report"):
        pass
    drawn = "\n".join(screen.drawn)
    assert "report" in drawn
    assert not re.search(r"\d+/|\?|ETA|-:--", drawn)


def test_a_step_is_shown_as_it_is_written():
    screen = Screen(terminal=True)
    with screen.display.stage("op [models]") as progress:
        progress(1, 2, "conv[red]\x1b[2J")
        screen.wait_for("conv")
    drawn = "\n".join(screen.drawn)
    assert "op [models]" in drawn
    assert "conv[red][2J" in drawn
    assert "\x1b[2J" not in screen.file.getvalue()
