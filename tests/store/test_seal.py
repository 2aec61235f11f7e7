"""After sealing, the audio is all there, the events are all there, and the journal is gone. Not before."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.audio.g711 import decode_alaw, decode_mulaw
from copilot.events import AudioMissed, AudioReceived, CallInfo, HungUp, Marked, MediaFormat, Paused, Resumed
from copilot.store.recording import ENTRY, HEADER, RecordingHeader, encode_entry, encode_header, read_recording
from copilot.store.records import file_header, prefix
from copilot.store.seal import seal
from tests.store.refusal import refused

STEREO = MediaFormat(encoding="pcm_s16le", sample_rate_hz=8000)
MONO = MediaFormat(encoding="pcm_s16le", sample_rate_hz=8000, channels=("customer",))


def sound(frames, channels=2, seed=1):
    return np.random.default_rng(seed).integers(-(2**15), 2**15, (frames, channels), dtype=np.int16)


def received(offset, samples):
    return AudioReceived(offset=offset, payload=samples.astype("<i2").tobytes())


def write_journal(folder: Path, events, media=STEREO, *, header=True, tail=b""):
    call = CallInfo(call_id="c1", started_at="2026-01-01T00:00:00.000Z", media=media)
    records = [(HEADER, encode_header(RecordingHeader(call=call, playbook="id: x")))] if header else []
    records += [(ENTRY, encode_entry(n / 10, event)) for n, event in enumerate(events)]
    (folder / "journal.bin").write_bytes(file_header() + b"".join(prefix(*r) + r[1] for r in records) + tail)


def sha256(samples):
    return tuple(hashlib.sha256(channel.astype("<i2").tobytes()).hexdigest() for channel in samples.T)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def heard(folder):
    return soundfile.read(folder / "audio.flac", dtype="int16", always_2d=True)[0]


def test_the_audio_and_the_events_are_there_and_the_journal_is_not(tmp_path):
    samples = sound(4000)
    events = [received(0, samples[:1000]), Marked(label="here"), received(1000, samples[1000:]), HungUp()]
    write_journal(tmp_path, events)
    sealed = seal(tmp_path, STEREO)
    assert names(tmp_path) == ["audio.flac", "recording.bin.gz"]
    assert (heard(tmp_path) == samples).all()
    assert soundfile.info(tmp_path / "audio.flac").samplerate == 8000
    assert (sealed.sha256, sealed.duration_ms, sealed.torn_bytes) == (sha256(samples), 500, 0)
    recording = read_recording(sealed.recording_path)
    assert recording.header.playbook == "id: x"
    assert [type(event) for _, event in recording] == [type(event) for event in events]


def test_sealing_again_finds_the_same(tmp_path):
    write_journal(tmp_path, [received(0, sound(800))])
    first = seal(tmp_path, STEREO)
    assert seal(tmp_path, STEREO) == first


@pytest.mark.parametrize(("encoding", "decode"), [("mulaw", decode_mulaw), ("alaw", decode_alaw)])
def test_g711_is_kept_as_the_16_bit_samples_it_stands_for(tmp_path, encoding, decode):
    media = MediaFormat(encoding=encoding, sample_rate_hz=8000)
    payload = bytes(range(256)) * 2
    write_journal(tmp_path, [AudioReceived(offset=0, payload=payload)], media)
    sealed = seal(tmp_path, media)
    assert sealed.sha256 == sha256(decode(payload).reshape(-1, 2))
    assert sealed.duration_ms == 32


def test_what_was_lost_is_silence(tmp_path):
    samples = sound(300, 1)
    events = [received(0, samples[:100]), AudioMissed(offset=100, samples=50), received(200, samples[200:])]
    write_journal(tmp_path, [*events, AudioMissed(offset=300, samples=100_000)], MONO)
    sealed = seal(tmp_path, MONO)
    expected = np.concatenate([samples[:100], np.zeros((100, 1), np.int16), samples[200:], np.zeros((100_000, 1))])
    assert (heard(tmp_path) == expected).all()
    assert sealed.duration_ms == (300 + 100_000) // 8


def test_what_came_while_paused_is_silence(tmp_path):
    samples = sound(300)
    write_journal(
        tmp_path,
        [
            received(0, samples[:100]),
            Paused(reason="pci"),
            received(100, samples[100:200]),
            Resumed(),
            received(200, samples[200:]),
        ],
    )
    seal(tmp_path, STEREO)
    samples[100:200] = 0
    assert (heard(tmp_path) == samples).all()


@settings(max_examples=30)
@given(pieces=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40)), max_size=8))
def test_overlaps_are_trimmed_and_the_first_to_come_wins(tmp_path_factory, pieces):
    folder = tmp_path_factory.mktemp("overlap")
    expected = np.zeros((0, 2), np.int16)
    events = []
    for seed, (offset, length) in enumerate(pieces):
        samples = sound(length, seed=seed)
        events.append(received(offset, samples))
        if offset > len(expected):
            expected = np.concatenate([expected, np.zeros((offset - len(expected), 2), np.int16)])
        expected = np.concatenate([expected, samples[len(expected) - offset :]])
    write_journal(folder, events)
    sealed = seal(folder, STEREO)
    assert sealed.sha256 == sha256(expected)
    assert sealed.flac_path is None or (heard(folder) == expected).all()


def test_a_call_without_audio(tmp_path):
    write_journal(tmp_path, [HungUp()])
    sealed = seal(tmp_path, STEREO)
    assert names(tmp_path) == ["recording.bin.gz"]
    assert (sealed.flac_path, sealed.duration_ms) == (None, 0)
    assert sealed.sha256 == (hashlib.sha256().hexdigest(),) * 2
    assert seal(tmp_path, STEREO) == sealed


def test_a_torn_journal_is_sealed_as_far_as_it_goes_and_says_so(tmp_path):
    samples = sound(400)
    write_journal(tmp_path, [received(0, samples)], tail=b"torn")
    sealed = seal(tmp_path, STEREO)
    assert (sealed.sha256, sealed.torn_bytes) == (sha256(samples), 4)


def test_a_journal_that_does_not_say_what_call_it_is_gives_audio_only(tmp_path):
    write_journal(tmp_path, [received(0, sound(10))], header=False)
    assert seal(tmp_path, STEREO).recording_path is None
    assert names(tmp_path) == ["audio.flac"]


def test_a_crash_in_the_middle_is_made_good(tmp_path):
    samples = sound(400)
    write_journal(tmp_path, [received(0, samples)])
    (tmp_path / "audio.flac.tmp").write_bytes(b"half")
    (tmp_path / "recording.bin.gz").write_bytes(b"from before")
    (tmp_path / "audio.flac").write_bytes(b"from before")
    assert seal(tmp_path, STEREO).sha256 == sha256(samples)
    assert names(tmp_path) == ["audio.flac", "recording.bin.gz"]


def test_nothing_to_seal(tmp_path):
    with refused("storage.no_audio"):
        seal(tmp_path, STEREO)


def test_a_damaged_flac_is_not_taken_for_audio(tmp_path):
    (tmp_path / "audio.flac").write_bytes(b"RIFF")
    with refused("storage.flac_failed"):
        seal(tmp_path, STEREO)


def test_audio_later_than_any_call_is_damage(tmp_path):
    write_journal(tmp_path, [AudioMissed(offset=2**60, samples=1)])
    with refused("storage.audio_implausible"):
        seal(tmp_path, STEREO)
    assert names(tmp_path) == ["journal.bin"]


@pytest.mark.parametrize(
    ("file", "code"), [("audio.flac.tmp", "storage.flac_failed"), ("recording.bin.gz.tmp", "storage.full")]
)
def test_a_journal_is_kept_when_the_disk_is_full(tmp_path, file, code):
    samples = sound(100_000)
    write_journal(tmp_path, [received(0, samples)])
    (tmp_path / file).symlink_to("/dev/full")
    with refused(code):
        seal(tmp_path, STEREO)
    assert (tmp_path / "journal.bin").exists()
    assert seal(tmp_path, STEREO).sha256 == sha256(samples)


def test_the_real_call_of_the_test_data(tmp_path):
    samples, rate = soundfile.read(Path(__file__).parents[1] / "data/en_dev_03_solar.flac", dtype="int16")
    media = MediaFormat(sample_rate_hz=rate, channels=("rep", "customer"))
    blocks = range(0, len(samples), rate // 50)
    write_journal(tmp_path, [received(at, samples[at : at + rate // 50]) for at in blocks], media)
    sealed = seal(tmp_path, media)
    assert sealed.sha256 == sha256(samples)
    assert sealed.flac_path.stat().st_size < samples.nbytes * 0.8
    assert sealed.recording_path.stat().st_size < 30_000
