"""Every code block of the pages runs, with the effort turned down: what they show must work."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from hwnas.cli.main import main
from hwnas.training import load_recipes

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
# Blocks that nobody runs; their pages say why.
NO_RUN = {
    "README.md": 1,
    "CONTRIBUTING.md": 1,
    "install.md": 3,
    "own_device.md": 4,
    "own_runtime.md": 1,
    "training.md": 2,
}
# What else may be true of this machine, and how standard output says it, where the exit code is 1.
FINDINGS = {
    "run": r"^FAIL|\"verified\": false",
    "verify": r"^FAIL|\"verified\": false",
    "report": r"^FAIL|\"verified\": false",
    "table check": "the table does not fit",
    "doctor": r"\S",
}


def verb(words):
    """`run`, or `table check`."""
    return " ".join(words[1 : 3 if words[1] == "table" else 2])


def options(words, less):
    """The options of a command line, with less effort where a run begins or something is measured."""
    if words[1] == "kit":
        return [*words[1:], "--networks=4"]
    if words[1:3] == ["table", "measure"]:
        return [*words[1:], "--rounds=1"]
    if words[1:3] == ["table", "check"]:
        return [*words[1:], "--nets=5", "--rounds=1"]
    if words[1] == "export" and "--to" in words:
        return [*words[1:], "--no-measure"]
    if words[1:3] == ["table", "resources"]:
        return [*words[1:], "--ops=runs/few-ops"]
    fresh = words[1] == "run" and "--resume" not in words
    return [*words[1:], *(f"--{name.replace('_', '-')}={value}" for name, value in less.items() if fresh)]


def check(words, code, out):
    """The exit code is 0, or 1 where standard output says what the device said; nothing else."""
    found = FINDINGS.get(verb(words))
    assert code == 0 or (code == 1 and found and re.search(found, out, re.MULTILINE)), (
        f"{words} ended with {code}\n{out}"
    )
    assert out.strip(), words


def test_only_these_blocks_are_not_run(blocks):
    assert Counter(b.page.name for b in blocks if b.no_run) == NO_RUN
    assert {b.language for b in blocks} == {"bash", "sh", "python", "toml", "{toctree}", "{eval-rst}"}


def test_the_recipe_of_the_page_loads(blocks, tmp_path):
    (recipe,) = [b.code for b in blocks if b.language == "toml"]
    (tmp_path / "mine.toml").write_text(recipe)
    assert load_recipes(str(tmp_path / "mine.toml")).network.augmentation.trivial


def test_what_make_is_asked_for_are_targets(blocks):
    makefile = (ROOT / "Makefile").read_text()
    commands = [words for b in blocks if b.language == "sh" and not b.no_run for words in b.commands()]
    assert {program for program, *_ in commands} == {"make"}
    targets = {target for _, target in commands}
    assert {"demo", "test", "quick", "docs", "lint"} == targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_command_of_a_page_runs(page, blocks, less, demo, monkeypatch, capsys):
    monkeypatch.chdir(demo)
    monkeypatch.setenv("COLUMNS", "200")
    lines = [w for b in blocks if (b.page, b.language, b.no_run) == (page, "bash", None) for w in b.commands()]
    assert lines
    for words in lines:
        assert words[0] == "hwnas", words
        code = main(options(words, less))
        said = capsys.readouterr()
        check(words, code, f"{said.out}\n{said.err if code else ''}")
        assert said.out.strip(), words


def test_the_own_space_goes_through_the_main_job(blocks, less, demo, monkeypatch, capsys):
    (words,) = [w for b in blocks if b.page.stem == "own_space" for w in (b.commands() if b.language == "bash" else [])]
    monkeypatch.chdir(demo)
    code = main([*options(words, less), "--json"])
    result = json.loads(capsys.readouterr().out)
    assert (code, result["arch"].partition(":")[0]) == (0 if result["verified"] else 1, "plain")
    folder = Path(words[words.index("--out") + 1])
    assert result["arch"] in (folder / result["report"]).read_text()
    assert (folder / "result.json").is_file()


def test_every_python_block_runs(code, less, reader, request):
    folder = request.getfixturevalue("demo") if "runs/" in code and "Settings(" in code else reader
    less = {**less, "table": "runs/demo/table"}  # measured before
    settings = ", ".join(f"{name}={value!r}" for name, value in less.items())
    source = code.replace("Settings(space=", f"Settings({settings}, space=")
    done = subprocess.run(
        [sys.executable, "-P", "-c", source],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
