"""Domain names as RFC 1035 writes them."""

from __future__ import annotations

import pytest

from dissect.errors import ProtocolError
from dissect.protocols.domain_names import read_name

# RFC 1035 §4.1.4: F.ISI.ARPA at 20, FOO.F.ISI.ARPA at 40, ARPA at 64, the root at 92.
EXAMPLE = bytearray(93)
EXAMPLE[20:32] = b"\1F\3ISI\4ARPA\0"
EXAMPLE[40:46] = b"\3FOO" + bytes((0xC0, 20))
EXAMPLE[64:66] = bytes((0xC0, 26))


@pytest.mark.parametrize(
    ("at", "name", "after"),
    [(20, "F.ISI.ARPA", 32), (40, "FOO.F.ISI.ARPA", 46), (64, "ARPA", 66), (92, ".", 93)],
)
def test_the_example_of_the_rfc(at: int, name: str, after: int) -> None:
    assert read_name(bytes(EXAMPLE), at) == (name, after)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\5abc",
        b"\3abc",  # without the root
        b"\xc0",
        b"\xc0\0",  # points at itself
        b"\xc0\2\xc0\0",  # at each other
        b"\1a\xc0\0",  # at what is before, for ever
        b"\x41a\0",  # §4.1.4: 01 and 10 are reserved
        b"\x80\0",
        b"\xc0\x30",  # behind the end
    ],
)
def test_names_that_are_none(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_name(data, 0)


def test_a_label_has_63_octets_and_a_name_255() -> None:
    """§2.3.4; the lengths of the labels and the root's octet count."""
    label = b"\x3f" + b"a" * 63
    longest = label * 3 + b"\x3d" + b"a" * 61 + b"\0"
    assert len(longest) == 255
    name, after = read_name(longest, 0)
    assert (len(name), after) == (253, 255)
    with pytest.raises(ProtocolError):
        read_name(label * 4 + b"\1a\0", 0)


def test_what_is_no_letter_is_escaped_as_in_master_files() -> None:
    """§5.1: `\\DDD`, so that a dot in a label is none between labels."""
    name, _ = read_name(b"\4a.b\\\2\0\xff\0", 0)
    assert name == r"a\046b\092.\000\255"
