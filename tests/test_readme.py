"""Every command block of the README runs, with the effort turned down: what it shows must work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
LESS = {
    "supernet_epochs": 1,
    "pairs": 10,
    "evaluations": 300,
    "queries": 4,
    "calibration_networks": 10,
    "heldout_networks": 3,
    "finalists": 1,
    "train_epochs": 1,
}
FLAGS = [f"--{name.replace('_', '-')}={value}" for name, value in LESS.items()]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    lines = [line.partition("#")[0].strip() for block in blocks("bash") for line in block.splitlines()]
    return [line for line in lines if line]


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader would stand: a folder with photos in class folders, and accuracies of networks in a file."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("reader")
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (folder / "photos" / label).mkdir(parents=True)
        for i in range(40):
            pixels = rng.integers(0, 128, (40, 40, 3)) + (127 if label == "cat" else 0)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / "photos" / label / f"{i}.png")
    every = ["".join(layers) for layers in product("012", repeat=8)]
    (folder / "trained.csv").write_text("arch,accuracy\n" + "".join(f"{a},{rng.random()}\n" for a in every))
    return folder


def test_the_two_make_commands_are_targets() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE)
    assert targets == ["demo", "test"]
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_every_command_runs(folder: Path) -> None:
    lines = commands()
    assert len(lines) >= 10
    for line in lines:
        command, *arguments = line.split()
        assert command == "hwnas", line
        fresh = arguments[0] == "run" and "--resume" not in arguments
        done = run([sys.executable, "-P", "-m", "hwnas.cli.main", *arguments, *(FLAGS if fresh else [])], folder)
        # A network trained for one epoch in a noisy place may FAIL on the device; nothing else may go wrong.
        assert done.returncode in (0, 1), f"{line}\n{done.stderr}"
        assert done.stdout.strip(), line


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.strip().splitlines()[0])
def test_every_python_block_runs(code: str, folder: Path) -> None:
    less = ", ".join(f"{name}={value}" for name, value in LESS.items())
    done = run([sys.executable, "-c", code.replace("Settings(space=", f"Settings({less}, space=")], folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_own_space_goes_through_the_main_job(folder: Path) -> None:
    (code,) = [block for block in blocks("python") if "class PlainNet" in block]
    (folder / "plain.py").write_text(code)
    arguments = ["run", "--space", "plain.py:PlainNet", "--limit", "200", "--out", "runs/plain", *FLAGS]
    # Nine networks are fewer than the ten that a calibration needs: the error says so instead of guessing.
    done = run([sys.executable, "-P", "-m", "hwnas.cli.main", *arguments], folder)
    assert (done.returncode, len(done.stderr.strip().splitlines()[-1:])) == (2, 1), done.stderr
    assert "at least 10" in done.stderr


def test_every_number_of_the_figures_table_is_in_a_result_file() -> None:
    table = README.partition("## What it reaches")[2].partition("\n## ")[0]
    published = "".join(p.read_text() for p in (ROOT / "benchmarks" / "results").glob("*.json"))
    assert published
    for name in re.findall(r"`(\w+)`", table):
        assert f'"{name}"' in published or (ROOT / "benchmarks" / f"{name}.py").exists(), name
