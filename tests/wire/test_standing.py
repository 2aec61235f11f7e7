from __future__ import annotations

import msgspec

from copilot.events import Word
from copilot.wire import messages as wire
from copilot.wire.standing import as_it_stands

AT = {"call_id": "c", "pos_ms": 0, "emitted_at": "2026-03-01T09:00:00.000Z"}
LINE = {"utterance_id": "u1", "speaker": "rep", "start_ms": 0, "end_ms": 900}
WORDS = (Word(text="helo", start_ms=0, end_ms=500, probability=0.4),)
BETTER = (Word(text="Hello.", start_ms=0, end_ms=500, probability=0.9),)


def final(**changes: object) -> wire.TranscriptFinal:
    fields = {**AT, **LINE, "seq": 1, "text": "helo", "language": "en", "confidence": 0.4, "lag_ms": 9, "words": WORDS}
    return wire.TranscriptFinal(**{**fields, **changes})


def revised(**changes: object) -> wire.TranscriptRevised:
    return wire.TranscriptRevised(**{**AT, **LINE, "seq": 2, "text": "Hello.", "reason": "second_pass", **changes})


def test_the_newest_text_words_and_speaker_stand():
    messages = [final(), revised(confidence=0.9, words=BETTER), revised(seq=3, reason="roles", speaker="customer")]
    [line] = as_it_stands(messages).values()
    assert (line.text, line.speaker, line.confidence, line.words) == ("Hello.", "customer", 0.9, BETTER)
    assert (line.start_ms, line.language, line.lag_ms) == (0, "en", 9)


def test_without_words_of_its_own_a_revision_leaves_those_told_before():
    [line] = as_it_stands([final(), revised()]).values()
    assert (line.confidence, line.words) == (0.4, WORDS)


def test_an_empty_text_takes_the_line_back_and_a_stranger_changes_nothing():
    assert as_it_stands([final(), revised(text="")]) == {}
    assert as_it_stands([final(text="")]) == {}
    assert list(as_it_stands([final(), revised(utterance_id="u9")])) == ["u1"]


def test_a_log_from_before_there_were_words_still_reads():
    old = msgspec.json.encode({**msgspec.to_builtins(revised()), "words": None})
    old = old.replace(b',"confidence":null', b"").replace(b',"words":null', b"")
    assert msgspec.json.decode(old, type=wire.TranscriptRevised) == revised()
