import re
import subprocess
import sys
from dataclasses import fields

import pytest

from hwnas.cli.main import main
from hwnas.run import Settings
from hwnas.run.settings import HELP, STAGE_OPTIONS

RUN_VERBS = ["run", "profile", "train-supernet", "search", "pareto", "train", "export", "verify", "report"]


def test_the_defaults_in_the_help_of_a_verb_are_the_real_ones(capsys):
    assert main(["run", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.partition("Options:")[2].split())
    for field in fields(Settings):
        if field.name in STAGE_OPTIONS["run"] and field.default not in (None, ()):
            option = said.partition(f"--{field.name.replace('_', '-')} ")[2].partition(" --")[0]
            assert f"[default: {field.default}]" in option, field.name


@pytest.mark.parametrize("verb", RUN_VERBS)
def test_the_help_of_a_verb_shows_the_options_that_it_uses_and_an_example(verb, capsys):
    assert main([verb, "--help"]) == 0
    said = capsys.readouterr().out
    used = [*STAGE_OPTIONS[verb], "out", "resume", "json"]
    for name in [*HELP, "out", "resume", "json"]:
        shown = re.search(rf"^  --{name.replace('_', '-')}\b", said, re.MULTILINE)
        assert bool(shown) == (name in used), name
    text = " ".join(said.split())
    assert "[default: mbconv-32]" in text
    assert ("[default: 120]" in text) == (verb != "train-supernet")
    assert re.search(rf"Example:\n +hwnas {verb} --", said)


@pytest.mark.parametrize("verb", RUN_VERBS)
def test_an_example_of_a_help_text_parses(verb, capsys):
    assert main([verb, "--help"]) == 0
    for line in re.findall(r"^ +hwnas (.*)$", capsys.readouterr().out, re.MULTILINE):
        assert main([*line.split(), "--help"]) == 0, line


def test_every_setting_is_an_option_of_some_verb():
    assert set(HELP) == {name for options in STAGE_OPTIONS.values() for name in options}


def test_the_version(capsys):
    assert main(["--version"]) == 0
    assert re.fullmatch(r"hwnas \d\S*\n", capsys.readouterr().out)


def test_shells_can_complete(hwnas, monkeypatch):
    monkeypatch.setenv("_HWNAS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "hwnas ver")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert hwnas().stdout.split() == ["verify"]


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_the_help_lists_every_verb(arguments, capsys):
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert "Hardware-aware neural architecture search" in text
    for verb in [*RUN_VERBS, "fleet", "kit", "doctor", "spaces", "runtimes", "table"]:
        assert re.search(rf"^ *{verb} ", text, re.MULTILINE), verb


def test_table_alone_shows_its_help(capsys):
    assert main(["table"]) == 0
    text = capsys.readouterr().out
    assert "show" in text
    assert "measure" in text


def test_no_help_imports_anything_heavy():
    code = (
        "import sys; from hwnas.cli.main import main\n"
        f"for verb in {RUN_VERBS!r}: assert main([verb, '--help']) == 0\n"
        "for verb in ('show', 'measure', 'predict', 'which'): assert main(['table', verb, '--help']) == 0\n"
        "for verb in ('doctor', 'spaces', 'runtimes'): assert main([verb, '--help']) == 0\n"
        "assert main(['spaces']) == 0\n"
        "assert main(['fleet', '--help']) == main(['--help']) == 0\n"
        "heavy = {'torch', 'onnx', 'onnxruntime', 'onnxscript', 'pymoo', 'matplotlib', 'PIL', 'safetensors'}\n"
        "print('imported', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported []"
