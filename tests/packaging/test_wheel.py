"""What somebody gets who installs the wheel: on a board without torch, and on a workstation."""

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from profilers import read_plan

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
ROOMS = ("latency_tables", "profilers", "hwnas", "deploy")


def checked(*command, cwd=None):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def pip(*arguments):
    return checked(sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of these sources, built from a copy so that no build folder is left in them."""
    source = tmp_path_factory.mktemp("source")
    for room in ROOMS:
        shutil.copytree(REPOSITORY / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (REPOSITORY / name).exists():
            shutil.copy(REPOSITORY / name, source)
    shutil.copytree(REPOSITORY / "tests" / "profilers", source / "tests" / "profilers")
    pip("wheel", "--no-deps", "--wheel-dir", source / "dist", source)
    (built,) = (source / "dist").glob("hwnas-*.whl")
    return built


class Environment:
    """A virtual environment and a folder to stand in that has broken packages of our names."""

    def __init__(self, where, trap):
        venv.create(where / "venv", with_pip=False)
        self.bin, self.trap = where / "venv" / "bin", trap
        self.site = Path(
            checked(self.bin / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        )

    def pip(self, *arguments):
        pip("--python", self.bin / "python", "install", "--quiet", *arguments)

    def run(self, *arguments):
        command = [str(self.bin / "hwnas"), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.trap)

    def python(self, code):
        return checked(self.bin / "python", "-P", "-c", code, cwd=self.trap).strip()


@pytest.fixture(scope="module")
def trap(tmp_path_factory):
    """A folder whose own `deploy/`, `profilers/`, ... break whoever imports them."""
    folder = tmp_path_factory.mktemp("trap")
    for room in ROOMS:
        (folder / room).mkdir()
        (folder / room / "__init__.py").write_text("raise RuntimeError('this is not the installed package')\n")
    return folder


@pytest.fixture(scope="module")
def board(wheel, trap, tmp_path_factory):
    """The board's dependencies and onnxruntime, pinned, nothing else."""
    environment = Environment(tmp_path_factory.mktemp("board"), trap)
    environment.pip("--constraint", REPOSITORY / "constraints.txt", f"{wheel}[onnxruntime]")
    return environment


@pytest.fixture(scope="module")
def workstation(wheel, trap, tmp_path_factory):
    """The wheel, with everything that it needs borrowed from the environment that runs the tests."""
    environment = Environment(tmp_path_factory.mktemp("workstation"), trap)
    environment.pip("--no-deps", wheel)
    (environment.site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment


def test_the_wheel_holds_the_four_rooms_with_the_reports_template_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == set(ROOMS)
    assert "hwnas/report/report.html.j2" in names
    assert not [name for name in names if name.startswith("tests/") or "/test_" in name]
    for room in ROOMS:
        inside = {str(p.relative_to(REPOSITORY)) for p in (REPOSITORY / room).rglob("*.py")}
        assert inside <= set(names), room
        stubs = {str(p.relative_to(REPOSITORY)) for p in (REPOSITORY / room).rglob("*.pyi")}
        assert {f"{room}/py.typed", *stubs} <= set(names), room


def test_the_metadata_names_what_a_board_needs_and_keeps_torch_in_an_extra(wheel):
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith("METADATA"))
    needed = [line for line in archive.read(metadata).decode().splitlines() if line.startswith("Requires-Dist: ")]
    always = {line.split()[1].split(">")[0] for line in needed if "extra ==" not in line}
    assert "numpy" in always
    assert not always & {"torch", "onnx", "onnxruntime", "pymoo", "matplotlib"}
    assert any("torch" in line and "search" in line for line in needed)


def test_a_board_measures_a_plan_and_shows_the_table_without_torch(board, two_ops, tmp_path):
    absent = "torch", "onnx", "pymoo", "matplotlib"
    code = f"import importlib.util as u; print([n for n in {absent!r} if u.find_spec(n)])"
    assert board.python(code) == "[]"
    helped = board.run("--help")
    assert helped.returncode == 0, helped.stderr
    assert "table" in helped.stdout

    measured = board.run("table", "measure", two_ops, "--rounds", 1, "--out", tmp_path / "table", "--json")
    assert measured.returncode == 0, measured.stderr
    assert json.loads(measured.stdout)["ops"] == 2
    shown = board.run("table", "show", tmp_path / "table", "--json")
    assert shown.returncode == 0, shown.stderr
    assert [row["op"] for row in json.loads(shown.stdout)["rows"]] == [m.op.key for m in read_plan(two_ops).models]
    assert board.run("table", "show", tmp_path / "table").stdout.startswith("two-ops on ")


@pytest.mark.parametrize("verb", ["run", "profile", "verify"])
def test_a_board_that_is_asked_to_search_says_which_extra_is_missing(board, verb, tmp_path):
    refused = board.run(verb, "--out", tmp_path / "run")
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert line.startswith("hwnas: ")
    assert "pip install 'hwnas[search]'" in line
    assert not (tmp_path / "run").exists()


def test_a_workstation_runs_the_whole_job_from_the_wheel(workstation, finished, tiny, tmp_path):
    """From a table that is there; the board above measures one from the wheel."""
    for room in ROOMS:
        where = Path(workstation.python(f"import {room}; print({room}.__file__)"))
        assert where.is_relative_to(workstation.site), room
    done = workstation.run("run", *tiny, "--table", finished.folder / "table", "--json", "--out", tmp_path / "run")
    assert done.returncode in (0, 1), done.stderr
    result = json.loads(done.stdout)
    assert done.returncode == (0 if result["verified"] else 1)
    assert result["arch"] in (tmp_path / "run" / result["report"]).read_text()
