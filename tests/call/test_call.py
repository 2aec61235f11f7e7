from __future__ import annotations

from collections import Counter, deque
from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.call.call import Call
from copilot.call.recording import encode_effects, replay
from copilot.errors import LocalProtocolError
from copilot.events import (
    AudioMissed,
    AudioReceived,
    CallEffect,
    CardAcked,
    CardRendered,
    Decode,
    Decoded,
    DtmfReceived,
    Finish,
    HungUp,
    Hypothesis,
    Marked,
    Paused,
    Publish,
    Recovered,
    Resumed,
    RolesSwapped,
    Score,
    ServiceDegraded,
    SpeechScored,
    StepTicked,
    StepWaived,
    SupervisorMessaged,
    TextReceived,
    Ticked,
)
from copilot.wire import messages as wire
from tests.call.rig import RATE_HZ, LoudIsSpeech, info, run, setup, talk

CHAT = info(kind="chat")


def of(kind: type, messages: list) -> list:
    return [message for message in messages if isinstance(message, kind)]


def said(speaker: str, text: str, at_s: float, seconds: float = 1.0) -> tuple[float, TextReceived]:
    end = at_s + seconds
    return end, TextReceived(speaker=speaker, text=text, start_ms=round(at_s * 1000), end_ms=round(end * 1000))


def test_a_spoken_objection_becomes_a_card_with_its_cause_and_a_complete_ledger():
    messages, _ = run(
        talk([(1, None), (2, 0), (1, None), (2, 1), (3, None)]),
        {0: ["my name is Ann"], 1: ["that is too expensive"]},
    )
    finals = of(wire.TranscriptFinal, messages)
    assert [(final.speaker, final.text) for final in finals] == [
        ("rep", "my name is Ann"),
        ("customer", "that is too expensive"),
    ]
    [card] = of(wire.CardRaised, messages)
    assert card.card.cue_id == "objection.price"
    assert card.caused_by == wire.CausedBy(
        utterance_id=finals[1].utterance_id,
        phrase_end_ms=card.caused_by.phrase_end_ms,
        quote="too expensive",
        speaker="customer",
    )
    assert finals[1].start_ms < card.caused_by.phrase_end_ms <= finals[1].end_ms
    ledger = card.ledger
    assert ledger.phrase_end <= ledger.recognised <= ledger.matched <= ledger.decided <= ledger.sent


def test_chinese_words_raise_the_same_card():
    messages, _ = run([said("customer", "这个太贵了吧", 0), (2, HungUp())], call_info=info(kind="chat", language="zh"))
    assert [card.card.cue_id for card in of(wire.CardRaised, messages)] == ["objection.price"]


def test_a_step_ticks_itself_and_opens_its_stage():
    messages, _ = run([said("rep", "Hello, my name is Ann", 0), (2, HungUp())], call_info=CHAT)
    [step, *_] = of(wire.StepChangedMessage, messages)
    assert (step.step_id, step.state, step.quote) == ("opening.intro", "done", "my name is")
    assert [stage.stage_id for stage in of(wire.StageChangedMessage, messages)] == ["opening"]


def test_a_step_not_done_in_time_warns_falls_due_and_raises_its_card():
    messages, _ = run([said("rep", "hello there", 0), (8, HungUp())], call_info=CHAT)
    states = [
        (step.state, step.pos_ms) for step in of(wire.StepChangedMessage, messages) if step.step_id == "opening.intro"
    ]
    assert states[:2] == [("warned", 3_000), ("overdue", 5_000)]
    [card] = of(wire.CardRaised, messages)
    assert card.card.cue_id == "opening.intro"
    assert card.caused_by is None


def test_media_deadlines_follow_the_audio_and_count_from_the_first_words():
    messages, _ = run(talk([(3, None), (1, 1), (7, None)]))
    begun = of(wire.TranscriptFinal, messages)[0].start_ms
    overdue = next(step for step in of(wire.StepChangedMessage, messages) if step.state == "overdue")
    assert begun + 5_000 <= overdue.pos_ms <= begun + 5_040


def test_without_a_word_nothing_is_late_and_no_card_is_shown():
    messages, _ = run(talk([(60, None)]))
    assert {type(message) for message in messages} <= {wire.CallOpened, wire.StepChangedMessage, wire.CallEnded}
    assert {step.state for step in of(wire.StepChangedMessage, messages)} == {"skipped"}


def test_the_last_words_before_hang_up_are_not_lost():
    messages, _ = run(talk([(1, None), (1.5, 1)]), {1: ["it is too expensive"]})
    assert of(wire.TranscriptFinal, messages)[-1].text == "it is too expensive"
    assert isinstance(messages[-1], wire.CallEnded)


def test_a_hole_in_the_audio_moves_the_timeline():
    script = [
        (1.0, AudioReceived(offset=0, payload=bytes(4 * RATE_HZ))),
        (1.1, AudioMissed(offset=RATE_HZ, samples=RATE_HZ)),
    ]
    messages, _ = run([*script, (1.2, HungUp())])
    assert messages[-1].totals.duration_ms == 2_000
    assert messages[-1].totals.gaps_ms == 1_000


def test_what_is_said_while_paused_is_not_heard():
    frames = list(talk([(1, None), (2, 1), (1, None), (2, 1), (1, None)]))
    script = sorted([*frames, (3.5, Paused(reason="pci")), (6.5, Resumed())], key=lambda item: item[0])
    messages, _ = run(script, {1: ["first", "second"]})
    assert [final.text for final in of(wire.TranscriptFinal, messages)] == ["first"]
    assert [(m.reason) for m in of(wire.CallPaused, messages)] == ["pci"]
    assert of(wire.CallResumed, messages)[0].paused_ms == 3_000


def test_pausing_finishes_the_words_being_said_and_counts_once():
    frames = list(talk([(1, None), (4, 1), (2, None)]))
    holds = [(3.0, Paused(reason="hold")), (3.1, Paused(reason="hold")), (3.2, Resumed()), (3.3, Resumed())]
    script = sorted([*frames, *holds], key=lambda item: item[0])
    messages, _ = run(script, {1: ["before", "after"]})
    assert [final.text for final in of(wire.TranscriptFinal, messages)] == ["before", "after"]
    assert len(of(wire.CallPaused, messages)) == len(of(wire.CallResumed, messages)) == 1


def test_swapped_roles_are_thought_through_again_from_the_beginning():
    script = [
        said("customer", "my name is Ann", 0),
        said("rep", "that is too expensive", 2),
        (4, RolesSwapped()),
        (6, HungUp()),
    ]
    messages, _ = run(script, call_info=CHAT)
    assert of(wire.CardRaised, messages) == []
    assert [revised.speaker for revised in of(wire.TranscriptRevised, messages)] == ["rep", "customer"]
    steps = {
        step.step_id: step.state
        for step in of(wire.StepChangedMessage, messages)
        if step.seq > of(wire.RolesSwappedMessage, messages)[0].seq
    }
    assert steps["opening.intro"] == "done"


def test_cards_answer_to_the_rep():
    script = [
        said("customer", "too expensive", 0),
        (1.5, CardRendered(card_id="c1")),
        (2, CardAcked(card_id="c1", action="used")),
        (3, HungUp()),
    ]
    messages, _ = run(script, call_info=CHAT)
    [closed] = of(wire.CardClosed, messages)
    assert (closed.card_id, closed.state) == ("c1", "acked")
    rendered = of(wire.CardUpdated, messages)[0]
    assert rendered.ledger.rendered == 1_500


def test_what_people_do_is_told():
    script = [
        (1, Marked(label="listen here", by="ann")),
        (2, SupervisorMessaged(text="slow down", by="bob")),
        (3, DtmfReceived(digit="5", speaker="customer")),
        (4, StepTicked(step_id="opening.intro", by="ann")),
        (4.5, StepWaived(step_id="close.ask", by="bob", reason="callback")),
        (5, ServiceDegraded(stage="storage", reason="storage.full")),
        (6, ServiceDegraded(stage="storage", reason="storage.full", restored=True)),
        (7, HungUp()),
    ]
    messages, _ = run(script, call_info=CHAT)
    assert of(wire.MarkSet, messages)[0].label == "listen here"
    assert of(wire.SupervisorMessage, messages)[0].sent_by == "bob"
    assert of(wire.DtmfHeard, messages)[0].digit == "5"
    states = {step.step_id: (step.state, step.by) for step in of(wire.StepChangedMessage, messages)}
    assert states["opening.intro"] == ("done", "ann")
    assert states["close.ask"] == ("waived", "bob")
    assert [type(m).__name__ for m in messages if "Service" in type(m).__name__] == [
        "ServiceDegradedMessage",
        "ServiceRestored",
    ]


def test_one_signal_on_both_channels_is_noticed_once():
    messages, _ = run([(at, twice(event)) for at, event in talk([(1, None), (6, 0), (1, None)])])
    assert [m.reason for m in of(wire.ServiceDegradedMessage, messages)] == ["identical_channels"]


def twice(event):
    """The left channel on both."""
    if not isinstance(event, AudioReceived):
        return event
    left = b"".join(event.payload[i : i + 2] * 2 for i in range(0, len(event.payload), 4))
    return AudioReceived(offset=event.offset, payload=left)


def test_a_recogniser_that_never_answers_does_not_keep_the_call_open():
    call = Call(info(), setup())
    for at, event in talk([(0.5, None), (1, 1)]):
        effects = call.receive(event, at)
        for effect in effects:
            assert not isinstance(effect, Finish)
    assert call.next_deadline() is not None
    effects = call.tick(call.next_deadline() + 60)
    assert isinstance(effects[-1], Finish)
    with pytest.raises(LocalProtocolError):
        call.receive(Ticked(), 99)


def test_words_shown_but_never_recognised_for_good_are_final_when_the_call_ends():
    call = Call(info(), setup())
    told: list[CallEffect] = []
    waiting = deque(event for _, event in talk([(0.5, None), (1.5, 1)]))
    for at_ms in count():  # every answer comes a moment after its question, as from a live driver
        if not waiting:
            break
        effects = call.receive(waiting.popleft(), at_ms / 1000)
        told += effects
        for effect in effects:
            if isinstance(effect, Score):
                scores, levels_db = LoudIsSpeech().score(call.windows(effect))
                scored = SpeechScored(
                    channel=effect.channel, first_window=effect.first_window, scores=scores, levels_db=levels_db
                )
                waiting.appendleft(scored)
            elif isinstance(effect, Decode) and effect.job.kind == "interim":
                words = Hypothesis(text="that is too expensive", language="en", avg_logprob=-0.2)
                waiting.appendleft(Decoded(job_id=effect.job.job_id, hypothesis=words))
    while (due := call.next_deadline()) is not None and not call.is_finished:
        told += call.tick(due)
    texts = [effect for effect in told if isinstance(effect, Publish) and effect.type.startswith("transcript")]
    assert [effect.type for effect in texts][-2:] == ["transcript.interim", "transcript.final"]


def test_finals_asked_for_before_a_crash_are_waited_for_anew():
    call = Call(info(), setup())
    asked: list[Decode] = []
    now = 0.0
    for now, event in talk([(0.5, None), (1.5, 1), (1, None)]):
        scores = [effect for effect in call.receive(event, now) if isinstance(effect, Score)]
        for effect in scores:
            heard, levels_db = LoudIsSpeech().score(call.windows(effect))
            scored = SpeechScored(
                channel=effect.channel, first_window=effect.first_window, scores=heard, levels_db=levels_db
            )
            asked += [each for each in call.receive(scored, now) if isinstance(each, Decode)]
    later = now + 60
    call.receive(Recovered(), later)
    due = call.next_deadline()
    assert due is not None
    assert due > later
    words = Hypothesis(text="that is too expensive", language="en", avg_logprob=-0.2)
    effects = call.receive(Decoded(job_id=asked[-1].job.job_id, hypothesis=words), later)
    assert "transcript.final" in [effect.type for effect in effects if isinstance(effect, Publish)]
    [second] = [effect.job for effect in effects if isinstance(effect, Decode)]
    assert second.kind == "revision"
    assert isinstance(call.receive(Decoded(job_id=second.job_id, error="shed"), later)[-1], Finish)


def test_empty_calls_end_well():
    for script in ([(0, HungUp())], [(0, HungUp()), (0, HungUp())], talk([(0.01, None)])):
        messages, _ = run(script)
        assert isinstance(messages[-1], wire.CallEnded)
        assert messages[-1].totals.utterances == 0


# --- properties ---------------------------------------------------------------------------------------------------

LINES = ["too expensive", "my name is Ann", "zero risk for you", "shall i book it", "okay", "太贵了", "我是小王"]
moments = st.floats(0, 40, allow_nan=False).map(lambda at: round(at, 2))
events = st.one_of(
    st.builds(lambda s, t: ("text", s, t), st.sampled_from(["rep", "customer"]), st.sampled_from(LINES)),
    st.builds(lambda i: ("event", CardRendered(card_id=f"c{i}")), st.integers(1, 6)),
    st.builds(
        lambda i, a: ("event", CardAcked(card_id=f"c{i}", action=a)),
        st.integers(1, 6),
        st.sampled_from(["used", "dismissed", "snoozed", "wrong"]),
    ),
    st.sampled_from(
        [
            ("event", Paused(reason="hold")),
            ("event", Resumed()),
            ("event", RolesSwapped()),
            ("event", Marked(label="x")),
            ("event", StepTicked(step_id="close.ask", by="me")),
            ("event", StepWaived(step_id="opening.intro", by="me")),
            ("event", DtmfReceived(digit="1")),
            ("event", Ticked()),
        ]
    ),
)


def script_of(steps: list) -> list:
    script = []
    for at, step in sorted(steps, key=lambda item: item[0]):
        script.append(said(step[1], step[2], at, 0.5) if step[0] == "text" else (at, step[1]))
    return [*sorted(script, key=lambda item: item[0]), (45.0, HungUp())]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(moments, events), max_size=25))
def test_whatever_happens_the_log_replays_exactly_and_the_promises_hold(steps):
    messages, machine = run(script_of(steps), call_info=CHAT)
    first = [encode_effects(effects) for _, effects in replay(CHAT, setup(), machine.entries)]
    second = [encode_effects(effects) for _, effects in replay(CHAT, setup(), machine.entries)]
    assert first == second
    effects = [e for _, batch in replay(CHAT, setup(), machine.entries) for e in batch]
    published = [bytes(effect.message) for effect in effects if isinstance(effect, Publish)]
    assert len(published) == len(messages)
    assert isinstance(effects[-1], Finish)
    assert [message.seq for message in messages] == list(range(1, len(messages) + 1))
    assert all(a.pos_ms <= b.pos_ms and a.emitted_at <= b.emitted_at for a, b in pairwise(messages))
    raised = Counter(m.card.id for m in of(wire.CardRaised, messages))
    closed = Counter(m.card_id for m in of(wire.CardClosed, messages))
    assert raised == closed
    assert set(raised.values()) <= {1}


@settings(max_examples=15, deadline=None)
@given(frame_ms=st.sampled_from([10, 20, 40, 100, 250]))
def test_any_framing_of_the_same_audio_gives_the_same_words_and_cards(frame_ms):
    plan = [(0.6, None), (1.6, 1), (0.9, None), (1.2, 0), (1.5, None)]
    lines = {0: ["my name is Ann"], 1: ["too expensive"]}
    messages, machine = run(talk(plan, frame_ms), lines)
    finals = [(f.speaker, f.start_ms, f.end_ms, f.text) for f in of(wire.TranscriptFinal, messages)]
    reference = [(f.speaker, f.start_ms, f.end_ms, f.text) for f in of(wire.TranscriptFinal, run(talk(plan), lines)[0])]
    assert finals == reference
    silent = [(now, event) for now, event in machine.entries]
    assert [encode_effects(e) for _, e in replay(info(), setup(), silent)] == [
        encode_effects(e) for _, e in replay(info(), setup(), without_sound(silent))
    ]


def without_sound(entries: list) -> list:
    """The same log with silence for sound: the core never looks at samples."""
    return [
        (now, AudioReceived(offset=e.offset, payload=bytes(len(e.payload))) if isinstance(e, AudioReceived) else e)
        for now, e in entries
    ]


def test_silence_in_a_chat_is_measured_too():
    text = """
schema: 1
id: small
version: 1.0.0
title: A small playbook
language: en
stages: [{id: opening, title: Opening}]
cues:
  - id: behaviour.dead_air
    kind: behaviour
    when: {metric: {name: dead_air_ms, above: 8000}}
    card: {headline: Ask a question}
"""
    messages, _ = run([said("rep", "hello there", 0), (20, HungUp())], call_info=CHAT, call_setup=setup(text))
    [card] = of(wire.CardRaised, messages)
    assert 9_000 <= card.pos_ms <= 12_000
