"""A call can be written down and read back, exactly, without its audio."""

import gzip

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.events import AudioReceived, CallEvent, CallInfo, Decoded, Hypothesis, Marked, SpeechScored, Ticked, Word
from copilot.store.recording import (
    RecordingHeader,
    decode_entry,
    decode_header,
    encode_entry,
    encode_header,
    read_recording,
    write_recording,
)
from tests.store.refusal import refused

HEADER = RecordingHeader(
    call=CallInfo(call_id="c1", started_at="2026-01-01T00:00:00.000Z", context={"vip": "是"}),
    playbook="id: outbound-zh\n",
    settings={"speech": {"vad": {"threshold": 0.35}}, "vectors": b"\x00\xff"},
)
times = st.floats(0, 20_000, allow_nan=False)
numbers = st.integers(0, 2**53)
events = st.one_of(
    st.builds(AudioReceived, offset=numbers, payload=st.binary(max_size=50)),
    st.builds(
        SpeechScored,
        channel=st.integers(0, 1),
        first_window=numbers,
        scores=st.lists(st.floats(0, 1), max_size=4).map(tuple),
        levels_db=st.lists(st.floats(-120, 0), max_size=4).map(tuple),
    ),
    st.builds(
        Decoded,
        job_id=numbers,
        hypothesis=st.none()
        | st.builds(Hypothesis, text=st.text(max_size=20), words=st.just((Word(text="你", start_ms=0, end_ms=9),))),
    ),
    st.builds(Marked, label=st.text(max_size=20)),
    st.just(Ticked()),
)
logs = st.lists(st.tuples(times, events), max_size=12)


def silenced(entry):
    now, event = entry
    if isinstance(event, AudioReceived):
        return now, AudioReceived(offset=event.offset, payload=bytes(len(event.payload)))
    return entry


@given(entry=st.tuples(times, events))
def test_an_entry_comes_back_as_it_was(entry):
    assert decode_entry(encode_entry(*entry)) == entry


def test_every_event_of_the_vocabulary_can_be_an_entry():
    schema = msgspec.json.schema(tuple[float, CallEvent])
    assert "AudioReceived" in schema["$defs"]
    assert len(schema["$defs"]) >= len(CallEvent.__args__)


def test_the_header_comes_back_as_it_was():
    assert decode_header(encode_header(HEADER)) == HEADER


@given(log=logs)
def test_a_recording_is_the_call_without_its_sound(tmp_path_factory, log):
    path = tmp_path_factory.mktemp("rec") / "recording.bin.gz"
    write_recording(path, HEADER, log)
    recording = read_recording(path)
    assert recording.header == HEADER
    assert list(recording) == list(recording) == [silenced(entry) for entry in log]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_same_call_gives_the_same_file_and_no_sample_is_in_it(tmp_path):
    log = [(0.5, AudioReceived(offset=0, payload=b"SECRET" * 50)), (1.0, Ticked())]
    for name in ("a", "b"):
        write_recording(tmp_path / name, HEADER, log)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert b"SECRET" not in gzip.decompress((tmp_path / "a").read_bytes())


def test_audio_can_be_put_back(tmp_path):
    log = [(0.5, AudioReceived(offset=7, payload=b"abc")), (1.0, Ticked())]
    write_recording(tmp_path / "r", HEADER, log)
    assert list(read_recording(tmp_path / "r", audio=lambda offset, length: {(7, 3): b"abc"}[offset, length])) == log


def test_equal_silences_are_one_object(tmp_path):
    write_recording(tmp_path / "r", HEADER, [(0.0, AudioReceived(offset=n, payload=bytes(640))) for n in range(3)])
    assert len({id(event.payload) for _, event in list(read_recording(tmp_path / "r"))}) == 1


@pytest.mark.parametrize("cut", [5, 40, -9, -1])
def test_a_damaged_recording_has_a_code(tmp_path, cut):
    write_recording(tmp_path / "r", HEADER, [(0.0, Marked(label=f"{n}" * n)) for n in range(50)])
    (tmp_path / "r").write_bytes((tmp_path / "r").read_bytes()[:cut])
    with refused("storage.recording_corrupt"):
        list(read_recording(tmp_path / "r"))


@pytest.mark.parametrize(
    "blocks",
    [b"", b"\x01", b"\x01\x00\x00\x00\xc1", b"\x00\x00\x00\x00", b"\xff\x00\x00\x00\x90"],
)
def test_nonsense_inside_a_whole_gzip_has_a_code_too(tmp_path, blocks):
    (tmp_path / "r").write_bytes(gzip.compress(blocks))
    with refused("storage.recording_corrupt"):
        read_recording(tmp_path / "r")


def test_not_a_recording_at_all(tmp_path):
    (tmp_path / "r").write_bytes(b"hello")
    with refused("storage.recording_corrupt"):
        read_recording(tmp_path / "r")
    with refused("storage.unreadable"):
        read_recording(tmp_path / "missing")


def test_a_recording_that_cannot_be_written_leaves_nothing(tmp_path):
    with refused("storage.write_failed"):
        write_recording(tmp_path / "no" / "folder" / "r", HEADER, [])

    def log():
        yield 0.0, Ticked()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_recording(tmp_path / "r", HEADER, log())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("body", [b"", b"\xc1", encode_entry(0.0, Ticked())[:-1], msgspec.msgpack.encode([1])])
def test_an_entry_that_is_none(body):
    with refused("storage.recording_corrupt"):
        decode_entry(body)
