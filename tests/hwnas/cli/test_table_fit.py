"""`hwnas table fit`: from a CSV file of whole networks to a table, and whatever can be wrong with the file."""

import json

import numpy as np
import pytest

from hwnas.cli.main import main
from hwnas.spaces import mbconv_space
from latency_tables import LatencyModel, load_table

SPACE = mbconv_space("mbconv-32")
ARCHS = SPACE.sample(np.random.default_rng(0), 40)
TEXTS = [SPACE.to_text(a) for a in ARCHS]
MS = [0.2 * len(SPACE.ops(a)) + 0.001 * i for i, a in enumerate(ARCHS)]
GOOD = [f'"{text}",{ms}' for text, ms in zip(TEXTS, MS, strict=True)]


@pytest.fixture
def command(tmp_path):
    """Write lines as a CSV file; gives the command line that fits a table on it."""

    def make(*lines, header="arch,ms", space="mbconv-32"):
        path = tmp_path / "runs.csv"
        path.write_text("\n".join((header, *lines)) + "\n")
        where = ("--space", space, "--out", tmp_path / "out", "--device", "board", "--runtime", "tflite")
        return [str(word) for word in ("table", "fit", path, *where)]

    return make


def test_fit_show_and_use(command, tmp_path, capsys):
    assert main([*command(*GOOD, GOOD[0]), "--json", "--threads", "4"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["table"] == str(tmp_path / "out")
    assert (answer["ops"], answer["networks"], answer["repeated_rows"]) == (len(SPACE.all_ops), 40, 1)
    assert answer["counting"] == "all"
    assert 0 < answer["left_out_error_pct"] < 10
    table = load_table(tmp_path / "out")
    assert table.provenance.target.threads == 4
    assert LatencyModel(table, SPACE).predict(ARCHS).ms == pytest.approx(MS, rel=0.1)
    assert main(["table", "show", str(tmp_path / "out")]) == 0
    assert "fitted" in capsys.readouterr().out


def test_for_people_and_with_another_table(command, tmp_path, capsys):
    fit = command(*GOOD[:12], GOOD[0])
    assert main(fit) == 0
    said = capsys.readouterr().out
    assert "1 rows repeat a network; its timings were averaged" in said
    assert f"{len(SPACE.all_ops)} ops from 12 networks, counting every op" in said
    again = [str(tmp_path / "two") if word == str(tmp_path / "out") else word for word in fit]
    assert main([*again, "--like", str(tmp_path / "out")]) == 0
    assert load_table(tmp_path / "two").provenance.protocol["like_tables"] == 1


def with_row(text, at=3):
    return [*GOOD[:at], text, *GOOD[at:8]]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (with_row('"mbconv-32:what",3.0'), "row 5: cannot parse 'mbconv-32:what'"),
        (with_row(",3.0"), "row 5: cannot parse ''"),
        (with_row(f'"{TEXTS[20]}",0'), "row 5: ms is 0;"),
        (with_row(f'"{TEXTS[20]}",-1.5'), "row 5: ms is -1.5;"),
        (with_row(f'"{TEXTS[20]}",nan'), "row 5: ms is nan;"),
        (with_row(f'"{TEXTS[20]}",inf'), "row 5: ms is inf;"),
        (with_row(f'"{TEXTS[20]}",fast'), "row 5: ms is 'fast', not a number"),
        (with_row(f'"{TEXTS[20]}"'), "row 5: ms is '', not a number"),
        (with_row(f'"{TEXTS[20]},3.0'), "is not a CSV file"),
        (GOOD[:4], "times 4 networks; a table needs at least 5"),
        ([*GOOD[:4], *GOOD[:4]], "times 4 networks; a table needs at least 5"),
        ([], "times 0 networks"),
        ([f'"{text}",2.5' for text in TEXTS[:8]], "all 8 timings are 2.5 ms"),
    ],
)
def test_bad_rows(lines, words, command, refused, tmp_path):
    assert words in refused(*command(*lines))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("header", "column"), [("network,ms", "arch"), ("arch,time", "ms"), ("", "arch")])
def test_a_column_is_missing(header, column, command, refused):
    assert f"has no column '{column}'" in refused(*command(*GOOD, header=header))


def test_no_file_no_text_no_space(command, refused, tmp_path):
    line = command(*GOOD)
    (tmp_path / "runs.csv").write_bytes(b"arch,ms\n\xff\xfe,3\n")
    assert "is not a CSV file" in refused(*line)
    (tmp_path / "runs.csv").write_bytes(b"")
    assert "has no column 'arch'" in refused(*line)
    (tmp_path / "runs.csv").unlink()
    assert "runs.csv: No such file" in refused(*line)
    (tmp_path / "runs.csv").mkdir()
    assert "Is a directory" in refused(*line)
    assert "unknown space 'mbconf'" in refused(*command_for(line, "mbconf"))


def command_for(line, space):
    return [space if word == "mbconv-32" else word for word in line]


def test_a_like_table_of_another_space(command, refused, tmp_path):
    assert main(command(*GOOD[:12])) == 0
    other = mbconv_space("mbconv-112")
    rows = [f'"{other.to_text(a)}",{i + 1}' for i, a in enumerate(other.sample(np.random.default_rng(0), 8))]
    said = refused(*command(*rows, space="mbconv-112"), "--like", tmp_path / "out")
    assert "is for mbconv-32, not for mbconv-112" in said
    assert "is not a latency table" in refused(*command(*GOOD), "--like", tmp_path / "nowhere")
