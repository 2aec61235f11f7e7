import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.errors import LocalProtocolError, RemoteProtocolError
from copilot.wire.frames import Frame, pack_frame, unpack_frame

EPOCHS = st.integers(0, 2**32 - 1)
OFFSETS = st.integers(0, 2**64 - 1)


@settings(deadline=None)
@given(EPOCHS, OFFSETS, st.binary(max_size=64))
def test_unpack_is_the_inverse_of_pack(epoch, offset, payload):
    assert unpack_frame(pack_frame(epoch, offset, payload)) == Frame(epoch, offset, payload)


def test_the_layout_is_the_published_one():
    packed = pack_frame(0x01020304, 0x1122334455667788, b"\xab")
    assert packed == bytes.fromhex("01 01 00 00 01020304 1122334455667788 ab")


def test_flags_are_ignored():
    data = bytearray(pack_frame(1, 2, b"xy"))
    data[3] = 0xFF
    assert unpack_frame(bytes(data)) == Frame(1, 2, b"xy")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "frame.too_short"),
        (pack_frame(1, 2, b"")[:-1], "frame.too_short"),
        (b"\x02" + pack_frame(1, 2, b"")[1:], "frame.version"),
        (b"\x01\x02" + pack_frame(1, 2, b"")[2:], "frame.type"),
        (b"\x01\x01\x01" + pack_frame(1, 2, b"")[3:], "frame.channel_set"),
    ],
)
def test_a_bad_header_is_named(data, code):
    with pytest.raises(RemoteProtocolError) as caught:
        unpack_frame(data)
    assert (caught.value.code, caught.value.close_code) == (code, 4400)


@pytest.mark.parametrize(("epoch", "offset"), [(-1, 0), (2**32, 0), (0, -1), (0, 2**64)])
def test_what_does_not_fit_the_header_is_our_bug(epoch, offset):
    with pytest.raises(LocalProtocolError):
        pack_frame(epoch, offset, b"")


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_garbage_raises_only_protocol_errors(data):
    try:
        frame = unpack_frame(data)
    except RemoteProtocolError as error:
        code = error.code
    else:
        code = f"frame.{len(frame.payload)}"
    assert code.startswith("frame.")
