"""Whole reports: golden files, small and broken calls, the evidence lock, both languages."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.events import Evidence, Ledger
from copilot.review.evidence import all_evidence, check_evidence
from copilot.review.model import Report
from copilot.review.page import render_html, render_markdown
from copilot.review.report import latency, make_report, spread, summary
from copilot.wire import messages as wire
from tests.review.calls import CHINESE, ENGLISH, Log, chinese, english, hostile, info

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(("name", "playbook", "call"), [("solar", ENGLISH, english), ("gym", CHINESE, chinese)])
def test_report_is_as_reviewed(name, playbook, call, update_golden):
    report = make_report(info(call_id=name, rep_id="rep-7", customer_ref="C-1"), playbook, call())
    encoded = msgspec.json.format(msgspec.json.encode(report), indent=1).decode() + "\n"
    written = {f"{name}.json": encoded}
    written |= {f"{name}.{language}.md": render_markdown(report, language) for language in ("en", "zh")}
    for file, text in written.items():
        if update_golden:
            (GOLDEN / file).write_text(text, encoding="utf-8")
        assert (GOLDEN / file).read_text(encoding="utf-8") == text
    assert msgspec.json.decode(encoded, type=Report) == report


@pytest.mark.parametrize(("playbook", "call"), [(ENGLISH, english), (CHINESE, chinese), (ENGLISH, hostile)])
def test_every_quote_is_in_the_transcript(playbook, call):
    report = make_report(info(), playbook, call())
    assert check_evidence(report) == ()
    assert len(list(all_evidence(report))) >= 3


def test_broken_evidence_is_named():
    report = make_report(info(), ENGLISH, english())
    finding = report.deviations.content[0]
    false_quote = Evidence(utterance_id="u1", quote="never said", start_ms=0, end_ms=1)
    unknown = Evidence(utterance_id="nobody", quote="Hello", start_ms=0, end_ms=1)
    empty = Evidence(utterance_id="u1", quote="", start_ms=0, end_ms=1)
    forged = msgspec.structs.replace(
        report,
        deviations=msgspec.structs.replace(
            report.deviations,
            content=(
                msgspec.structs.replace(finding, code="forged", evidence=(false_quote, unknown, empty)),
                msgspec.structs.replace(finding, code="bare", evidence=()),
            ),
        ),
    )
    assert check_evidence(forged) == (
        "finding forged: the quote is not in utterance u1",
        "finding forged: the quote is not in utterance nobody",
        "finding forged: the quote is not in utterance u1",
        "finding bare: found without evidence",
    )


def empty_call() -> list[wire.AnyCallMessage]:
    log = Log()
    log.open(ENGLISH)
    return log.end(0.0)


def one_sided(speaker: str) -> list[wire.AnyCallMessage]:
    log = Log()
    log.open(ENGLISH)
    log.say(speaker, 1.0, 5.0, "Hello? Is anybody there?")
    return log.end(60.0)


def broken_off() -> list[wire.AnyCallMessage]:
    return english()[:20]


SMALL = {
    "nothing logged": list,
    "0 s": empty_call,
    "rep only": lambda: one_sided("rep"),
    "customer only": lambda: one_sided("customer"),
    "broken off": broken_off,
    "hostile": hostile,
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("playbook", [ENGLISH, CHINESE, msgspec.structs.replace(ENGLISH, steps=())])
def test_small_calls_render(name, language, playbook):
    report = make_report(info(), playbook, SMALL[name]())
    assert check_evidence(report) == ()
    page = render_html(report, language=language)
    assert page.count("<section") >= 6
    assert render_markdown(report, language).startswith("# ")
    assert all(value for _, value in summary(report, language))


def test_nothing_is_held_against_a_rep_nobody_heard():
    for name in ("0 s", "customer only"):
        report = make_report(info(), ENGLISH, SMALL[name]())
        assert {step.verdict for step in report.procedure.steps} == {"undetermined"}
        assert report.procedure.maturity.level is None
        assert {item.status for item in report.deviations.content} == {"undetermined"}


def test_a_broken_off_call_is_judged_only_as_far_as_it_went():
    report = make_report(info(), ENGLISH, broken_off())
    verdicts = {step.step_id: step.verdict for step in report.procedure.steps}
    assert not report.call.is_complete
    assert verdicts["opening.intro"] == "done"
    assert verdicts["close.next_step"] == "undetermined"
    assert report.procedure.maturity.is_provisional


def test_one_speaker_draws_no_attention_to_the_talk_ratio():
    measure = make_report(info(), ENGLISH, one_sided("rep")).talk.measures["talk_ratio"]
    assert (measure.value, measure.attention) == (1.0, "none")


def test_language_is_what_was_spoken_else_what_was_agreed():
    assert make_report(info(language="en"), ENGLISH, chinese()).call.language == "zh"
    assert make_report(info(language="zh"), CHINESE, english()).call.language == "en"
    assert make_report(info(language="zh"), ENGLISH, []).call.language == "zh"
    assert make_report(info(), ENGLISH, []).call.language == "en"


def test_swapped_roles_apply_from_the_beginning():
    log = Log()
    log.rep(0, 2, "I want a refund.")
    log.customer(2.5, 4, "Brightroof Solar, hello.")
    log.put(wire.RolesSwappedMessage, channels=("customer", "rep"))
    log.put(
        wire.TranscriptRevised,
        utterance_id="u2",
        speaker="rep",
        start_ms=2500,
        end_ms=4000,
        text="Brightroof Solar, hello.",
        reason="roles",
    )
    log.rep(5, 6, "How can I help?")
    report = make_report(info(), ENGLISH, log.end(7))
    assert [line.speaker for line in report.transcript] == ["customer", "rep", "rep"]
    assert not any(line.is_revised for line in report.transcript)
    assert report.call.roles_swapped == 1
    assert "Speakers were swapped" in render_html(report, language="en")


def test_identical_channels_are_announced():
    log = Log()
    log.rep(0, 1, "Hello.")
    log.put(wire.ServiceDegradedMessage, stage="channels", reason="identical")
    page = render_html(make_report(info(), ENGLISH, log.end(2)), language="en")
    assert "who said what is not certain" in page


def test_a_signal_counts_only_for_whoever_said_it_in_the_end():
    log = Log()
    said = log.rep(0, 2, "That is too expensive.")
    log.signal("objection.price", said, "too expensive")
    assert make_report(info(), ENGLISH, log.end(3)).objections == ()


def test_revisions_replace_and_remove_lines_and_their_evidence():
    log = Log()
    first = log.rep(0, 2, "There is zero risk.")
    second = log.rep(3, 5, "You get guaranteed returns.")
    third = log.rep(6, 7, "Um.")
    for utterance_id, quote in ((first, "zero risk"), (second, "guaranteed returns")):
        log.signal("compliance.forbidden", utterance_id, quote, "rep")
        log.card("compliance.forbidden", "compliance", "Take it back", utterance_id, quote, "rep")

    def revise(utterance_id: str, text: str) -> None:
        log.put(
            wire.TranscriptRevised,
            utterance_id=utterance_id,
            speaker="rep",
            start_ms=0,
            end_ms=900,
            text=text,
            reason="second_pass",
        )

    revise(first, "There is zero-risk!")
    revise(second, "You get granted a refund.")
    revise(third, "")
    revise("u9", "A line that was missed.")
    report = make_report(info(), ENGLISH, log.end(8))
    assert {line.utterance_id for line in report.transcript} == {first, second, "u9"}
    assert all(line.is_revised for line in report.transcript)
    (promise,) = [item for item in report.deviations.content if item.code == "promise.forbidden"]
    assert [evidence.quote for evidence in promise.evidence] == ["zero-risk"]
    kept, lost = report.cards
    assert kept.evidence.quote == "zero-risk"
    assert (lost.evidence, lost.heard) == (None, "guaranteed returns")
    assert "heard live, revised since" in render_html(report, language="en")


def test_blank_finals_and_strangers_among_cards_are_passed_over():
    log = Log()
    log.rep(0, 1, "  ")
    log.updated("c99", "shown", log.ledger())
    log.closed("c99", "expired", "ttl")
    log.put(wire.CallResumed, paused_ms=5)
    log.put(wire.ServiceRestored, stage="asr")
    report = make_report(info(), ENGLISH, log.end(2))
    assert (report.transcript, report.cards, report.quality.pauses) == ((), (), ())


def test_cards_keep_their_outcome_whichever_message_brought_it():
    log = Log()
    first = log.card("sop.late", "sop", "Say who you are")
    log.closed(first, "withdrawn", "said", "adhered")
    log.updated(first, "withdrawn", log.ledger())
    second = log.card("sop.late", "sop", "Say who you are")
    log.closed(second, "expired", "ttl")
    log.updated(second, "expired", log.ledger(), "wrong", "too_late")
    report = make_report(info(), ENGLISH, log.end(2))
    assert [(card.state, card.outcome, card.feedback) for card in report.cards] == [
        ("withdrawn", "adhered", ""),
        ("expired", "too_late", "wrong"),
    ]
    page = render_html(report, language="en")
    assert "from silence or time" in page
    assert report.quality.card_latency["phrase_to_sent_ms"].count == 0


@given(st.lists(st.integers(0, 5_000), min_size=5, max_size=7))
def test_the_legs_of_a_ledger_add_up(steps):
    moments = [sum(steps[: index + 1]) for index in range(len(steps))]
    ledger = Ledger(
        phrase_end=moments[0],
        recognised=moments[1],
        matched=moments[2],
        decided=moments[3],
        sent=moments[4],
        rendered=moments[5] if len(moments) > 5 else None,
        acked=moments[6] if len(moments) > 6 else None,
    )
    legs = latency(ledger)
    assert legs.phrase_to_sent_ms == legs.recognise_ms + legs.match_ms + legs.decide_ms + legs.send_ms
    if legs.render_ms is not None:
        assert legs.phrase_to_rendered_ms == legs.phrase_to_sent_ms + legs.render_ms
    assert min(value for value in msgspec.structs.asdict(legs).values() if value is not None) >= 0


def test_an_ack_without_a_painted_card_counts_from_the_sending():
    ledger = Ledger(phrase_end=0, recognised=1, matched=2, decided=3, sent=4, acked=10)
    assert latency(ledger).ack_ms == 6


def test_spread_is_median_and_nearest_rank():
    found = spread(list(range(1, 21)))
    assert (found.count, found.median_ms, found.p95_ms) == (20, 10.5, 19)
    assert spread([7]).p95_ms == 7


def test_summary_speaks_both_languages():
    report = make_report(info(), ENGLISH, english())
    assert dict(summary(report))["SOP maturity"] == "L2"
    assert dict(summary(report, "zh"))["销售成熟度"] == "L2"
    assert len(summary(report)) == len(summary(report, "zh"))


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)
SAID = st.tuples(st.sampled_from(["rep", "customer"]), st.integers(0, 60), st.integers(0, 30), TEXTS)


@given(st.lists(SAID, max_size=12), st.data())
def test_any_conversation_gives_a_sound_report(said, data):
    log = Log()
    log.open(ENGLISH)
    for speaker, start_s, length_s, text in said:
        name = log.say(speaker, start_s, start_s + length_s, text)
        quote = data.draw(st.sampled_from([text, text[1:], "zero risk"]))
        log.signal(data.draw(st.sampled_from(["objection.price", "compliance.forbidden"])), name, quote, speaker)
        log.step(data.draw(st.sampled_from([step.id for step in ENGLISH.steps])), "done", name, quote)
    report = make_report(info(), ENGLISH, log.end(95))
    assert check_evidence(report) == ()
    for measure in report.talk.measures.values():
        if measure.kind in ("ratio", "rate") and measure.value is not None:
            assert measure.value == pytest.approx(measure.numerator / measure.denominator, abs=0.01)
        if measure.unit == "share" and measure.value is not None:
            assert 0 <= measure.value <= 1
    json.loads(msgspec.json.encode(report))
    assert "<script" not in render_html(report, language="zh")
