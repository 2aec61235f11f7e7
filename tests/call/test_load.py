"""A call that is told to do with less does so, says so, and replays the same."""

from __future__ import annotations

import heapq

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.backtest.virtual import VirtualRun
from copilot.call.call import Call, CallSetup
from copilot.call.load import Load
from copilot.call.recording import encode_effects, replay
from copilot.clock import FakeClock
from copilot.events import LOAD_STAGES, Decode, HungUp, Publish, RolesSwapped, ServiceDegraded, TextReceived
from copilot.playbook.compile import compile_playbook
from copilot.playbook.load import parse_playbook
from copilot.signals.listener import prepare
from copilot.wire import messages as wire
from tests.call.rig import LoudIsSpeech, Reader, info, run, setup, talk

TALK = [(0.5, None), (3, 0), (1, None), (3, 1), (1, None), (3, 0), (1, None), (3, 1), (1, None)]
SHORT = TALK[:5]
MEANING = """
schema: 1
id: small
version: 1.0.0
title: Small
language: en
stages: [{id: opening, title: Opening}]
signals:
  - {id: greeting, when: {examples: {like: [hello to you all]}}}
  - {id: price, when: {phrase: {any: [too expensive]}}}
"""


def overload(stage: str, *, restored: bool = False) -> ServiceDegraded:
    return ServiceDegraded(stage=stage, reason="overload", lag_ms=0 if restored else 1_500, restored=restored)


def during(first: str, at: float, until: float) -> list:
    """All stages up to ``first`` are given up at once, and given back at once."""
    stages = LOAD_STAGES[: LOAD_STAGES.index(first) + 1]
    return [(at, overload(stage)) for stage in stages] + [(until, overload(s, restored=True)) for s in stages[::-1]]


def play(told: list, plan=TALK):
    return run(heapq.merge(talk(plan), told, key=lambda entry: entry[0]))


def of(kind: type, messages: list) -> list:
    return [message for message in messages if isinstance(message, kind)]


def test_stages_are_said_out_loud_and_taken_back():
    messages, machine = play(during("record_only", 1, 9))
    assert [message.stage for message in of(wire.ServiceDegradedMessage, messages)] == list(LOAD_STAGES)
    assert [message.stage for message in of(wire.ServiceRestored, messages)] == list(LOAD_STAGES)[::-1]
    assert machine.call.without == ()


def test_while_only_recording_nothing_is_recognised_and_nothing_counts_as_missing():
    """The introduction is due after 5 s of conversation; nobody can say that it was not said."""
    lines = {0: ["good morning"], 1: ["yes"]}
    script = heapq.merge(talk([*TALK, (3, 0), (1, None)]), during("record_only", 4.2, 15.9), key=lambda entry: entry[0])
    messages, machine = run(script, lines)
    asked = [now for now, effects in replay(info(), setup(), machine.entries) for e in effects if isinstance(e, Decode)]
    assert not [now for now in asked if 4.2 <= now < 15.9]
    overdue = [m for m in of(wire.StepChangedMessage, messages) if m.state == "overdue"]
    assert overdue
    assert all(message.emitted_at >= "2026-03-01T09:00:17.000Z" for message in overdue)  # what was left of the 5 s
    assert of(wire.CallEnded, messages)[0].totals.gaps_ms == 0


def vectors(texts) -> np.ndarray:
    """Greetings point one way, everything else another."""
    rows = np.zeros((len(texts), 512), np.float32)
    rows[range(len(texts)), [0 if "hello" in text else 1 for text in texts]] = 1
    return rows


def understand(told: list):
    plan = compile_playbook(parse_playbook(MEANING))
    prepared = prepare(plan, vectors)
    encoded: list[tuple[str, ...]] = []

    def encode(texts: tuple[str, ...]) -> bytes:
        encoded.append(texts)
        return vectors(texts).astype("<f4").tobytes()

    call = Call(info(kind="chat"), CallSetup(plan=plan, prepared=prepared))
    machine = VirtualRun(call, scorers=[], transcribe=Reader({}), encode=encode, clock=FakeClock())
    lines = [
        (at, TextReceived(speaker="customer", text=text, start_ms=int(at * 1000) - 900, end_ms=int(at * 1000)))
        for at, text in ((1.0, "hello to you all"), (5.0, "it is too expensive"), (9.0, "hello to you all"))
    ]
    script = heapq.merge([*lines, (20.0, HungUp())], told, key=lambda entry: entry[0])
    decoder = msgspec.json.Decoder(wire.AnyCallMessage)
    messages = [decoder.decode(effect.message) for effect in machine.play(script)]
    return [(m.label, m.pos_ms // 1000) for m in of(wire.SignalHeard, messages)], len(encoded), machine


def test_without_semantics_phrases_are_still_heard_and_meanings_are_not_asked_for():
    assert understand([])[:2] == ([("greeting", 1), ("price", 5), ("greeting", 9)], 3)
    signals, encoded, _ = understand(during("semantic_off", 0.5, 8.0))
    assert (signals, encoded) == ([("price", 5), ("greeting", 9)], 1)


def test_a_swap_after_a_time_without_semantics_thinks_the_call_through_again():
    told = [*during("semantic_off", 0.5, 8.0), (12.0, RolesSwapped())]
    signals, _, machine = understand(told)
    assert signals[:2] == [("price", 5), ("greeting", 9)]
    assert machine.refused == []


events = st.lists(
    st.tuples(st.floats(0, 8), st.sampled_from(LOAD_STAGES), st.booleans()).map(
        lambda each: (each[0], overload(each[1], restored=each[2]))
    ),
    max_size=20,
).map(lambda entries: sorted(entries, key=lambda entry: entry[0]))


@settings(max_examples=12)
@given(events)
def test_a_degraded_call_replays_exactly(told):
    call = Call(info(), setup())
    ears = [LoudIsSpeech(), LoudIsSpeech()]
    machine = VirtualRun(call, scorers=ears, transcribe=Reader({}), encode=None, clock=FakeClock())
    script = heapq.merge(talk(SHORT, 200), told, key=lambda entry: entry[0])
    published = list(machine.play(script))
    again = [e for _, effects in replay(info(), setup(), machine.entries) for e in effects if isinstance(e, Publish)]
    assert encode_effects(again) == encode_effects(published)
    assert published[-1].type == "call.ended"


def test_what_is_not_about_load_changes_nothing():
    load = Load()
    assert not load.told(ServiceDegraded(stage="storage", reason="full"), 0, 0)
    assert load.told(overload("record_only"), 4_000, 5_000)
    assert load.told(overload("record_only"), 9_000, 9_000)
    assert (load.heard_ms(10_000), load.heard_ms(3_000)) == (4_000, 3_000)
    assert load.told(overload("record_only", restored=True), 4_000, 9_500)
    assert (load.heard_ms(10_000), load.unheard) == (10_000, (4_000, 9_500))
    assert load.told(overload("record_only", restored=True), 9_000, 9_500)
    assert load.unheard is None
