import json

import pytest

from latency_tables.storage.signed import parse_signed, read_signed, signed_bytes, write_signed

RECORD = {"a": 1.5, "b": {"c": ["d", None]}}


def test_what_was_signed_is_read(tmp_path):
    assert parse_signed(signed_bytes(RECORD)) == RECORD
    assert parse_signed(signed_bytes({"a": (1, float("nan"))})) == {"a": [1, None]}
    write_signed(tmp_path / "file", RECORD)
    assert read_signed(tmp_path / "file") == RECORD


def test_anything_else_is_refused():
    signed = json.loads(signed_bytes(RECORD))
    for other in (RECORD, signed | {"a": 2.5}, signed | {"sha256": None}, signed | {"more": 1}, [], None):
        with pytest.raises(ValueError, match=r"sha256 does not match|no JSON object"):
            parse_signed(json.dumps(other).encode())
    nested = b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(ValueError, match=r"nested too deeply|does not match"):
        parse_signed(nested)
