import base64
import errno
import html as html_escape
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image as Png

from hwnas.report import ReportData, Usage, write_report
from hwnas.report._format import accuracy_text, ms_text, pct_text, seconds_text
from hwnas.report.html import PLOTS, scale_positions, verdict_text
from latency_tables import HwnasError

Make = Callable[..., ReportData]
FILES = {
    "pareto.png",
    "predicted_vs_measured.png",
    "op_breakdown.png",
    "training.png",
    "predictor.png",
    "seconds.png",
    "report.html",
}


class Page(HTMLParser):
    """What the browser would see: tags with attributes, and the text outside <style>."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(source)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += " " if tag in ("td", "th", "dd") else ""
        if tag not in ("meta", "link", "img", "source"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data


def page(data: ReportData, folder: Path) -> Page:
    return Page(write_report(data, folder).read_text())


@pytest.fixture(scope="module")
def written(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("run") / "deep" / "report"
    assert write_report(make(), folder) == folder / "report.html"
    return folder


@pytest.fixture
def blank_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what the page says in words: empty plots, since drawing all of them takes seconds."""
    blank = {name: lambda data, theme: Figure(figsize=(1, 1)) for name in PLOTS}
    monkeypatch.setattr("hwnas.report.html.PLOTS", blank)


def test_writes_these_files_and_nothing_else(written: Path) -> None:
    assert {p.name for p in written.iterdir()} == FILES


def test_pngs_are_whole_and_sharp(written: Path) -> None:
    for name in FILES - {"report.html"}:
        with Png.open(written / name) as png:
            png.load()
            assert png.format == "PNG"
            assert png.size == (900, 645)  # 6.0 x 4.3 inches at 150 dpi
            assert np.asarray(png.convert("L")).std() > 5, f"{name} is blank"


def test_the_html_needs_nothing_from_outside(written: Path) -> None:
    source = (written / "report.html").read_text()
    without_images = re.sub(r"data:image/png;base64,[\w+/=]+", "data:", source)
    assert len(without_images) < 20_000
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<script|<iframe|<object", without_images, re.IGNORECASE)
    for tag, attributes in Page(source).tags:
        for name in ("src", "srcset", "href", "data", "poster"):
            assert (attributes.get(name) or "data:").startswith("data:"), (tag, name)


def test_the_html_holds_the_very_pngs_it_is_written_beside(written: Path) -> None:
    images = [a["src"] or "" for tag, a in Page((written / "report.html").read_text()).tags if tag == "img"]
    embedded = [base64.b64decode(src.removeprefix("data:image/png;base64,")) for src in images]
    assert embedded == [(written / f"{name}.png").read_bytes() for name in PLOTS]


def test_there_is_a_dark_version_of_every_plot(written: Path) -> None:
    tags = Page((written / "report.html").read_text()).tags
    light = {a["src"] for tag, a in tags if tag == "img"}
    dark = {a["srcset"] for tag, a in tags if tag == "source"}
    assert len(light) == len(dark) == 6
    assert not light & dark


@pytest.mark.parametrize(
    "text",
    [
        "4.217 ms measured, 4.500 ms allowed",
        "6.3 % under the budget",
        "95 % interval 4.201 ms to 4.233 ms",
        "90 % interval 3.987 ms to 4.263 ms",
        "4.125 ms",
        "given",
        "91.37 %",
        "k3e3 skip k5e6",
        "tiny · a laptop · onnxruntime 1.20",
        "98.2 % of the held-out networks",
        "mean error of 1.7 %",
        "± 3.3 %",
        "tau 0.87",
        "together 20 min 08 s",
        "123,456",
        "k7e6 k7e6 4.400 ms 4.499 ms 4.611 ms FAIL",
        "k3e3 skip k5e6 4.125 ms 4.263 ms 4.217 ms PASS",
        "All 4 ops",
        "block 1 2.000 ms",
        "Use it file candidates/ab12/model.onnx takes raw images gives logits",
        'print("photo.jpg" if 1 < 2 else "")',
    ],
)
def test_the_numbers_are_on_the_page(written: Path, text: str) -> None:
    assert text in Page((written / "report.html").read_text()).text


@pytest.mark.usefixtures("blank_plots")
def test_verdict_is_pass_or_fail_by_colour_and_by_word(make: Make, tmp_path: Path) -> None:
    for verified, word, other in ((True, "PASS", "FAIL"), (False, "FAIL", "PASS")):
        seen = page(make(verified=verified, attempts=()), tmp_path)
        banner = next(a for tag, a in seen.tags if tag == "header")
        assert banner["class"] == f"verdict {word.lower()}"
        assert word in seen.text
        assert other not in seen.text


@pytest.mark.usefixtures("blank_plots")
def test_names_with_html_in_them_are_shown_and_not_obeyed(make: Make, tmp_path: Path) -> None:
    evil = "<script>alert(\"1\")</script> & 'quoted'"
    names = ("title", "space", "arch", "device", "runtime", "budget_source")
    data = make(
        **dict.fromkeys(names, evil),
        op_labels=(evil,) * 4,
        usage=Usage(evil, evil, evil, evil),
        costs=((evil, evil),),
        provenance=((evil, evil),),
        seconds={evil: 1.0},
    )
    source = write_report(data, tmp_path).read_text()
    assert "<script" not in source
    assert "'quoted'" not in source
    assert html_escape.unescape(source).count(evil) >= len(names) + 1 + 4 + 4 + 4  # the title twice
    assert Page(source).text.count(evil) >= len(names) + 1 + 4 + 4 + 4


def test_awkward_runs_still_get_a_report(awkward: ReportData, tmp_path: Path) -> None:
    seen = page(awkward, tmp_path)
    assert not re.search(r"\b(nan|None|inf)\b", seen.text)
    for _, attributes in seen.tags:
        assert not re.search(r"nan|inf|None", attributes.get("style") or "")
    assert {p.name for p in tmp_path.iterdir()} == FILES


@pytest.mark.usefixtures("blank_plots")
def test_a_second_report_replaces_the_first(make: Make, tmp_path: Path) -> None:
    write_report(make(title="first"), tmp_path)
    seen = page(make(title="second"), tmp_path)
    assert "second" in seen.text
    assert "first" not in seen.text
    assert {p.name for p in tmp_path.iterdir()} == FILES


@pytest.mark.usefixtures("blank_plots")
def test_a_failed_write_leaves_the_old_file(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_report(make(title="first"), tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(HwnasError, match="No space left on device"):
        write_report(make(title="second"), tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_the_same_run_gives_the_same_bytes(make: Make, tmp_path: Path) -> None:
    assert write_report(make(), tmp_path / "a").read_bytes() == write_report(make(), tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("measured_ms", "high_ms", "text"),
    [
        (4.0, 4.1, "11.1 % under the budget"),
        (4.95, 5.0, "10.0 % over the budget"),
        (4.4, 4.6, "2.2 % under the budget, but the 95 % interval reaches 4.600 ms"),
        (float("nan"), float("nan"), "no measurement on the device"),
    ],
)
def test_verdict_text(make: Make, measured_ms: float, high_ms: float, text: str) -> None:
    assert verdict_text(make(measured_ms=measured_ms, measured_ci95_ms=(3.9, high_ms))) == text


def test_scale_keeps_order_and_stays_on_the_page(make: Make) -> None:
    scale = scale_positions(make())
    order = ["predicted_low", "predicted", "measured_low", "measured", "measured_high", "predicted_high", "budget"]
    assert sorted(scale, key=lambda name: scale[name]) == order
    assert all(5 < position < 95 for position in scale.values())
    ratio = (scale["budget"] - scale["predicted"]) / (scale["measured"] - scale["predicted"])
    assert ratio == pytest.approx((4.5 - 4.125) / (4.217 - 4.125), rel=1e-3)


def test_arrays_that_belong_together_have_one_length(make: Make) -> None:
    with pytest.raises(ValueError, match="front_std"):
        make(front_std=np.ones(3))
    with pytest.raises(ValueError, match="winner_curve"):
        make(winner_curve={"epoch": np.ones(2), "loss": np.ones(3)})


def test_number_formats() -> None:
    assert [ms_text(x) for x in (0.03124, 4.2134, 42.134, 421.34, float("inf"))] == [
        "0.0312 ms",
        "4.213 ms",
        "42.13 ms",
        "421.3 ms",
        "–",
    ]
    assert (pct_text(3.44), accuracy_text(0.92314), accuracy_text(float("nan"))) == ("3.4 %", "92.31 %", "–")
    assert [seconds_text(x) for x in (0.42, 9.4, 59.4, 59.6, 200, 3599.7, 7500, float("nan"))] == [
        "0.42 s",
        "9.4 s",
        "59 s",
        "1 min 00 s",
        "3 min 20 s",
        "1 h 00 min",
        "2 h 05 min",
        "–",
    ]
