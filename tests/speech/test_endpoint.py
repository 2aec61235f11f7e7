"""A pause is the end sooner after a finished sentence, later where something must follow."""

from __future__ import annotations

import msgspec
import pytest

from copilot.config import SpeechSettings, VadSettings
from copilot.speech.endpoint import patience_ms
from tests.speech.engine import SETTINGS, Play, said

VAD = VadSettings(sure_silence_ms=288, min_silence_ms=384, max_silence_ms=704)


@pytest.mark.parametrize(
    ("text", "silence_ms"),
    [
        ("I will think about it.", 288),
        ("How much is that?", 288),
        ("我再考虑一下。", 288),
        ("多少钱？", 288),
        ("He said “no.”", 288),
        ("I will think about it", 384),
        ("我再考虑一下", 384),
        ("I would like it, but", 704),
        ("we have the", 704),
        ("我想要，但是", 704),
        ("因为那个…", 704),
        ("my number is five five", 704),
        ("it is 0 7 7,", 704),
        ("我的号码是幺三八", 704),
        ("that's 4500.", 288),
    ],
)
def test_patience(text: str, silence_ms: int):
    assert patience_ms(text, VAD) == silence_ms


def play(text: str, decode_s: float = 0.05) -> Play:
    settings = SpeechSettings(
        vad=msgspec.structs.replace(SETTINGS.vad, sure_silence_ms=288, max_silence_ms=704), first_interim_ms=10_000
    )
    return Play(said(text), decode_s, settings)


@pytest.mark.parametrize(
    ("text", "silence_ms"), [("It is fine.", 288), ("It is fine", 384), ("It is fine and", 704), ("挺好的。", 288)]
)
def test_the_words_decide_when_the_end_is_certain(text: str, silence_ms: int):
    playing = play(text).speak(960)
    playing.rest(silence_ms - 32)
    assert playing.finals == []
    playing.rest(64)
    assert [final.text for final in playing.finals] == [text]
    assert playing.finals[0].end_ms == 960


def test_a_finished_sentence_that_goes_on_is_one_utterance():
    playing = play("It is fine.").speak(960).rest(256).speak(960).rest(640)
    assert [(final.start_ms, final.end_ms) for final in playing.finals] == [(0, 2_176)]


def test_words_that_come_too_late_to_shorten_the_pause_end_it_at_once():
    playing = play("It is fine.", decode_s=0.15).speak(960)
    playing.rest(352)
    assert [final.text for final in playing.finals] == ["It is fine."]


def test_after_a_long_pause_the_next_one_is_judged_anew():
    playing = play("It is fine and").speak(960).rest(448).speak(320).rest(704)
    assert len(playing.finals) == 1
    playing.speak(960).rest(672)
    assert len(playing.finals) == 1
    playing.rest(64)
    assert len(playing.finals) == 2
