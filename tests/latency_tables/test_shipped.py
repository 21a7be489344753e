"""The tables that ship: whole, where their target says, calibrated and checked."""

import json
import re
from pathlib import Path

import pytest

from latency_tables.storage.find import find_tables, shipped_tables
from latency_tables.storage.networks import read_networks

FOUND = find_tables([shipped_tables()]) if shipped_tables().is_dir() else []


def slug(text):
    return re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-.")


def table_path(target, space):
    """Device, runtime, setting, space: where a table lies below the folder of all."""
    runtime = f"{slug(target.runtime)}-{slug(target.runtime_version)}"
    return Path(slug(target.device), runtime, f"{target.precision}-{target.threads}t", space)


def test_some_ship():
    assert FOUND


@pytest.mark.parametrize("found", FOUND, ids=lambda f: str(f.folder.relative_to(shipped_tables())))
def test_each_is_sound_and_was_checked(found):
    assert found.problem is None
    provenance = found.table.provenance
    assert provenance.target.batch == 1
    assert found.folder == shipped_tables() / table_path(provenance.target, provenance.space)
    assert all(row.median_us is not None for row in found.table.rows)
    assert provenance.networks_sha256
    assert len(read_networks(found.folder, provenance.networks_sha256)) >= 40
    check = json.loads((found.folder / "check.json").read_text())
    assert check["problem"] is None
    assert len(check["measured_ms"]) >= 50
    assert (found.folder / "check.png").is_file()
