from __future__ import annotations

from itertools import count

import pytest

from copilot.config import SpeechSettings
from copilot.events import CancelDecode, Decode, Decoded, Heard, Hypothesis, Word
from copilot.speech.packing import packed_ms
from copilot.speech.second import BACKLOG_MS, FULL_MS, MOST_MS, RESTED_MS, WORTH_MS, SecondPass

SETTINGS = SpeechSettings(second_pass="on", revision_timeout_s=30.0)


def machine(settings: SpeechSettings = SETTINGS) -> SecondPass:
    return SecondPass(0, settings, next_job_id=count(1).__next__, hotwords="solar")


def line(number: int, start_s: float, seconds: float, text: str = "", language: str = "en", p: float = 0.8) -> Heard:
    words = tuple(
        Word(text=word, start_ms=round(start_s * 1000), end_ms=round(start_s * 1000) + 100, probability=p)
        for word in (text or f"line {number}").split()
    )
    return Heard(
        utterance_id=f"u{number}",
        channel=0,
        start_ms=round(start_s * 1000),
        end_ms=round((start_s + seconds) * 1000),
        text=text or f"line {number}",
        is_final=True,
        language=language,
        confidence=p,
        words=words,
    )


def reads(job, texts: list[tuple[float, str]], p: float = 0.95) -> Decoded:
    """A reading that says each text at its second of media time (packed time is worked out from the job's spans)."""
    words = []
    for at_s, text in texts:
        for index, word in enumerate(text.split()):
            start = job.start_ms + packed_at(job.spans, round(at_s * 1000)) + 100 * index
            words.append(Word(text=word, start_ms=start, end_ms=start + 90, probability=p))
    said = " ".join(text for _, text in texts)
    return Decoded(job_id=job.job_id, hypothesis=Hypothesis(text=said, language="en", words=tuple(words)))


def packed_at(stretches, at_ms: int) -> int:
    total = 0
    for begin, end in stretches:
        if begin <= at_ms <= end:
            return total + at_ms - begin
        total += end - begin + 200
    raise AssertionError(at_ms)


def asked(second: SecondPass, position_ms: int = 0, now: float = 0.0):
    [decode] = second.ask(position_ms, now)
    return decode.job


def test_half_a_minute_of_speech_is_read_again_together():
    second = machine()
    for number in range(3):
        second.told(line(number, 10 * number, 6))
        assert second.ask(10_000 * number + 6_000, 0.0) == []
    second.told(line(3, 30, 6))
    job = asked(second, 36_000, 5.0)
    assert (job.kind, job.language, job.prompt, job.hotwords) == ("revision", "en", "", "solar")
    assert job.spans == ((0, 6_200), (9_800, 16_200), (19_800, 26_200), (29_800, 36_200))
    assert FULL_MS <= packed_ms(job.spans) <= MOST_MS
    assert job.due == second.next_deadline() == 35.0
    assert second.ask(99_000, 6.0) == [], "one at a time"


def test_no_reading_is_longer_than_the_window_and_what_does_not_fit_waits():
    second = machine()
    for number in range(4):
        second.told(line(number, 14 * number, 13.5))
    first = asked(second)
    assert first.spans == ((0, 13_700), (13_800, 27_700))
    assert packed_ms(first.spans) <= MOST_MS
    assert second.oldest_ms == 0, "its audio is still needed"
    second.decoded(Decoded(job_id=first.job_id, error="asr.failed"))
    assert second.oldest_ms == 27_800
    assert asked(second).spans == ((27_800, 41_700), (41_800, 55_700))


def test_a_channel_at_rest_has_its_shorter_speech_read():
    second = machine()
    second.told(line(1, 0, 13))
    assert second.ask(13_200 + RESTED_MS, 0.0) == []
    assert packed_ms(asked(second, 13_201 + RESTED_MS).spans) >= WORTH_MS
    brief = machine()
    brief.told(line(1, 0, 5))
    assert brief.ask(10**9, 0.0) == []


def test_at_the_end_the_rest_is_read_however_short():
    second = machine()
    second.told(line(1, 0, 1))
    assert second.is_idle
    second.finish()
    assert not second.is_idle
    job = asked(second)
    second.decoded(reads(job, [(0.2, "line one")]))
    assert second.is_idle


def test_a_better_reading_revises_and_a_like_one_does_not():
    second = machine()
    second.told(line(1, 0, 2, "there with me a second"))
    second.told(line(2, 5, 2, "yes of course"))
    second.finish()
    [revised] = second.decoded(reads(asked(second), [(0.1, "Bear with me a second."), (5.1, "Yes, of course.")]))
    assert (revised.heard.utterance_id, revised.heard.text) == ("u1", "Bear with me a second.")
    assert revised.heard.confidence == 0.95
    assert [word.text for word in revised.heard.words] == ["Bear", "with", "me", "a", "second."]
    assert revised.heard.committed == len(revised.heard.text)


@pytest.mark.parametrize(
    ("again", "p"),
    [
        ("", 0.9),  # nothing
        ("Bear with me", 0.9),  # words are missing
        ("Bear with me a second.", 0.6),  # less sure
        ("me me me me me me me me me me me me", 0.95),  # a loop
        ("[Music]", 0.9),  # not words
        ("Bear with me Ｇ a second", 0.95),  # not letters
        ("Bear with me a second " * 20, 0.95),  # more than anybody can say
    ],
)
def test_a_reading_that_is_not_better_changes_nothing(again, p):
    second = machine()
    second.told(line(1, 0, 2, "there with me a second"))
    second.finish()
    assert second.decoded(reads(asked(second), [(0.1, again)], p)) == []


@pytest.mark.parametrize(("p", "text"), [(0.5, None), (0.75, None), (0.9, "Know what I mean.")])
def test_a_word_gives_way_to_a_likelier_one_only(p, text):
    """All other words are surer the second time; it is the one that changes that counts."""
    second = machine()
    second.told(line(1, 0, 2, "no what I mean", p=0.7))
    second.finish()
    job = asked(second)
    words = [
        Word(text=word, start_ms=job.start_ms + 200 * index, end_ms=job.start_ms + 200 * index + 90, probability=q)
        for index, (word, q) in enumerate([("Know", p), ("what", 1.0), ("I", 1.0), ("mean.", 1.0)])
    ]
    answer = Hypothesis(text="Know what I mean.", language="en", words=tuple(words))
    revised = second.decoded(Decoded(job_id=job.job_id, hypothesis=answer))
    assert [each.heard.text for each in revised] == ([text] if text else [])


def test_what_was_read_is_the_context_of_the_next_reading():
    second = machine()
    for number in range(4):
        second.told(line(number, 8 * number, 7, "so it goes"))
    second.decoded(reads(asked(second), [(8 * number + 0.1, "So it grows on.") for number in range(3)]))
    second.finish()
    assert asked(second).prompt.endswith("So it grows on.")


def test_a_reading_is_in_one_language():
    second = machine()
    second.told(line(1, 0, 9, "我想一下", language="zh"))
    second.told(line(2, 10, 9, "let me think", language="en"))
    second.told(line(3, 20, 9, "let me see", language="fr"))
    for language in ("zh", "en", "auto"):
        second.finish()
        job = asked(second)
        assert job.language == language
        second.decoded(Decoded(job_id=job.job_id, error="asr.failed"))


def test_an_overdue_reading_is_given_up_and_its_late_answer_ignored():
    second = machine()
    second.told(line(1, 0, 26))
    job = asked(second, now=1.0)
    assert second.tick(30.9) == []
    second.wait_anew(10.0)
    assert second.tick(31.0) == []
    assert second.tick(40.0) == [CancelDecode(job_id=job.job_id)]
    assert second.next_deadline() is None
    assert second.decoded(reads(job, [(0.1, "line won")])) == []
    assert second.oldest_ms is None


def test_a_recogniser_without_time_is_not_asked_again_at_the_end():
    second = machine()
    second.told(line(1, 0, 26))
    second.told(line(2, 30, 5))
    assert second.decoded(Decoded(job_id=asked(second).job_id, error="shed")) == []
    assert second.is_shed
    second.finish()
    assert second.is_idle
    assert second.ask(10**9, 0.0) == []
    late = machine()
    late.told(line(1, 0, 26))
    late.told(line(2, 30, 26))
    late.finish()
    late.decoded(Decoded(job_id=asked(late).job_id, error="shed"))
    assert late.is_idle


def test_what_waits_is_bounded():
    second = machine()
    for number in range(30):
        second.told(line(number, 11 * number, 10))
        second.ask(0, 0.0)
    waiting = [each.span for each in second._waiting]
    assert packed_ms(waiting) <= BACKLOG_MS
    assert waiting[-1][1] == 29 * 11_000 + 10_200, "the oldest went"


def test_off_means_off_and_nothing_said_is_nothing_to_read():
    off = machine(SpeechSettings(second_pass="off"))
    assert off.told(line(1, 0, 26)) is None
    second = machine()
    assert second.told(Heard(utterance_id="u1", channel=0, start_ms=0, end_ms=900, text="", is_final=True)) is None
    for each in (off, second):
        each.finish()
        assert each.ask(10**9, 0.0) == []
        assert each.is_idle


def test_every_ask_is_a_decode_of_its_own_channel():
    second = SecondPass(1, SETTINGS, next_job_id=count(7).__next__)
    second.told(line(1, 0, 26))
    [decode] = second.ask(0, 0.0)
    assert isinstance(decode, Decode)
    assert (decode.job.job_id, decode.job.channel, decode.job.utterance_id) == (7, 1, "")
    assert (decode.job.start_ms, decode.job.end_ms) == (0, 26_200)
