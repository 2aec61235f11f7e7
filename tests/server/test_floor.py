from __future__ import annotations

from copilot.events import LOAD_STAGES, AudioMissed, HungUp, Paused, Resumed, ServiceDegraded, TextReceived
from copilot.server.floor import Floor
from copilot.wire import messages as wire
from tests.call.rig import info, run


def said(speaker: str, text: str, at_s: float) -> tuple[float, TextReceived]:
    return at_s, TextReceived(speaker=speaker, text=text, start_ms=round(at_s * 1000) - 500, end_ms=round(at_s * 1000))


def fold(script: list, floor: Floor, call_id: str = "call_1") -> list:
    messages, _ = run(script, call_info=info(kind="chat", call_id=call_id, rep_id="ann"))
    return [update for message in messages for update in floor.observe(message)]


def test_a_call_appears_changes_and_goes():
    updates = fold([said("customer", "this is too expensive", 1), (3, HungUp())], Floor())
    lines = [update.call for update in updates if isinstance(update, wire.FloorUpdated)]
    assert lines[0].rep_id == "ann"
    assert lines[0].steps == 2
    assert any(line.last_line == "this is too expensive" and line.open_cards == ("objection.price",) for line in lines)
    assert isinstance(updates[-1], wire.FloorRemoved)


def test_the_call_that_needs_somebody_most_comes_first():
    floor = Floor()
    calm = run([said("rep", "my name is Ann", 1), (2, HungUp())], call_info=info(kind="chat", call_id="calm"))[0]
    risky = run([said("rep", "there is zero risk", 1), (2, HungUp())], call_info=info(kind="chat", call_id="risky"))[0]
    alerts = []
    for message in [*calm, *risky]:
        if not isinstance(message, wire.CallEnded | wire.CardClosed):
            alerts += [update for update in floor.observe(message) if isinstance(update, wire.FloorAlert)]
    calls = floor.snapshot().calls
    assert [call.call_id for call in calls] == ["risky", "calm"]
    assert calls[0].reasons[0] == "card:compliance.forbidden"
    assert [(alert.call_id, alert.code) for alert in alerts] == [("risky", "compliance.forbidden")]


def test_overdue_steps_pauses_and_trouble_show():
    floor = Floor()
    script = [
        said("customer", "hello", 0.5),
        (1, Paused(reason="hold")),
        (2, Resumed()),
        (3, ServiceDegraded(stage="storage", reason="storage.full")),
        (4, ServiceDegraded(stage="storage", reason="storage.full", restored=True)),
        (9, AudioMissed(offset=0, samples=1)),
        (10, HungUp()),
    ]
    updates = fold(script, floor)
    lines = [update.call for update in updates if isinstance(update, wire.FloorUpdated)]
    assert {line.pos_ms // 1_000: line.paused for line in lines if line.pos_ms in (1_000, 2_000)} == {1: True, 2: False}
    assert {line.degraded for line in lines} == {True, False}
    assert any("step:opening.intro" in line.reasons for line in lines)
    assert any(isinstance(update, wire.FloorAlert) and update.code == "service.storage.full" for update in updates)


def test_messages_of_calls_it_never_saw_open_are_ignored():
    floor = Floor()
    messages, _ = run([said("customer", "too expensive", 1), (2, HungUp())], call_info=info(kind="chat"))
    assert [floor.observe(message) for message in messages[1:]] == [[]] * (len(messages) - 1)
    floor.observe(messages[0])
    floor.forget("call_1")
    assert floor.snapshot().calls == ()


def test_what_every_call_does_without_is_shown_but_alerts_nobody():
    floor = Floor()
    told = [(1 + at, ServiceDegraded(stage=stage, reason="overload", lag_ms=9)) for at, stage in enumerate(LOAD_STAGES)]
    back = (9, ServiceDegraded(stage="record_only", reason="overload", restored=True))
    updates = fold([*told, back, (10, HungUp())], floor)
    lines = [update.call for update in updates if isinstance(update, wire.FloorUpdated)]
    assert LOAD_STAGES in {line.impaired for line in lines}
    assert lines[-1].impaired == LOAD_STAGES[:4]
    assert [update.code for update in updates if isinstance(update, wire.FloorAlert)] == ["service.record_only"]
    pressed = {line.impaired: line.reasons for line in lines}
    assert "service:record_only" in pressed[LOAD_STAGES]
    assert not [reason for reason in pressed[LOAD_STAGES[:4]] if reason.startswith("service:")]
