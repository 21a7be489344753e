import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_tables import ProfilerError
from profilers.boards.ssh_login import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ssh://pi@raspberry", Address("raspberry", "pi", None, "hwnas")),
        ("ssh://raspberry", Address("raspberry", None, None, "hwnas")),
        ("ssh://pi@10.0.0.7:2222", Address("10.0.0.7", "pi", 2222, "hwnas")),
        ("ssh://pi@[fe80::1]:22/", Address("fe80::1", "pi", 22, "hwnas")),
        ("ssh://pi@raspberry/mnt/sd%20card", Address("raspberry", "pi", None, "/mnt/sd card")),
        ("ssh://first%40last@raspberry", Address("raspberry", "first@last", None, "hwnas")),
    ],
)
def test_a_device(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "raspberry",
        "pi@raspberry",
        "ssh:",
        "ssh://",
        "ssh://pi@",
        "ssh://@raspberry",
        "ssh:pi@raspberry",
        "ssh:/pi@raspberry",
        "http://raspberry",
        "ssh://pi@raspberry:port",
        "ssh://pi@raspberry:0",
        "ssh://pi@raspberry:65536",
        "ssh://pi@raspberry:-1",
        "ssh://pi:secret@raspberry",
        "ssh://pi@raspberry?x=1",
        "ssh://pi@raspberry#x",
        "ssh://pi@[raspberry",
        "ssh://pi@rasp berry",
        "ssh://pi@raspberry\n",
    ],
)
def test_what_is_no_device(text):
    with pytest.raises(ProfilerError) as e:
        parse_address(text)
    assert str(e.value).startswith("cannot read the device ")
    assert "ssh://user@host" in str(e.value)
    assert "\n" not in str(e.value)


@given(st.text())
def test_any_text_is_a_device_or_one_line(text):
    for whole in (text, f"ssh://{text}"):
        said = ""
        try:
            assert parse_address(whole).host
        except ProfilerError as e:
            said = str(e)
        assert "\n" not in said


def test_a_name_for_people():
    assert Address("raspberry", "pi", 22).name == "pi@raspberry"
    assert Address("raspberry").name == "raspberry"
