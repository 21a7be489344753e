"""A reader of the documentation: what the pages say, and a folder to stand in that has what they speak of."""

import re
import shlex
import shutil
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt

from profilers import read_plan, write_plan

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))

# Settings that turn the effort down; with them `hwnas run` on digits goes on from the finished run.
LESS = {
    "limit": 200,
    "rounds": 1,
    "supernet_epochs": 1,
    "pairs": 10,
    "evaluations": 300,
    "queries": 4,
    "calibration_networks": 10,
    "heldout_networks": 3,
    "finalists": 1,
    "train_epochs": 1,
}


@dataclass(frozen=True)
class Block:
    """One fenced code block of a page; `no_run` says why nobody runs it."""

    page: Path
    language: str
    no_run: str | None
    code: str

    def commands(self) -> list[list[str]]:
        """The words of every command line."""
        return [words for line in self.code.splitlines() if (words := shlex.split(line, comments=True))]


def blocks_of(page: Path) -> list[Block]:
    """Every fenced code block of a page, in order."""
    found = []
    for token in MarkdownIt().parse(page.read_text()):
        if token.type == "fence":
            language, _, rest = token.info.partition(" ")
            reason = re.fullmatch(r'no-run="(.+)"', rest)
            assert reason or not rest, f"{page.name}: what is {rest!r}?"
            found.append(Block(page, language, reason and reason[1], token.content))
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def example(name: str) -> str:
    """The Python block that defines class `name`."""
    (block,) = (b for b in BLOCKS if b.language == "python" and f"class {name}(" in b.code)
    return block.code


def _python(block, i):
    """The parameter of a Python block; one that starts a Ray cluster needs all CPUs."""
    marks = [pytest.mark.measures] if "make_workers" in block.code else []
    return pytest.param(block.code, id=f"{block.page.stem}-{i}", marks=marks)


def pytest_generate_tests(metafunc):
    """`page`: pages with commands; `code`: Python blocks; `block`: every block."""
    if "page" in metafunc.fixturenames:
        pages = dict.fromkeys(b.page for b in BLOCKS if b.language == "bash" and not b.no_run)
        metafunc.parametrize("page", pages, ids=lambda page: page.stem)
    if "code" in metafunc.fixturenames:
        codes = [b for b in BLOCKS if b.language == "python" and not b.no_run]
        metafunc.parametrize("code", [_python(b, i) for i, b in enumerate(codes)])


@pytest.fixture(scope="session")
def pages():
    """Every page."""
    return PAGES


@pytest.fixture(scope="session")
def blocks():
    """Every code block of every page."""
    return BLOCKS


@pytest.fixture(scope="session")
def less():
    """The settings that turn the effort down; the images are those of the finished run."""
    return LESS


@pytest.fixture(scope="session")
def reader(tmp_path_factory):
    """Where a reader stands: photos in class folders, accuracies and timings in files, the examples of the pages."""
    from PIL import Image

    from hwnas.spaces import load_space

    folder = tmp_path_factory.mktemp("reader")
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (folder / "photos" / label).mkdir(parents=True)
        for i in range(40):
            pixels = rng.integers(0, 128, (40, 40, 3)) + (127 if label == "cat" else 0)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / "photos" / label / f"{i}.png")
    every = ["".join(layers) for layers in product("012", repeat=8)]
    (folder / "trained.csv").write_text("arch,accuracy\n" + "".join(f"{a},{rng.random()}\n" for a in every))
    space = load_space("mbconv-32")
    timed = [f'"{space.to_text(arch)}",{1 + rng.random():.4f}\n' for arch in space.sample(rng, 12)]
    (folder / "runs.csv").write_text("arch,ms\n" + "".join(timed))
    (folder / "plain.py").write_text(example("PlainNet"))
    return folder


@pytest.fixture(scope="session")
def demo(reader, finished):
    """The run that most pages speak of, and a table of last month."""
    shutil.copytree(finished.folder, reader / "runs" / "demo")
    shutil.copytree(reader / "runs" / "demo" / "table", reader / "runs" / "last-month" / "table")
    plan = read_plan(reader / "runs" / "demo" / "ops")
    few = [(m.key, m.op, m.cost, plan.model(m)) for m in plan.models[:5]]
    write_plan(reader / "runs" / "few-ops", plan.space, plan.reference(), few)
    return reader
