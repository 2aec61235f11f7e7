"""Finals are read again: what is stored gets better, what was shown stays as it was."""

from __future__ import annotations

from collections import defaultdict

import msgspec
import numpy as np
import pytest

from copilot.backtest.virtual import VirtualRun
from copilot.call.call import Call, CallSetup
from copilot.call.recording import encode_effects, replay
from copilot.clock import FakeClock
from copilot.config import SpeechSettings
from copilot.events import (
    CancelDecode,
    Decode,
    Decoded,
    DecodeJob,
    Finish,
    HungUp,
    Hypothesis,
    Publish,
    Recovered,
    RolesSwapped,
    Score,
    ServiceDegraded,
    SpeechScored,
    Ticked,
    Word,
)
from copilot.playbook.load import parse_playbook
from copilot.review.evidence import check_evidence
from copilot.review.report import make_report
from copilot.server.recovery import Unanswered
from copilot.wire import messages as wire
from copilot.wire.standing import as_it_stands
from tests.call.rig import PLAYBOOK, LoudIsSpeech, info, setup, talk

GAP_MS = 200
PLAN = [(1, None), (3, 0), (1, None), (3, 1), (1, None), (3, 0), (1, None), (3, 1), (2, None)]
LIVE = {
    "en": {
        0: ["my name is Anne from north link", "there with me a second"],
        1: ["that is too expensive for leaves", "I will have a book"],
    },
    "zh": {0: ["您好我是小王", "那真是辛苦年龙"], 1: ["这个带款太贵了", "钱不是问题我用不上带款"]},
}
AGAIN = {
    "en": {
        0: ["My name is Anne from Northlink Broadband.", "Bear with me a second."],
        1: ["That is too expensive for us.", "I will have a look."],
    },
    "zh": {
        0: ["您好，我是小王。", "那真是辛苦您了。"],
        1: ["这个贷款太贵了。", "钱不是问题，我用不上贷款。"],
    },
}


class Twice:
    """A recogniser that reads each channel's lines live, and better the second time."""

    def __init__(self, live: dict[int, list[str]], again: dict[int, list[str]], language: str = "en") -> None:
        self._live, self._again, self._language = live, again, language
        self._order: dict[int, dict[str, tuple[int, int]]] = defaultdict(dict)
        self.revisions: list[DecodeJob] = []

    def __call__(self, job: DecodeJob, samples: np.ndarray) -> Hypothesis:
        if job.kind == "revision":
            return self._second(job, samples)
        self._order[job.channel][job.utterance_id] = (job.start_ms, job.end_ms)
        number = list(self._order[job.channel]).index(job.utterance_id)
        return self._said([(job.start_ms, job.end_ms, self._live[job.channel][number])], 0.7)

    def _second(self, job: DecodeJob, samples: np.ndarray) -> Hypothesis:
        self.revisions.append(job)
        length_ms = sum(end - begin for begin, end in job.spans) + GAP_MS * (len(job.spans) - 1)
        assert len(samples) == length_ms * 16
        spoken, at = [], job.start_ms
        for begin, end in job.spans:
            for (start, stop), text in zip(self._order[job.channel].values(), self._again[job.channel], strict=False):
                if begin <= start and stop <= end:
                    spoken.append((at + start - begin, at + stop - begin, text))
            at += end - begin + GAP_MS
        return self._said(spoken, 0.95)

    def _said(self, spoken: list[tuple[int, int, str]], probability: float) -> Hypothesis:
        words = []
        for start, stop, text in spoken:
            units = text.split() if self._language == "en" else list(text)
            step = (stop - start - 400) // len(units)
            words += [
                Word(
                    text=unit,
                    start_ms=start + 200 + index * step,
                    end_ms=start + 200 + (index + 1) * step,
                    probability=probability,
                )
                for index, unit in enumerate(units)
            ]
        text = (" " if self._language == "en" else "").join(text for _, _, text in spoken)
        return Hypothesis(text=text, language=self._language, words=tuple(words), avg_logprob=-0.2)


def settings(**changes: object) -> CallSetup:
    return msgspec.structs.replace(setup(), speech=SpeechSettings(**changes))


def play(script, twice: Twice, call_setup: CallSetup | None = None, language: str = "en"):
    call = Call(info(language=language), call_setup or setup())
    run = VirtualRun(call, scorers=[LoudIsSpeech(), LoudIsSpeech()], transcribe=twice, encode=None, clock=FakeClock())
    decoder = msgspec.json.Decoder(wire.AnyCallMessage)
    return [decoder.decode(effect.message) for effect in run.play(script)], run


def of(kind: type, messages: list) -> list:
    return [message for message in messages if isinstance(message, kind)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_stored_is_the_better_reading(language):
    twice = Twice(LIVE[language], AGAIN[language], language)
    messages, _ = play(talk(PLAN), twice, language=language)
    assert [job.channel for job in twice.revisions] == [0, 1]
    revised = of(wire.TranscriptRevised, messages)
    assert {each.reason for each in revised} == {"second_pass"}
    assert all(each.confidence == 0.95 and each.words for each in revised)
    stored = sorted(as_it_stands(messages).values(), key=lambda line: line.start_ms)
    expected = [AGAIN[language][channel][number] for number in (0, 1) for channel in (0, 1)]
    if language == "zh":
        expected[0] = LIVE["zh"][0][0]  # the same but for marks: nothing to revise
    assert [line.text for line in stored] == expected
    assert isinstance(messages[-1], wire.CallEnded)
    assert all(line.start_ms <= word.start_ms <= word.end_ms <= line.end_ms for line in stored for word in line.words)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_cards_steps_and_signals_are_those_of_a_call_without_a_second_pass(language):
    def told(mode: str) -> list[tuple[object, ...]]:
        messages, _ = play(
            talk(PLAN), Twice(LIVE[language], AGAIN[language], language), settings(second_pass=mode), language
        )
        kinds = (wire.CardRaised, wire.CardClosed, wire.CardSuppressed, wire.StepChangedMessage, wire.SignalHeard)
        unstamped = [msgspec.to_builtins(each) for each in of(kinds, messages)]
        return [{key: value for key, value in each.items() if key != "seq"} for each in unstamped]

    assert told("on") == told("off")
    assert any("card" in each for each in told("on"))


def test_words_that_something_was_concluded_from_stay():
    again = {
        0: ["My aim is Anne from Northlink.", "Bear with me."],
        1: ["That is too expansive for us.", "I will look."],
    }
    messages, _ = play(talk(PLAN), Twice(LIVE["en"], again))
    stored = [line.text for line in as_it_stands(messages).values()]
    assert "my name is Anne from north link" in stored
    assert "that is too expensive for leaves" in stored
    report = make_report(info(), parse_playbook(PLAYBOOK), messages)
    assert report.objections
    assert check_evidence(report) == ()


def test_evidence_holds_in_the_better_text():
    messages, _ = play(talk(PLAN), Twice(LIVE["en"], AGAIN["en"]))
    report = make_report(info(), parse_playbook(PLAYBOOK), messages)
    assert check_evidence(report) == ()
    [objection] = report.objections
    [line] = [line for line in report.transcript if line.utterance_id == objection.evidence.utterance_id]
    assert (line.text, line.is_revised, line.confidence) == ("That is too expensive for us.", True, 0.95)
    assert objection.evidence.quote == "too expensive"


def test_a_swap_of_roles_keeps_the_better_text():
    twice = Twice(LIVE["en"], AGAIN["en"])
    script = [*talk([*PLAN, (14, None), (3, 0), (2, None)])]
    twice._live[0].append("are you still there")
    twice._again[0].append("Are you still there?")
    at, _ = script[-1]
    messages, run = play([*script[:-1], (at, RolesSwapped()), (at, HungUp())], twice, settings())
    assert run.call.is_finished
    roles = [each for each in of(wire.TranscriptRevised, messages) if each.reason == "roles"]
    assert [each.speaker for each in roles][:2] == ["customer", "rep"]
    stored = [line.text for line in as_it_stands(messages).values()]
    assert "Bear with me a second." in stored


def test_a_replay_gives_the_same_call_byte_for_byte():
    _, run = play(talk(PLAN), Twice(LIVE["en"], AGAIN["en"]))
    runs = [[encode_effects(effects) for _, effects in replay(info(), setup(), run.entries)] for _ in range(2)]
    assert runs[0] == runs[1]
    assert any(b"second_pass" in effects for effects in runs[0])


# --- the shell asks, fails, is late, crashes -----------------------------------------------------------------------


class Hand:
    """A call played by hand: live decodes are answered at once, revisions are collected."""

    def __init__(self, call_setup: CallSetup | None = None) -> None:
        self.call = Call(info(), call_setup or setup())
        self.twice = Twice(LIVE["en"], AGAIN["en"])
        self.entries: list = []
        self.effects: list = []
        self.revisions: list[Decode] = []
        self.now = 0.0

    def take(self, event, now: float | None = None) -> list:
        self.now = self.now if now is None else now
        self.entries.append((self.now, event))
        effects = self.call.receive(event, self.now)
        self.effects += effects
        for effect in effects:
            if isinstance(effect, Score):
                heard, levels = LoudIsSpeech().score(self.call.windows(effect))
                self.take(
                    SpeechScored(
                        channel=effect.channel, first_window=effect.first_window, scores=heard, levels_db=levels
                    )
                )
            elif isinstance(effect, Decode) and effect.job.kind == "revision":
                self.revisions.append(effect)
            elif isinstance(effect, Decode):
                self.take(self.answer(effect))
        return effects

    def answer(self, effect: Decode) -> Decoded:
        return Decoded(job_id=effect.job.job_id, hypothesis=self.twice(effect.job, self.call.samples(effect)))

    def play(self, plan=PLAN) -> Hand:
        for now, event in talk(plan):
            self.take(event, now)
        return self

    @property
    def revised(self) -> list[str]:
        return [effect.type for effect in self.effects if isinstance(effect, Publish) and "revised" in effect.type]


def test_hanging_up_waits_so_long_and_no_longer():
    hand = Hand(settings(revision_wait_s=3.0)).play()
    assert len(hand.revisions) == 2
    assert not hand.call.is_finished
    waited = hand.now + 3.0
    assert hand.call.next_deadline() <= waited
    hand.take(Ticked(), waited - 0.1)
    assert not hand.call.is_finished
    effects = hand.take(Ticked(), waited)
    assert [effect.job_id for effect in effects if isinstance(effect, CancelDecode)] == [
        each.job.job_id for each in hand.revisions
    ]
    assert isinstance(effects[-1], Finish)
    assert hand.revised == []


def test_hanging_up_waits_no_longer_than_it_must():
    hand = Hand().play()
    for effect in hand.revisions:
        assert not hand.call.is_finished
        hand.take(hand.answer(effect), hand.now + 0.5)
    assert hand.call.is_finished
    assert hand.revised


def test_a_recogniser_without_time_is_not_waited_for():
    hand = Hand().play()
    for effect in hand.revisions:
        hand.take(Decoded(job_id=effect.job.job_id, error="shed"))
    assert hand.call.is_finished
    assert hand.revised == []


def test_nothing_is_read_again_under_overload_and_nothing_is_waited_for():
    hand = Hand()
    hand.take(ServiceDegraded(stage="recogniser_small", reason="overload"), 0.0)
    hand.play()
    assert hand.call.is_finished
    assert hand.revisions == []


def test_a_reading_that_takes_too_long_is_given_up_while_the_call_goes_on():
    hand = Hand(settings(revision_timeout_s=5.0))
    script = [*talk([*[(3, 0), (1, None)] * 9, (8, None)])]
    hand.twice._live = {0: ["so it goes"] * 9}
    for now, event in script[:-1]:
        hand.take(event, now)
    [asked] = hand.revisions
    assert hand.call.next_deadline() == pytest.approx(asked.job.due)
    effects = hand.take(Ticked(), asked.job.due)
    assert CancelDecode(job_id=asked.job.job_id) in effects
    assert hand.take(Decoded(job_id=asked.job.job_id, error="late")) == []


def test_a_crash_while_a_reading_is_outstanding_loses_nothing():
    hand = Hand().play()
    unanswered, again = Unanswered(), Call(info(), setup())
    for now, event in hand.entries:
        unanswered.answered(event)
        unanswered.asked(again.receive(event, now))
    assert unanswered.effects == hand.revisions
    later = hand.now + 100
    again.receive(Recovered(), later)
    assert not again.is_finished
    effects = []
    for effect in unanswered.effects:
        assert np.array_equal(again.samples(effect), hand.call.samples(effect))
        effects += again.receive(hand.answer(effect), later)
    assert [effect.type for effect in effects if isinstance(effect, Publish)].count("transcript.revised") == 4
    assert isinstance(effects[-1], Finish)


def test_the_audio_kept_for_reading_again_is_bounded_and_let_go():
    hand = Hand(settings(second_pass="on"))
    hand.twice._live = {0: ["so it goes"] * 60, 1: []}
    most = 0
    for now, event in [*talk([(3, 0), (1, None)] * 40)][:-1]:
        hand.take(event, now)
        most = max(most, hand.call.audio_bytes)
        if hand.revisions and now > 100:
            hand.take(Decoded(job_id=hand.revisions.pop().job.job_id, error="asr.failed"))
    assert most < 8_000_000
    assert hand.call.audio_bytes < 5_000_000
