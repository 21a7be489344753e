import re
import subprocess
import sys
from dataclasses import fields
from typing import get_args, get_type_hints

import pytest

from hwnas.cli.main import main
from hwnas.cli.settings_help import HELP
from hwnas.run import Settings

RUN_VERBS = ["run", "profile", "train-supernet", "search", "train", "export", "verify", "report"]


def test_there_is_an_option_for_every_setting_and_no_other():
    assert list(HELP) == [f.name for f in fields(Settings)]


def test_options_are_of_the_settings_types():
    hints = get_type_hints(Settings)
    for name, (kind, _) in HELP.items():
        assert kind in (hints[name], *get_args(hints[name])), name


def test_the_defaults_in_the_help_texts_are_the_real_ones():
    for field in fields(Settings):
        named = re.search(r"\[default: (.*)\]$", HELP[field.name][1])
        if field.default is not None:
            assert named, field.name
            assert named[1] == str(field.default), field.name


@pytest.mark.parametrize("verb", RUN_VERBS)
def test_the_help_of_a_verb_shows_every_option_and_its_default(verb, capsys):
    assert main([verb, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for name in [*HELP, "out", "resume", "json"]:
        assert f"--{name.replace('_', '-')} " in text, name
    assert "[default: mbconv-32]" in text
    assert "[default: 120]" in text


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_the_help_lists_every_verb(arguments, capsys):
    assert main(arguments) == 0
    text = capsys.readouterr().out
    for verb in [*RUN_VERBS, "fleet", "table"]:
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
        "for verb in ('show', 'measure'): assert main(['table', verb, '--help']) == 0\n"
        "assert main(['fleet', '--help']) == main(['--help']) == 0\n"
        "heavy = {'torch', 'onnx', 'onnxruntime', 'onnxscript', 'pymoo', 'matplotlib', 'PIL', 'safetensors'}\n"
        "print('imported', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported []"
