"""One track after the other, and what goes wrong as a code."""

from __future__ import annotations

from copilot.backtest.keeping import keep
from copilot.backtest.runs import Bench
from copilot.backtest.track import TRACK_FILE, kept_track
from copilot.store.recording import RecordingHeader, write_recording
from tests.backtest.test_rethink import LINES, TALK
from tests.call.rig import PLAYBOOK, info, run, talk

NAME = "recording.bin.gz"


def test_a_track_is_made_once(tmp_path):
    _, machine = run(talk(TALK), LINES)
    write_recording(tmp_path / NAME, RecordingHeader(call=info(), playbook=PLAYBOOK), machine.entries)
    bench = Bench(None)
    assert keep(bench, tmp_path / NAME) == ""
    made = (tmp_path / TRACK_FILE).stat().st_ino
    assert keep(bench, tmp_path / NAME) == ""
    assert (tmp_path / TRACK_FILE).stat().st_ino == made
    assert kept_track(tmp_path / NAME) == bench.track(tmp_path / NAME)


def test_what_cannot_be_read_or_written_has_a_code(tmp_path):
    (tmp_path / NAME).write_bytes(b"no recording")
    assert keep(Bench(None), tmp_path / NAME).startswith("storage.")
    _, machine = run(talk(TALK), LINES)
    write_recording(tmp_path / NAME, RecordingHeader(call=info(), playbook=PLAYBOOK), machine.entries)
    (tmp_path / TRACK_FILE).mkdir()  # a folder where the file should be
    assert keep(Bench(None), tmp_path / NAME) == "storage.write_failed"


def test_a_call_deleted_meanwhile_needs_no_track(tmp_path):
    assert keep(Bench(None), tmp_path / "gone" / NAME) == ""
