"""One channel from scores to words. Speech here spells out which stretch of audio it was read from."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.events import Decoded, Hypothesis, SpeechEnded, SpeechStarted, Word
from tests.speech.engine import (
    SETTINGS,
    SILENCE,
    VOICE,
    Play,
    failing,
    in_turn,
    said,
    silent,
    with_speech,
    with_vad,
)

PAD_MS = SETTINGS.vad.speech_pad_ms


# --- an utterance ---------------------------------------------------------------------------------------------


def test_an_utterance_from_beginning_to_end():
    play = Play().rest(320).speak(960).rest(640)
    (final,) = play.finals
    assert (final.utterance_id, final.channel, final.start_ms, final.end_ms) == ("u1", 1, 320, 1_280)
    assert final.text == f"from {320 - PAD_MS} to {1_280 + PAD_MS}"
    assert (final.language, final.committed, final.confidence) == ("en", len(final.text), 0.905)
    assert play.all(SpeechStarted) == [SpeechStarted(channel=1, at_ms=320)]
    assert play.all(SpeechEnded) == [SpeechEnded(channel=1, at_ms=1_280)]
    assert play.transcriber.is_idle


def test_silence_asks_for_nothing():
    play = Play().rest(10_000).flush()
    assert play.found == []
    assert play.transcriber.is_idle
    assert play.transcriber.next_deadline() is None


def test_a_click_asks_for_nothing():
    assert Play().speak(96).rest(1_000).speak(96).flush().found == []


def test_words_keep_their_measured_times_within_the_voice():
    words = (Word(text="hello", start_ms=256, end_ms=700), Word(text="there", start_ms=700, end_ms=1_024))
    play = Play(said("hello there", words=words)).rest(320).speak(640).rest(640)
    assert [(word.start_ms, word.end_ms) for word in play.finals[0].words] == [(320, 700), (700, 960)]


# --- speculation ----------------------------------------------------------------------------------------------


def test_the_final_is_there_when_the_silence_has_lasted():
    play = Play(decode_s=0.15).speak(960).rest(640)
    assert [job.kind for job in play.jobs("speculative", "final")] == ["speculative"]
    assert play.at(play.finals[0]) == pytest.approx((960 + SETTINGS.vad.min_silence_ms) / 1000)


def test_a_slow_speculation_becomes_the_final_when_it_arrives():
    play = Play(decode_s=1.0).speak(960).rest(3_000)
    assert [job.kind for job in play.jobs("speculative", "final")] == ["speculative"]
    assert play.at(play.finals[0]) == pytest.approx((960 + SETTINGS.vad.speculate_after_ms) / 1000 + 1.0)


def test_speculation_is_shown_before_the_end_is_certain():
    play = Play(settings=with_speech(first_interim_ms=9_000)).speak(960).rest(640)
    (interim,) = play.interims
    assert interim.text == play.finals[0].text
    assert play.at(interim) < play.at(play.finals[0])


def test_speech_that_goes_on_cancels_the_speculation():
    play = Play(decode_s=0.5).speak(960).rest(256).speak(640).rest(1_500)
    first, second = play.jobs("speculative")
    assert first.job_id in play.cancelled
    assert (second.start_ms, second.end_ms) == (0, 1_856 + PAD_MS)
    assert [final.end_ms for final in play.finals] == [1_856]


def test_an_answered_speculation_is_not_cancelled_but_asked_again():
    play = Play(decode_s=0.01).speak(960).rest(256).speak(640).rest(640)
    assert len(play.jobs("speculative")) == 2
    assert play.finals[0].text.endswith(f"to {1_856 + PAD_MS}")
    assert play.jobs("speculative")[0].job_id not in play.cancelled


def test_a_failed_speculation_is_asked_again_as_a_final():
    play = Play(in_turn(failing), settings=with_speech(first_interim_ms=9_000))
    play.speak(960).rest(1_000)
    assert [job.kind for job in play.jobs()] == ["speculative", "final"]
    assert len(play.finals) == 1


# --- interims -------------------------------------------------------------------------------------------------


def test_interims_come_early_and_then_regularly():
    play = Play(decode_s=0.05).speak(2_560)
    assert [job.end_ms for job in play.jobs("interim")] == [288, 896, 1_504, 2_112]
    assert [interim.end_ms for interim in play.interims] == [288, 896, 1_504, 2_112]
    assert all(not interim.is_final for interim in play.interims)


def test_one_interim_at_a_time():
    play = Play(decode_s=2.0).speak(2_560)
    assert len(play.jobs("interim")) == 2


def test_what_two_interims_agree_on_is_committed():
    play = Play(in_turn(said("I think"), said("I think that"), said("I think that is")), decode_s=0.05).speak(1_920)
    assert [interim.text[: interim.committed] for interim in play.interims] == ["", "I think", "I think that"]


def test_an_interim_that_failed_or_says_nothing_shows_nothing():
    assert Play(failing).speak(1_280).interims == []
    assert Play(said("...")).speak(1_280).interims == []


def test_the_pause_drops_a_waiting_interim():
    play = Play(decode_s=1.0).speak(448).rest(192)
    (interim,) = play.jobs("interim")
    assert play.cancelled == [interim.job_id]


def test_no_interim_is_asked_for_in_a_pause():
    play = Play().speak(256).rest(128)
    assert play.jobs("interim") == []


# --- long speech ----------------------------------------------------------------------------------------------


def test_speech_without_a_pause_is_cut_where_it_is_quietest():
    play = Play().speak(3_008)
    play.scores([0.4] * 5, level_db=-45.0).speak(2_016).rest(640)
    assert [(final.start_ms, final.end_ms) for final in play.finals] == [(0, 3_072), (3_072, 5_184)]
    assert len(play.all(SpeechStarted)) == len(play.all(SpeechEnded)) == 1


def test_speech_that_is_too_long_in_a_pause_is_cut_there():
    play = Play(settings=with_vad(max_speech_ms=1_600)).speak(1_280).rest(320).speak(640).rest(640)
    assert [(final.start_ms, final.end_ms) for final in play.finals] == [(0, 1_280), (1_280, 2_240)]
    assert [final.text for final in play.finals] == ["from 0 to 1344", "from 1344 to 2304"]


def test_after_a_cut_in_the_last_pause_nothing_is_left_to_read():
    play = Play(settings=with_vad(max_speech_ms=1_600)).speak(1_280).rest(960)
    assert [(final.start_ms, final.end_ms) for final in play.finals] == [(0, 1_280)]
    assert len(play.all(SpeechEnded)) == 1
    assert play.transcriber.is_idle


def test_a_cut_that_differs_from_the_speculation_asks_for_a_final():
    play = Play(decode_s=9.0, settings=with_vad(max_speech_ms=1_600)).speak(960).rest(192).scores([0.4] * 4)
    play.speak(640).rest(640).wait(10)
    assert "final" in [job.kind for job in play.jobs()]
    assert play.finals[0].text == f"from 0 to {play.finals[0].end_ms}"


# --- the end --------------------------------------------------------------------------------------------------


def test_hanging_up_in_the_middle_of_a_word_keeps_the_tail():
    play = Play().rest(320).speak(800).flush()
    assert not play.transcriber.is_idle
    play.wait(1.0)
    assert [(final.start_ms, final.end_ms) for final in play.finals] == [(320, 1_120)]
    assert play.transcriber.is_idle


def test_hanging_up_in_a_pause_takes_the_speculation():
    play = Play().speak(960).rest(256).flush().wait(1.0)
    assert play.jobs("final") == []
    assert [final.end_ms for final in play.finals] == [960]


def test_skipped_windows_end_what_was_being_said():
    play = Play().speak(960)
    play.window += 100
    play.speak(960).rest(640)
    assert [(final.start_ms, final.end_ms) for final in play.finals] == [(0, 960), (4_160, 5_120)]


# --- finals ---------------------------------------------------------------------------------------------------


def test_a_final_that_failed_is_asked_for_once_more():
    play = Play(in_turn(failing, failing), settings=with_speech(first_interim_ms=9_000))
    play.speak(960).flush().wait(1.0)
    assert [job.kind for job in play.jobs()] == ["final", "final"]
    assert play.finals == []
    assert play.transcriber.is_idle


def test_finals_come_in_the_order_they_were_spoken():
    play = Play(lambda job: None if job.utterance_id == "u1" else said()(job))
    play.speak(960).rest(640).speak(960).rest(640)
    assert play.finals == []
    play.wait(SETTINGS.final_timeout_s)
    assert [final.utterance_id for final in play.finals] == ["u2"]


def test_a_recogniser_that_never_answers_leaves_the_last_interim():
    def answer(job):
        return said("so far")(job) if job.kind == "interim" else silent(job)

    play = Play(answer).speak(960).rest(640).wait(SETTINGS.final_timeout_s)
    (final,) = play.finals
    assert (final.text, final.end_ms, final.committed) == ("so far", 960, 6)
    assert play.jobs("speculative")[0].job_id in play.cancelled
    assert play.transcriber.is_idle


def test_nobody_waits_for_ever():
    play = Play(silent).speak(960).rest(640)
    assert play.transcriber.next_deadline() == pytest.approx((960 + 384) / 1000 + SETTINGS.final_timeout_s)
    play.wait(SETTINGS.final_timeout_s)
    assert play.finals == []
    assert play.transcriber.is_idle
    assert play.transcriber.next_deadline() is None


def test_after_the_process_was_gone_there_is_new_time_for_answers():
    play = Play(silent).speak(960).rest(640)
    play.transcriber.wait_anew(100.0)
    assert play.transcriber.tick(100.0) == []
    assert play.transcriber.next_deadline() == 100.0 + SETTINGS.final_timeout_s


def test_an_answer_nobody_waits_for_changes_nothing():
    play = Play().speak(640)
    assert play.transcriber.decoded(Decoded(job_id=999, hypothesis=Hypothesis(text="ghost")), play.now) == []
    assert Play().transcriber.decoded(Decoded(job_id=1, hypothesis=Hypothesis(text="ghost")), 0.0) == []


# --- belief ---------------------------------------------------------------------------------------------------


def test_an_invention_is_not_told():
    assert Play(said("[Music]")).speak(960).rest(640).finals == []


def test_an_invention_takes_back_what_was_shown():
    def answer(job):
        return said("hello")(job) if job.kind == "interim" else said("[Music]")(job)

    (final,) = Play(answer).speak(960).rest(640).finals
    assert (final.text, final.words, final.is_final) == ("", (), True)


def test_speech_shorter_than_a_word_is_not_believed():
    assert Play().speak(192).rest(640).finals == []


# --- context --------------------------------------------------------------------------------------------------


def test_the_speakers_last_finals_are_the_prompt():
    answer = in_turn(said("one"), said("two"), said("three"))
    play = Play(answer, prompt="names", settings=with_speech(first_interim_ms=9_000))
    for _ in range(4):
        play.speak(640).rest(640)
    assert [job.prompt for job in play.jobs()] == ["names", "one", "one two", "two three"]


def test_hotwords_go_with_every_job():
    play = Play(hotwords="Brightroof").speak(960).rest(640)
    assert {job.hotwords for job in play.jobs()} == {"Brightroof"}


def test_the_language_is_listened_for_until_it_is_certain():
    play = Play(language="auto", settings=with_speech(first_interim_ms=9_000))
    for _ in range(3):
        play.speak(1_920).rest(640)
    assert [job.language for job in play.jobs()] == ["auto", "auto", "en"]


# --- properties -----------------------------------------------------------------------------------------------

scripts = st.lists(st.tuples(st.integers(1, 70), st.sampled_from([VOICE, 0.4, SILENCE])), min_size=1, max_size=9).map(
    lambda runs: [score for length, score in runs for _ in range(length)]
)
moods = st.lists(st.sampled_from(["well", "fails", "silent"]), min_size=1, max_size=8)


def moody(names):
    """A recogniser that goes through its moods."""
    answers = {"well": said(), "fails": failing, "silent": silent}
    return lambda job: answers[names[job.job_id % len(names)]](job)


@given(scripts, moods, st.floats(0.01, 3.0))
@settings(max_examples=60, deadline=None)
def test_finals_are_ordered_once_each_and_never_outstay(scores, names, decode_s):
    play = Play(moody(names), decode_s).scores(scores).flush().wait(SETTINGS.final_timeout_s + 10)
    ids = [int(final.utterance_id[1:]) for final in play.finals]
    assert ids == sorted(set(ids))
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(play.finals))
    assert play.transcriber.is_idle
    assert play.transcriber.next_deadline() is None
    assert len({job.job_id for job in play.jobs()}) == len(play.jobs())


@given(scripts, st.floats(0.01, 3.0))
@settings(max_examples=60, deadline=None)
def test_every_second_of_speech_is_read_exactly_once(scores, decode_s):
    play = Play(decode_s=decode_s, settings=with_speech(min_voiced_ms=1)).scores(scores).flush().wait(20)
    read = {job.utterance_id: (job.start_ms, job.end_ms) for job in play.jobs("speculative", "final")}
    stretches = list(read.values())
    assert all(one[1] <= other[0] for one, other in pairwise(stretches))
    started = [fact.at_ms for fact in play.all(SpeechStarted)]
    ended = [fact.at_ms for fact in play.all(SpeechEnded)]
    assert len(started) == len(ended)
    for start, end in zip(started, ended, strict=True):
        covered = [(max(low, start), min(high, end)) for low, high in stretches if low < end and high > start]
        assert sum(high - low for low, high in covered) == end - start
    assert len(play.finals) <= len(stretches)
    assert all(final.end_ms - final.start_ms <= SETTINGS.vad.max_speech_ms for final in play.finals)


@given(scripts, st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_any_chunking_of_the_scores_gives_the_same_finals(scores, chunk):
    whole = Play().scores(scores).flush().wait(20)
    chunked = Play().scores(scores, chunk=chunk).flush().wait(20)
    assert [final.text for final in whole.finals] == [final.text for final in chunked.finals]


@given(scripts, moods)
@settings(max_examples=40, deadline=None)
def test_committed_text_only_grows(scores, names):
    shown: dict[str, str] = {}
    for interim in Play(moody(names)).scores(scores).interims:
        committed = interim.text[: interim.committed]
        assert committed.startswith(shown.get(interim.utterance_id, ""))
        shown[interim.utterance_id] = committed


def test_what_is_not_yet_final_is_known():
    play = Play(decode_s=1.0).rest(320)
    assert play.transcriber.unsettled_ms is None
    play.speak(960)
    assert play.transcriber.unsettled_ms == 320
    play.rest(640)
    assert play.transcriber.unsettled_ms == 320
    play.wait(1.0)
    assert play.transcriber.unsettled_ms is None
