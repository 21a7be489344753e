import pytest

from latency_tables import HwnasError, JournalError, MissingOpError, ProfilerError, TableError


@pytest.mark.parametrize("kind", [TableError, MissingOpError, ProfilerError, JournalError])
def test_one_family(kind):
    assert issubclass(kind, HwnasError)


def test_a_missing_op_is_a_table_error():
    assert issubclass(MissingOpError, TableError)
