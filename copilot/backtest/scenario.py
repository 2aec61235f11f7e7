"""Scenarios: small written conversations inside a playbook, with what the playbook must make of them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from copilot.backtest.virtual import Encode, VirtualRun
from copilot.call.call import Call, CallSetup
from copilot.clock import FakeClock
from copilot.errors import LocalProtocolError
from copilot.events import CallEvent, CallInfo, DecodeJob, HungUp, Hypothesis, Language, Speaker, TextReceived
from copilot.playbook.model import Expect, Scenario
from copilot.wire import messages as wire

EN_WORD_S = 0.36
ZH_CHARACTER_S = 0.22
"""How long a spoken word or character lasts in a scenario: about 165 words and 270 characters a minute."""
PAUSE_S = 0.5
TAIL_S = 2.0


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An expectation that was not met, and what happened instead."""

    scenario: str
    expectation: str
    happened: str


class Timed(msgspec.Struct, frozen=True, kw_only=True):
    """One turn on the time axis, seconds."""

    speaker: Speaker
    text: str
    start_s: float
    end_s: float


def run_scenario(
    scenario: Scenario, setup: CallSetup, encode: Encode | None, language: Language
) -> tuple[list[Failure], list[wire.CallMessage]]:
    """Play one scenario through the same engine as a live call; returns what failed and all messages."""
    info = CallInfo(
        call_id="scenario",
        started_at="2026-01-01T00:00:00.000Z",
        kind="chat",
        language=language,
        playbook_id=setup.plan.playbook.id,
        playbook_version=setup.plan.playbook.version,
        context=scenario.context,
    )
    turns = list(timed_turns(scenario, language))
    run = VirtualRun(Call(info, setup), scorers=[], transcribe=_no_audio, encode=encode, clock=FakeClock(), workers=1)
    decoder = msgspec.json.Decoder(wire.AnyCallMessage)
    messages: list[wire.CallMessage] = [decoder.decode(each.message) for each in run.play(_script(scenario, turns))]
    failures = [
        Failure(scenario=scenario.name, expectation=describe(expect), happened=said)
        for expect in scenario.expect
        if (said := _check(expect, turns, messages)) is not None
    ]
    return failures, messages


def timed_turns(scenario: Scenario, language: Language) -> Iterator[Timed]:
    """Place the turns in time: each as long as it takes to say, half a second apart unless told otherwise."""
    clock = 0.0
    for turn in scenario.turns:
        speaker: Speaker = "rep" if turn.rep is not None else "customer"
        text = turn.rep if turn.rep is not None else turn.customer or ""
        start = turn.at_s if turn.at_s is not None else clock + PAUSE_S + (turn.wait_s or 0.0)
        end = start + (turn.for_s or max(0.4, _spoken_s(text, language)))
        yield Timed(speaker=speaker, text=text, start_s=start, end_s=end)
        clock = end


def describe(expect: Expect) -> str:
    """An expectation in words."""
    stated = msgspec.to_builtins(expect)
    return ", ".join(f"{key} {value}" for key, value in stated.items() if value is not None)


def _spoken_s(text: str, language: Language) -> float:
    chinese = sum("\u4e00" <= character <= "\u9fff" for character in text)
    words = len(text.split())
    return chinese * ZH_CHARACTER_S if chinese > words or language == "zh" else words * EN_WORD_S


def _script(scenario: Scenario, turns: list[Timed]) -> Iterator[tuple[float, CallEvent]]:
    for turn in turns:
        yield (
            turn.end_s,
            TextReceived(
                speaker=turn.speaker,
                text=turn.text,
                start_ms=round(turn.start_s * 1000),
                end_ms=round(turn.end_s * 1000),
            ),
        )
    last = max((turn.end_s for turn in turns), default=0.0)
    yield last + TAIL_S + max((expect.within_s or 0.0 for expect in scenario.expect), default=0.0), HungUp()


def _check(expect: Expect, turns: list[Timed], messages: list[wire.CallMessage]) -> str | None:
    """None when met, else what happened instead."""
    after_ms = round(turns[expect.after_turn - 1].start_s * 1000) if expect.after_turn else 0
    ended_ms = round(turns[expect.after_turn - 1].end_s * 1000) if expect.after_turn else 0
    before_ms = ended_ms + round(expect.within_s * 1000) if expect.within_s else None
    span = [m for m in messages if m.pos_ms >= after_ms and (before_ms is None or m.pos_ms <= before_ms)]
    cards = [m.card.cue_id for m in span if isinstance(m, wire.CardRaised)]
    signals = [m.label for m in span if isinstance(m, wire.SignalHeard)]
    stages = [m.stage_id for m in span if isinstance(m, wire.StageChangedMessage)]
    if expect.card is not None and expect.card not in cards:
        return f"cards: {', '.join(cards) or 'none'}{_held_back(expect.card, span)}"
    if expect.no_card is not None and expect.no_card in cards:
        return f"{expect.no_card} was shown"
    if expect.signal is not None and expect.signal not in signals:
        return f"signals: {', '.join(signals) or 'none'}"
    if expect.no_signal is not None and expect.no_signal in signals:
        return f"{expect.no_signal} was heard"
    if expect.stage is not None and expect.stage not in stages:
        return f"stages: {', '.join(stages) or 'none'}"
    return _check_step(expect, messages, before_ms)


def _check_step(expect: Expect, messages: list[wire.CallMessage], before_ms: int | None) -> str | None:
    if expect.step is None:
        return None
    state = "unknown step"
    for message in messages:
        if isinstance(message, wire.CallOpened):
            state = next((step.state for step in message.steps if step.id == expect.step), state)
        elif isinstance(message, wire.StepChangedMessage) and message.step_id == expect.step:
            late = before_ms is not None and message.pos_ms > before_ms
            # The end of the scenario is not the end of the conversation it was cut from.
            if not late and message.state != "skipped":
                state = message.state
    wanted = expect.state or "done"
    return None if state == wanted else f"{expect.step} is {state}"


def _held_back(cue_id: str, span: list[wire.CallMessage]) -> str:
    reasons = [m.reason for m in span if isinstance(m, wire.CardSuppressed) and m.card.cue_id == cue_id]
    return f" ({cue_id} was held back: {', '.join(reasons)})" if reasons else ""


def _no_audio(job: DecodeJob, _: object) -> Hypothesis:
    raise LocalProtocolError("scenario.audio", f"a scenario has no audio to decode ({job.utterance_id})")
