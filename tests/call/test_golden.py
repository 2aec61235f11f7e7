"""A real call, recorded once: replaying its log must give the same effects, byte for byte, on every machine."""

from __future__ import annotations

import msgspec

from copilot.call.call import CallSetup
from copilot.call.recording import encode_effects, replay
from copilot.config import SpeechSettings, VadSettings
from copilot.events import Decode, Publish
from copilot.store.recording import read_recording
from tests.call.record import GOLDEN, RECORDING
from tests.call.rig import setup

EFFECTS = GOLDEN / "solar.effects.jsonl"


def as_recorded(playbook: str) -> CallSetup:
    """With the settings the call was recorded with: its answers belong to the questions these made it ask."""
    speech = SpeechSettings(first_interim_ms=320, vad=VadSettings(speculate_after_ms=128))
    return msgspec.structs.replace(setup(playbook), speech=speech)


def effects_of(recording) -> list[bytes]:
    lines = []
    for now, effects in replay(recording.header.call, as_recorded(recording.header.playbook), recording):
        for effect in effects:
            if isinstance(effect, Publish):
                lines.append(bytes(effect.message))
            elif isinstance(effect, Decode):
                lines.append(msgspec.json.encode([round(now, 3), effect.job]))
    return lines


def test_the_recorded_call_replays_to_the_golden_effects(update_golden):
    lines = b"\n".join(effects_of(read_recording(RECORDING))) + b"\n"
    if update_golden:
        EFFECTS.write_bytes(lines)
    assert lines == EFFECTS.read_bytes()


def test_two_replays_are_identical_down_to_the_last_byte():
    recording = read_recording(RECORDING)
    runs = [
        [
            encode_effects(effects)
            for _, effects in replay(recording.header.call, as_recorded(recording.header.playbook), recording)
        ]
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


def test_the_golden_call_holds_what_the_call_was_about():
    text = EFFECTS.read_text(encoding="utf-8")
    assert '"cue_id":"compliance.forbidden"' in text
    assert '"type":"call.ended"' in text
