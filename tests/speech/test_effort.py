"""Less effort asks for less, in the order of the stages, and never changes what was asked before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.events import LOAD_STAGES, SpeechEnded, SpeechStarted
from copilot.speech.effort import SLOWED, Effort, effort_without
from tests.speech.engine import SETTINGS, SILENCE, VOICE, Play, failing, in_turn, said

UP_TO = [effort_without(LOAD_STAGES[:stage]) for stage in range(len(LOAD_STAGES) + 1)]


def test_each_stage_leaves_less():
    assert [
        Effort(),
        Effort(interims="slow"),
        Effort(interims="off"),
        Effort(interims="off", speculate=False, context=False),
        Effort(interims="off", speculate=False, context=False),
        Effort(interims="off", speculate=False, context=False, recognise=False),
    ] == UP_TO


def test_without_recognition_nothing_else_is_asked_for_either():
    assert effort_without(["record_only"]) == UP_TO[5]


def playing(effort: Effort, **options) -> Play:
    play = Play(**options)
    play.transcriber.effort = effort
    return play


def test_slow_interims_come_at_longer_intervals_and_every_final_comes():
    usual, slow = Play().speak(3_200).rest(640), playing(UP_TO[1]).speak(3_200).rest(640)
    assert [final.text for final in slow.finals] == [final.text for final in usual.finals]
    starts = [job.end_ms for job in slow.jobs("interim")]
    assert starts[0] >= SETTINGS.first_interim_ms * SLOWED
    assert starts[1] - starts[0] >= SETTINGS.interim_interval_ms * SLOWED


def test_without_interims_only_the_final_is_decoded():
    play = playing(UP_TO[2]).speak(3_200).rest(640)
    assert [job.kind for job in play.jobs()] == ["speculative"]
    assert len(play.finals) == 1


def test_a_small_recogniser_neither_guesses_nor_remembers():
    play = playing(UP_TO[3], prompt="solar panels")
    play.speak(960).rest(640).speak(960).rest(640)
    assert [(job.kind, job.prompt) for job in play.jobs()] == [("final", "solar panels")] * 2
    assert len(play.finals) == 2


def test_record_only_hears_who_speaks_but_not_what():
    play = playing(UP_TO[5]).speak(960).rest(1_600)
    assert play.jobs() == []
    assert play.finals == []
    assert (len(play.all(SpeechStarted)), len(play.all(SpeechEnded))) == (1, 1)
    assert play.transcriber.is_idle
    play.transcriber.effort = Effort()
    play.speak(960).rest(640)
    assert len(play.finals) == 1


def test_what_was_shown_when_recognition_stopped_is_what_remains():
    play = Play(said("hello there")).speak(1_600)
    assert play.interims
    play.transcriber.effort = UP_TO[5]
    play.rest(640)
    assert [final.text for final in play.finals] == ["hello there"]
    assert not play.jobs("final", "speculative")


def test_a_final_that_was_asked_for_before_is_still_told_but_not_asked_for_twice():
    play = Play(decode_s=1.0).speak(960).rest(640)
    play.transcriber.effort = UP_TO[5]
    assert len(play.wait(1.0).finals) == 1
    play = Play(in_turn(failing), decode_s=1.0, settings=SETTINGS)
    play.transcriber.effort = UP_TO[3]
    play.speak(960).rest(640)
    play.transcriber.effort = UP_TO[5]
    play.wait(2.0)
    assert len(play.jobs("final")) == 1
    assert play.transcriber.is_idle


@pytest.mark.parametrize("answer", [said(), failing])
@given(st.lists(st.tuples(st.sampled_from(UP_TO), st.sampled_from([VOICE, SILENCE]), st.integers(1, 40)), max_size=20))
def test_whatever_the_effort_no_utterance_stays_open_and_finals_come_in_order(answer, script):
    play = Play(answer)
    for effort, score, windows in script:
        play.transcriber.effort = effort
        play.scores([score] * windows)
    play.rest(960).flush().wait(30)
    assert play.transcriber.is_idle
    starts = [final.start_ms for final in play.finals]
    assert starts == sorted(starts)
    assert len({final.utterance_id for final in play.finals}) == len(play.finals)
