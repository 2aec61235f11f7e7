"""``copilot replay`` on good recordings and bad ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from copilot.cli.demo import demo_call
from tests.cli.conftest import Run
from tests.cli.sounds import SOUNDS, silence, write
from tests.e2e.test_call import quotes

pytestmark = pytest.mark.usefixtures("quick")

CALL_SAYS = re.compile(r"recorded|sunshine|solar", re.IGNORECASE)
"""Words of the first half minute of the shipped call."""


def spoken(seconds: float = 7, begin: float = 13) -> tuple[np.ndarray, int]:
    """A piece of the shipped call [frames, 2] in which both speak, and its rate."""
    rate = soundfile.info(demo_call()).samplerate
    return soundfile.read(demo_call(), start=int(begin * rate), frames=int(seconds * rate), always_2d=True)


def of(lines: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["type"] in kinds]


# --- what cannot be played ------------------------------------------------------------------------------------


def text_file(folder: Path) -> Path:
    path = folder / "notes.wav"
    path.write_text("this is not a recording")
    return path


def empty_file(folder: Path) -> Path:
    path = folder / "empty.flac"
    path.write_bytes(b"")
    return path


def no_samples(folder: Path) -> Path:
    return write(folder / "nothing.wav", np.zeros(0), np.zeros(0))


def three_channels(folder: Path) -> Path:
    return write(folder / "three.wav", silence(), silence(), silence())


BAD = {
    "a missing file": (lambda folder: folder / "no.wav", "media.unreadable"),
    "a folder": (lambda folder: folder, "media.unreadable"),
    "text": (text_file, "media.unreadable"),
    "an empty file": (empty_file, "media.empty"),
    "a recording of no length": (no_samples, "media.empty"),
    "three channels": (three_channels, "media.too_many_channels"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_a_code(run: Run, tmp_path: Path, name: str) -> None:
    make, code = BAD[name]
    outcome = run("replay", make(tmp_path), "--json")
    assert (outcome.code, outcome.out) == (2, "")
    assert f"({code})" in outcome.err


@pytest.mark.parametrize(("channels", "count"), [("mono", 2), ("rep,customer", 1), ("customer,rep", 1)])
def test_channels_must_be_those_of_the_file(run: Run, tmp_path: Path, channels: str, count: int) -> None:
    path = write(tmp_path / "call.wav", *[silence()] * count)
    outcome = run("replay", path, "--channels", channels)
    assert (outcome.code, outcome.out) == (2, "")
    assert "(media.channels)" in outcome.err
    assert "--channels" in outcome.err


def test_a_playbook_that_does_not_exist(run: Run) -> None:
    outcome = run("replay", demo_call(), "--playbook", "nothing")
    assert (outcome.code, outcome.out) == (2, "")
    assert "(playbook.unreadable)" in outcome.err


def test_missing_models(run: Run, configured, tmp_path: Path) -> None:
    config = configured(f'[models]\ndir = "{tmp_path}/none"\n')
    outcome = run("--config", config, "replay", demo_call())
    assert (outcome.code, outcome.out) == (1, "")
    assert "copilot models fetch" in outcome.err


# --- what can -------------------------------------------------------------------------------------------------


@pytest.mark.models
def test_the_shipped_call_as_fast_as_the_machine_can(run: Run) -> None:
    outcome = run("replay", demo_call(), "--speed", "max", "--language", "en", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    *messages, report = outcome.lines
    assert [message["seq"] for message in messages] == list(range(1, len(messages) + 1))
    assert messages[-1]["type"] == "call.ended"
    assert report["type"] == "report"
    assert {final["speaker"] for final in of(messages, "transcript.final")} == {"rep", "customer"}
    assert len([card for card in of(messages, "card.raised") if card["caused_by"]]) >= 3
    assert of(messages, "step.changed")
    assert of(messages, "stage.changed")
    lines = [line["text"] for line in report["transcript"]]
    assert quotes(report)
    assert all(any(quote in line for line in lines) for quote in quotes(report))


@pytest.mark.models
@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg", "opus"])
def test_any_usual_format_can_be_played(run: Run, tmp_path: Path, suffix: str) -> None:
    samples, rate = spoken()
    path = write(tmp_path / f"call.{suffix}", *samples.T, rate_hz=rate)
    outcome = run("replay", path, "--language", "en", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    finals = of(outcome.lines, "transcript.final")
    assert {final["speaker"] for final in finals} == {"rep", "customer"}
    assert CALL_SAYS.search(" ".join(final["text"] for final in finals))


@pytest.mark.models
@pytest.mark.parametrize("suffix", ["wav", "mp3"])
def test_mono_is_the_customer(run: Run, tmp_path: Path, suffix: str) -> None:
    samples, rate = spoken(5)
    path = write(tmp_path / f"call.{suffix}", samples[:, 0], rate_hz=rate)
    outcome = run("replay", path, "--language", "en", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    finals = of(outcome.lines, "transcript.final")
    assert {final["speaker"] for final in finals} == {"customer"}
    assert CALL_SAYS.search(" ".join(final["text"] for final in finals))


@pytest.mark.models
def test_swapped_channels_can_be_named(run: Run, tmp_path: Path) -> None:
    samples, rate = spoken(9, 5)
    path = write(tmp_path / "swapped.flac", samples[:, 1], samples[:, 0], rate_hz=rate)
    outcome = run("replay", path, "--channels", "customer,rep", "--language", "en", "--json")
    assert outcome.code == 0
    said = {line["speaker"]: line["text"] for line in of(outcome.lines, "transcript.final")}
    assert set(said) == {"rep", "customer"}
    steps = {step["step_id"] for step in of(outcome.lines, "step.changed") if step["state"].startswith("done")}
    assert "opening.intro" in steps  # only a rep can introduce himself


@pytest.mark.models
def test_identical_channels_are_survived(run: Run, tmp_path: Path) -> None:
    samples, rate = spoken(5)
    path = write(tmp_path / "twice.wav", samples[:, 0], samples[:, 0], rate_hz=rate)
    outcome = run("replay", path, "--language", "en", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.lines[-1]["type"] == "report"


@pytest.mark.models
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_truncated_recording_is_played_to_where_it_breaks(run: Run, tmp_path: Path, suffix: str) -> None:
    samples, rate = spoken(9, 5)
    path = write(tmp_path / f"torn.{suffix}", *samples.T, rate_hz=rate)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    outcome = run("replay", path, "--language", "en", "--json")
    assert outcome.code == 2
    assert "(media.truncated)" in outcome.err
    assert of(outcome.lines, "transcript.final")
    assert outcome.lines[-1]["type"] == "report"


@pytest.mark.models
@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_not_speech_gives_neither_words_nor_cards(run: Run, tmp_path: Path, sound: str, language: str) -> None:
    made = SOUNDS[sound]()
    path = write(tmp_path / f"{sound}.wav", made, made)
    outcome = run("replay", path, "--language", language, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    assert of(outcome.lines, "call.ended")
    assert not of(outcome.lines, "transcript.interim", "transcript.final", "card.raised", "card.suppressed")


@pytest.mark.models
def test_clipped_speech_is_still_understood(run: Run, tmp_path: Path) -> None:
    samples, rate = spoken(5)
    path = write(tmp_path / "loud.wav", *np.clip(samples * 20, -1, 1).T, rate_hz=rate)
    outcome = run("replay", path, "--language", "en", "--json")
    assert outcome.code == 0
    assert CALL_SAYS.search(" ".join(final["text"] for final in of(outcome.lines, "transcript.final")))


@pytest.mark.models
def test_for_people_the_transcript_goes_to_stderr(run: Run, tmp_path: Path) -> None:
    samples, rate = spoken(5)
    path = write(tmp_path / "call.wav", *samples.T, rate_hz=rate)
    outcome = run("replay", path, "--language", "en")
    assert (outcome.code, outcome.out) == (0, "")
    assert CALL_SAYS.search(outcome.err)


@pytest.mark.models
def test_in_real_time_every_message_says_when_it_was_sent(run: Run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("COPILOT_SPEECH__SECOND_PASS", "on")
    samples, rate = spoken(5)
    path = write(tmp_path / "call.wav", *samples.T, rate_hz=rate)
    outcome = run("replay", path, "--speed", "1", "--language", "en", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    *messages, report = outcome.lines
    assert report["type"] == "report"
    sent = [message["emitted_at"] for message in messages]
    assert sent == sorted(sent)
    assert of(messages, "transcript.final")
