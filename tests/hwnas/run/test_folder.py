import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hwnas.run import RunFolder, Settings
from hwnas.run.stage import Stage
from latency_tables import HwnasError


class Bakery:
    """One stage that writes a file and counts how often it had to."""

    def __init__(self, path, listener):
        self.path, self.listener, self.times = path, listener, 0
        self.output = path / "part" / "output.bin"

    def __call__(self, inputs="same", outputs=None, name="bake"):
        """The stage's result in a folder opened anew, as another process would."""

        def work(progress):
            self.times += 1
            self.output.parent.mkdir(exist_ok=True)
            self.output.write_bytes(b"bread" * 100)
            return {"loaves": self.times, "pair": (1, 2.5)}

        folder = RunFolder(self.path, Settings(), self.listener)
        try:
            files = (self.output,) if outputs is None else outputs
            return folder.do(Stage(name, "baking", {"inputs": inputs}, files), work)
        finally:
            folder.close()


@pytest.fixture
def bake(tmp_path, listener):
    return Bakery(tmp_path / "run", listener)


def test_a_done_stage_is_skipped_and_gives_the_stored_result(bake, listener):
    first = bake()
    assert bake() == first == {"loaves": 1, "pair": [1, 2.5]}
    assert bake.times == 1
    assert listener.stages == ["baking"]
    assert listener.said == ["baking: already done"]


def test_other_inputs_redo_a_stage_and_going_back_redoes_it_again(bake):
    bake("flour")
    assert bake("rye")["loaves"] == 2
    assert bake("rye")["loaves"] == 2
    assert bake("flour")["loaves"] == 3


@pytest.mark.parametrize("position", [0, 250, 499])
def test_a_flipped_bit_in_an_output_redoes_the_stage_and_says_so(bake, listener, position):
    bake()
    content = bytearray(bake.output.read_bytes())
    content[position] ^= 1
    bake.output.write_bytes(content)
    assert bake()["loaves"] == 2
    assert bake.output.read_bytes() == b"bread" * 100
    assert listener.said == ["baking: what it wrote is gone or damaged, so it is done again"]
    assert bake()["loaves"] == 2


@pytest.mark.parametrize("damage", [lambda p: p.unlink(), lambda p: p.write_bytes(b"brea")], ids=["gone", "cut"])
def test_an_output_that_is_not_whole_redoes_the_stage(bake, damage):
    bake()
    damage(bake.output)
    assert bake()["loaves"] == 2


def test_an_edited_record_is_not_believed_and_the_work_is_done_again(bake, listener):
    bake()
    record = bake.path / "stages" / "bake.json"
    record.write_bytes(record.read_bytes().replace(b'"loaves": 1', b'"loaves": 7'))
    assert bake() == {"loaves": 2, "pair": [1, 2.5]}
    assert listener.said == [
        "baking: its record was edited or damaged (its sha256 does not match), so it is done again"
    ]


def test_a_stage_can_check_what_a_later_stage_adds_to(bake):
    bake()
    folder, intact = RunFolder(bake.path, Settings()), [True]
    stage = Stage("bake", "baking", {"inputs": "same"}, (bake.output,), intact=lambda: intact[0])
    assert folder.find(stage) == {"loaves": 1, "pair": [1, 2.5]}
    intact[0] = False
    assert folder.find(stage) is None
    folder.close()


def test_a_number_that_json_lacks_is_none_at_once_and_later(bake):
    folder = RunFolder(bake.path, Settings())
    stage = Stage("weigh", "weighing", {"grams": float("inf")})
    assert folder.do(stage, lambda progress: {"grams": float("nan")}) == {"grams": None}
    folder.close()
    assert RunFolder(bake.path, Settings()).find(stage) == {"grams": None}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b"null", b'{"inputs": "x"}', b"\xff\xfe", b'{"inputs": 1, "outputs": 2, "seconds": 3}'],
)
def test_a_damaged_stage_record_is_no_record(bake, content):
    bake()
    (bake.path / "stages" / "bake.json").write_bytes(content)
    assert bake()["loaves"] == 2
    assert bake()["loaves"] == 2


def test_a_stage_that_fails_leaves_no_record(bake):
    folder = RunFolder(bake.path, Settings())

    def work(progress):
        raise HwnasError("no oven")

    with pytest.raises(HwnasError, match="no oven"):
        folder.do(Stage("bake", "baking", {"inputs": "same"}), work)
    folder.close()
    assert not (bake.path / "stages" / "bake.json").exists()
    assert bake()["loaves"] == 1


def test_within_one_process_a_stage_is_looked_up_once(bake, listener):
    folder = RunFolder(bake.path, Settings(), listener)
    calls = []

    def work(progress):
        calls.append(1)
        return {"n": len(calls)}

    stage = Stage("s", "stage", {"a": 1})
    results = [folder.do(stage, work) for _ in range(3)]
    results[0]["n"] = 99  # a caller that changes its result changes nobody else's
    assert folder.do(stage, work) == {"n": 1}
    folder.close()
    assert len(calls) == 1
    assert listener.said == []


def test_seconds_of_done_stages_are_remembered(bake):
    bake()
    stored = json.loads((bake.path / "stages" / "bake.json").read_text())["seconds"]
    folder = RunFolder(bake.path, Settings())
    folder.do(Stage("bake", "baking", {"inputs": "same"}, (bake.output,)), lambda progress: {})
    folder.close()
    assert folder.seconds_by_kind() == {"bake": round(stored, 2)}


def test_stages_of_one_kind_add_up(tmp_path):
    folder = RunFolder(tmp_path / "run", Settings())
    for kind, part, seconds in (("train", "a", 1.25), ("verify", "a", 0.5), ("train", "b-2", 2.0)):
        folder.record(Stage(kind, kind, {}, part=part), seconds, {})
    assert folder.seconds_by_kind() == {"train": 3.25, "verify": 0.5}
    folder.close()


def test_the_settings_are_stored_and_found_again(tmp_path):
    settings = Settings(limit=100, budget_ms=0.5, seed=7)
    folder = RunFolder(tmp_path / "deep" / "run", settings)
    folder.store()
    folder.close()
    assert RunFolder.settings_of(tmp_path / "deep" / "run") == settings


def test_other_efforts_are_welcome_in_the_same_folder(tmp_path):
    for settings in (Settings(), Settings(train_epochs=99, budget_ms=2.0)):
        folder = RunFolder(tmp_path / "run", settings)
        folder.store()
        folder.close()
    assert RunFolder.settings_of(tmp_path / "run").train_epochs == 99


def test_settings_are_stored_by_whoever_asks_and_by_the_first_stage(bake):
    RunFolder(bake.path, Settings(seed=1)).close()
    assert not (bake.path / "run.json").exists()
    bake()
    assert RunFolder.settings_of(bake.path) == Settings()
    folder = RunFolder(bake.path, Settings(budget_ms=1e-9))
    folder.do(Stage("rise", "rising", {}), lambda progress: {})
    folder.close()
    assert RunFolder.settings_of(bake.path) == Settings()


def test_a_folder_of_another_run_is_refused_with_every_difference(bake):
    bake()
    before = (bake.path / "run.json").read_bytes()
    with pytest.raises(HwnasError) as caught:
        RunFolder(bake.path, Settings(space="mbconv-112", threads=2))
    message = str(caught.value)
    for words in (str(bake.path), "space is 'mbconv-32', not 'mbconv-112'", "threads is 1, not 2", "choose another"):
        assert words in message
    assert "data" not in message
    assert (bake.path / "run.json").read_bytes() == before


def test_a_folder_of_something_else_is_refused_and_untouched(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(HwnasError, match="exists and is not a run folder; choose another --out"):
        RunFolder(tmp_path, Settings())
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_empty_folder_is_welcome(tmp_path):
    RunFolder(tmp_path, Settings()).close()
    assert (tmp_path / ".lock").exists()


def test_a_run_killed_before_its_first_file_can_start_again(tmp_path):
    (tmp_path / ".lock").touch()
    (tmp_path / ".run.json.4711.tmp").write_text('{"spa')
    folder = RunFolder(tmp_path, Settings())
    folder.store()
    folder.close()
    assert RunFolder.settings_of(tmp_path) == Settings()


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(HwnasError, match="exists and is not a run folder"):
        RunFolder(tmp_path / "run", Settings())
    with pytest.raises(HwnasError, match="cannot write to"):
        RunFolder(tmp_path / "run" / "below", Settings())


@pytest.fixture
def shut_folder():
    """A folder that this process may look into but not write to, even when it is root's."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)
    try:
        if os.access(folder, os.W_OK, effective_ids=True):
            pytest.skip("this system lets anybody write anywhere")
        yield folder
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_folder_that_cannot_be_written_is_refused_in_one_line(shut_folder):
    for path in (shut_folder, shut_folder / "new"):
        with pytest.raises(HwnasError, match=r"^cannot write to .*: Permission denied; choose another --out$"):
            RunFolder(path, Settings())


def test_two_at_once_are_refused_until_the_first_lets_go(tmp_path):
    path = tmp_path / "run"
    code = (
        "import sys; from pathlib import Path; from hwnas.run import RunFolder, Settings\n"
        "folder = RunFolder(Path(sys.argv[1]), Settings()); print('mine', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-P", "-c", code, str(path)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(HwnasError, match=r"another process is working in .*; wait for it or stop it"):
            RunFolder(path, Settings())
    finally:
        other.kill()
        other.communicate()
    RunFolder(path, Settings()).close()  # a killed process leaves no lock behind


def test_settings_of_no_run_and_of_a_damaged_one(tmp_path):
    with pytest.raises(HwnasError, match="holds no run to resume; start one without --resume"):
        RunFolder.settings_of(tmp_path)
    for content in (b"", b"{", b"[]", b'{"what": 1}', b'{"threads": "two"}', b"\xff\xfe"):
        (tmp_path / "run.json").write_bytes(content)
        with pytest.raises(HwnasError, match=r"run\.json was edited or damaged"):
            RunFolder.settings_of(tmp_path)


@pytest.mark.parametrize("damage", [lambda b: b.replace(b'"seed": 0', b'"seed": 7'), lambda b: b[:-9], lambda b: b""])
def test_damaged_settings_of_a_run_that_has_begun_are_written_anew_from_the_options(bake, listener, damage):
    bake()
    stored = bake.path / "run.json"
    stored.write_bytes(damage(stored.read_bytes()))
    with pytest.raises(HwnasError, match=r"run\.json was edited or damaged .*; give `hwnas run` all its options again"):
        RunFolder.settings_of(bake.path)
    folder = RunFolder(bake.path, Settings(budget_ms=2.0), listener)
    folder.store()
    folder.close()
    assert listener.said[-1] == f"{stored} was edited or damaged; the options given now count"
    assert RunFolder.settings_of(bake.path) == Settings(budget_ms=2.0)


def test_a_run_without_its_settings_is_still_a_run_folder(bake):
    bake()
    (bake.path / "run.json").unlink()
    assert bake()["loaves"] == 1
    assert bake("rye")["loaves"] == 2
    assert RunFolder.settings_of(bake.path) == Settings()


def test_a_part_has_stages_of_its_own_and_is_counted_with_the_whole(tmp_path, listener):
    folder = RunFolder(tmp_path / "run", Settings(), listener)
    part = folder.part("int8", Settings(precision="int8"))
    stage = Stage("bake", "baking", {})
    assert part.do(stage, lambda progress: {"of": "part"}) == {"of": "part"}
    assert folder.do(stage, lambda progress: {"of": "whole"}) == {"of": "whole"}
    assert part.do(stage, lambda progress: {"of": "neither"}) == {"of": "part"}
    assert listener.stages == ["int8: baking", "baking"]
    assert (part.path / "stages" / "bake.json").exists()
    assert part.settings.precision == "int8"
    assert RunFolder.settings_of(folder.path) == Settings()
    assert not (part.path / "run.json").exists()
    seconds = sum(record.seconds for part_or_whole in (folder, part) for _, record in part_or_whole.done.values())
    assert folder.seconds_by_kind() == part.seconds_by_kind() == {"bake": pytest.approx(seconds, abs=0.01)}
    folder.close()
