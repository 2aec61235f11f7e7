from __future__ import annotations

import pytest

from copilot.review.report import make_report
from copilot.wire import messages as wire
from tests.review.calls import TICK, Log, info, playbook

STAGES = [("talk", "Talk"), ("objection", "Objections"), ("close", "Close")]
BOOK = playbook("en", STAGES, [])


def report_of(log: Log, at_s: float = 200, reason: str = "completed", book=BOOK):
    return make_report(info(), book, log.end(at_s, reason))


def behaviour(log: Log):
    return {item.code: item for item in report_of(log).deviations.behaviour}


def test_a_polite_call_has_no_deviations():
    log = Log()
    for at in range(0, 100, 20):
        log.rep(at, at + 8, "How does that sound to you?")
        log.customer(at + 9, at + 19, "It sounds good to me.")
    report = report_of(log)
    assert report.deviations.content == report.deviations.behaviour == ()


@pytest.mark.parametrize(("rep_s", "severity"), [(62, "medium"), (70, "high")])
def test_talk_ratio_shows_the_longest_lines(rep_s, severity):
    log = Log()
    for index in range(10):
        log.rep(index * 10, index * 10 + rep_s / 10, f"Line {index}.")
        log.customer(index * 10 + rep_s / 10 + 0.5, index * 10 + 10 - 0.5 + (0.7 if index else 0), "Well, then.")
    finding = behaviour(log)["talk_ratio"]
    assert finding.severity == severity
    assert len(finding.evidence) == 3


def test_talk_ratio_of_a_few_seconds_says_nothing():
    log = Log()
    log.rep(0, 9, "A long line.")
    log.customer(9.5, 11, "Well, then.")
    assert "talk_ratio" not in behaviour(log)


@pytest.mark.parametrize(("long_s", "severity"), [(61, "medium"), (121, "high")])
def test_monologue(long_s, severity):
    log = Log()
    log.rep(0, long_s, "On and on.")
    finding = behaviour(log)["monologue"]
    assert (finding.severity, len(finding.evidence)) == (severity, 1)


def test_dead_air_stands_between_two_lines():
    log = Log()
    log.rep(0, 2, "One moment.")
    log.customer(10, 12, "Are you there?")
    finding = behaviour(log)["dead_air"]
    assert [evidence.quote for evidence in finding.evidence] == ["One moment.", "Are you there?"]
    assert (finding.span.start_ms, finding.span.end_ms) == (2000, 10_000)


def test_pace_names_its_limit_and_its_lines():
    log = Log()
    log.rep(0, 20, "word " * 70)
    finding = behaviour(log)["pace"]
    assert finding.title.en == "Too fast: 210 words/min"
    assert "180" in finding.advice.zh


@pytest.mark.parametrize(("turns", "found"), [(2, False), (4, True)])
def test_patience_needs_enough_gaps(turns, found):
    log = Log()
    for index in range(turns):
        log.customer(index * 10, index * 10 + 4, "I was wondering.")
        log.rep(index * 10 + 4.1 + index / 100, index * 10 + 8, "Of course you were.")
    assert ("patience" in behaviour(log)) is found


def objection(*replies: tuple[str, str], stage: str = "", reason: str = "completed", buying: int = 0, more: int = 0):
    log = Log()
    log.stage("talk", at_s=0)
    said = log.customer(0, 2, "That is too expensive.")
    log.signal("objection.price", said, "too expensive")
    log.signal("objection.price", said, "expensive")
    for index, (speaker, text) in enumerate(replies, 1):
        name = log.say(speaker, index * 5, index * 5 + 3, text)
        if index == buying:
            log.signal("signal.buying", name, text)
        if index == more:
            log.signal("objection.trust", name, text)
        if index == 1 and stage:
            log.stage(stage, name)
    report = report_of(log, reason=reason)
    codes = [item.code for item in report.deviations.content if item.subject == "objection.price"]
    row = report.objections[0]
    return row.recovered, codes, row


def test_an_objection_is_recovered_by_a_customer_who_goes_along():
    recovered, codes, row = objection(("rep", "It is a pound a day."), ("customer", "That sounds better."))
    assert (recovered, codes) == (True, [])
    assert (row.answer.quote, row.reaction.quote) == ("It is a pound a day.", "That sounds better.")
    assert row.title.zh == "价格"


def test_an_objection_is_not_recovered_by_refusals_and_further_objections():
    assert objection(("rep", "A pound a day."), ("customer", "No, I can't."))[:2] == (
        False,
        ["objection.not_recovered"],
    )
    assert objection(("rep", "A pound a day."), ("customer", "It is a scam."), more=2)[0] is False
    four = [
        ("rep", "But."),
        ("customer", "No."),
        ("rep", "But."),
        ("customer", "No."),
        ("rep", "So?"),
        ("customer", "Fine."),
    ]
    assert objection(*four)[0] is False


def test_a_buying_signal_outweighs_a_no():
    reply = ("customer", "I don't see why I should wait, send the contract.")
    assert objection(("rep", "A pound a day."), reply, buying=2)[0] is True


def test_progress_to_a_later_stage_counts_until_the_customer_refuses():
    assert objection(("rep", "Shall I book it?"), stage="close")[0] is True
    assert objection(("rep", "Shall I book it?"), ("customer", "No."), stage="close")[0] is False
    assert objection(("rep", "I hear you."), stage="objection")[0] is None


def test_an_objection_nobody_answered():
    assert objection()[:2] == (None, ["objection.unanswered"])
    assert objection(reason="interrupted")[:2] == (None, [])


def test_the_same_objection_in_another_turn_is_another_row():
    log = Log()
    for index in range(2):
        said = log.customer(index * 10, index * 10 + 2, "Too expensive. Far too expensive!")
        log.signal("objection.price", said, "Too expensive")
        log.signal("objection.price", said, "Far too expensive")
        log.rep(index * 10 + 3, index * 10 + 5, "It pays for itself.")
    assert len(report_of(log).objections) == 2


def test_an_objection_in_a_backchannel_is_no_turn():
    log = Log()
    said = log.customer(0, 0.5, "Really.")
    log.signal("objection.trust", said, "Really")
    assert report_of(log).objections == ()


def test_forbidden_wording_comes_from_signals_and_from_cards_of_authors_own_cues():
    card = {"headline": "Take it back"}
    cues = [
        {"id": "house.rule", "when": TICK, "card": card, "kind": "compliance"},
        {
            "id": "house.missing",
            "when": {"event": {"is": "stage_entered", "stage": "talk"}},
            "card": card,
            "kind": "compliance",
        },
        {"id": "house.named", "when": {"any": [{"signal": "bad.word"}, TICK]}, "card": card, "kind": "compliance"},
    ]
    signals = [{"id": "bad.word", "when": TICK, "title": "Bad word"}]
    book = playbook("en", STAGES, [], cues=cues, signals=signals)
    log = Log()
    said = log.rep(0, 5, "It is magic and a miracle and a steal.")
    log.card("house.rule", "compliance", "Take it back", said, "magic", "rep")
    log.card("house.rule", "compliance", "Take it back", said, "miracle", "rep", suppressed="cooldown")
    log.card("house.rule", "compliance", "Late", "", "")
    log.card("house.missing", "compliance", "You forgot something", said, "It is", "rep")
    log.signal("bad.word", said, "a steal", "rep")
    found = report_of(log, book=book).deviations.content
    assert {item.subject: len(item.evidence) for item in found} == {"house.rule": 2, "bad.word": 1}
    assert found[0].title.en == "Forbidden wording, 1 ×: Bad word"


def test_pauses_and_impairments_still_open_end_with_the_call():
    log = Log()
    log.rep(0, 1, "Hold on.")
    log.put(wire.CallPaused, 5, reason="pci")
    log.put(wire.ServiceDegradedMessage, 6, stage="asr", reason="queue", lag_ms=10)
    quality = report_of(log, 20).quality
    assert (quality.pauses[0].span.end_ms, quality.pauses[0].paused_ms) == (20_000, None)
    assert (quality.impairments[0].span.end_ms, quality.impairments[0].is_restored) == (20_000, False)
