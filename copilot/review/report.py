"""The diagnosis of one call, from its event log. The same log gives the same report, today or in a year."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Literal

from copilot.events import CallInfo, Ledger
from copilot.playbook.model import Playbook
from copilot.review import forms, metrics
from copilot.review.deviations import make_deviations
from copilot.review.evidence import Quotes
from copilot.review.model import (
    VERSION,
    CallFacts,
    CardLatency,
    CardRow,
    Groups,
    Measure,
    Quality,
    Report,
    Spread,
    Talk,
)
from copilot.review.objections import make_objections
from copilot.review.procedure import make_procedure, stage_rows
from copilot.review.story import Shown, Story, read
from copilot.review.wording import amount, clock, word
from copilot.wire.messages import AnyCallMessage

GROUPS = Groups(
    listening=(
        "patience_ms",
        "interruptions_per_min",
        "interrupted_per_min",
        "longest_customer_story_ms",
        "customer_share",
    ),
    stating=("talk_ratio", "talk_share", "longest_monologue_ms", "speech_rate", "speech_rate_peak"),
    asking=("question_rate", "open_question_rate", "closed_question_rate", "open_question_share"),
    flow=("interactivity", "longest_silence_ms", "dead_air_ms", "dead_air_share"),
)
LEGS = tuple(CardLatency.__struct_fields__)
INCOMPLETE = ("interrupted", "")
"""End reasons of calls that did not run to their end; empty when the log breaks off."""


def make_report(info: CallInfo, playbook: Playbook, messages: Sequence[AnyCallMessage]) -> Report:
    """Everything a call's log says about it, judged against ``playbook``. Never fails on a short or broken-off log."""
    story = read(messages)
    facts = _facts(info, playbook, story)
    quotes = Quotes(story.lines, story.words)
    cards = tuple(_card(card, quotes) for card in story.cards)
    procedure = make_procedure(story, playbook, quotes, is_complete=facts.is_complete)
    objections = make_objections(story, playbook, quotes)
    talk = Talk(measures=_measures(story, facts.language), groups=GROUPS)
    deviations = make_deviations(
        story, playbook, quotes, procedure, objections, talk.measures, is_complete=facts.is_complete
    )
    return Report(
        version=VERSION,
        call=facts,
        transcript=story.lines,
        cards=cards,
        procedure=procedure,
        stages=stage_rows(story, playbook),
        talk=talk,
        objections=objections,
        objection_recovery=metrics.objection_recovery(objections),
        deviations=deviations,
        notes=story.notes,
        quality=_quality(story, cards),
    )


def _facts(info: CallInfo, playbook: Playbook, story: Story) -> CallFacts:
    reason = story.ended.reason if story.ended else ""
    return CallFacts(
        call_id=info.call_id,
        external_id=info.external_id,
        kind=info.kind,
        direction=info.direction,
        rep_id=info.rep_id,
        customer_ref=info.customer_ref,
        campaign=info.campaign,
        language=_language(info, playbook, story),
        playbook_id=playbook.id,
        playbook_version=playbook.version,
        playbook_title=playbook.title,
        started_at=info.started_at,
        duration_ms=story.duration_ms,
        end_reason=reason or "interrupted",
        is_complete=reason not in INCOMPLETE,
        roles_swapped=story.swaps,
        sha256=story.ended.sha256 if story.ended else (),
    )


def _language(info: CallInfo, playbook: Playbook, story: Story) -> Literal["en", "zh"]:
    """What was mostly spoken; without words, what was agreed."""
    chinese = [forms.is_chinese(line.text) for line in story.lines]
    if chinese:
        return "zh" if sum(chinese) * 2 > len(chinese) else "en"
    return "zh" if "zh" in (info.language, playbook.language) else "en"


def _measures(story: Story, language: str) -> dict[str, Measure]:
    lines, total_ms, pauses = story.lines, story.duration_ms, story.pauses
    found = (
        metrics.patience_ms(lines, pauses),
        metrics.interruptions_per_min(lines, total_ms),
        metrics.interrupted_per_min(lines, total_ms),
        metrics.longest_customer_story_ms(lines, pauses),
        metrics.talk_ratio(lines),
        metrics.talk_share(lines, total_ms),
        metrics.customer_share(lines, total_ms),
        metrics.longest_monologue_ms(lines, pauses),
        metrics.speech_rate(lines, language),
        metrics.speech_rate_peak(lines, language),
        metrics.interactivity(lines, total_ms),
        metrics.longest_silence_ms(lines, pauses),
        metrics.dead_air_ms(lines, pauses),
        metrics.dead_air_share(lines, total_ms, pauses),
        metrics.question_rate(lines, total_ms),
        metrics.open_question_rate(lines, total_ms),
        metrics.closed_question_rate(lines, total_ms),
        metrics.open_question_share(lines),
    )
    return {measure.name: measure for measure in found}


# --- cards and latency ----------------------------------------------------------------------------------------


def _card(card: Shown, quotes: Quotes) -> CardRow:
    view, cause = card.view, card.cause
    return CardRow(
        card_id=view.id,
        cue_id=view.cue_id,
        kind=view.kind,
        headline=view.headline,
        lines=view.lines,
        why=view.why,
        critical=view.critical,
        at_ms=card.at_ms,
        state=card.state,
        outcome=card.outcome,
        feedback=card.feedback,
        suppressed_reason=card.suppressed_reason,
        close_reason=card.close_reason,
        heard=cause.quote if cause else "",
        evidence=quotes.lock(cause.utterance_id, cause.quote) if cause else None,
        ledger=card.ledger,
        latency=latency(card.ledger) if card.ledger else None,
    )


def latency(ledger: Ledger) -> CardLatency:
    """The legs of a card's way from the customer's mouth to the rep's eyes, in ms of wall time."""
    return CardLatency(
        recognise_ms=ledger.recognised - ledger.phrase_end,
        match_ms=ledger.matched - ledger.recognised,
        decide_ms=ledger.decided - ledger.matched,
        send_ms=ledger.sent - ledger.decided,
        render_ms=_leg(ledger.sent, ledger.rendered),
        ack_ms=_leg(ledger.rendered if ledger.rendered is not None else ledger.sent, ledger.acked),
        phrase_to_sent_ms=ledger.sent - ledger.phrase_end,
        phrase_to_rendered_ms=_leg(ledger.phrase_end, ledger.rendered),
    )


def _leg(start: int, end: int | None) -> int | None:
    return None if end is None else end - start


def _quality(story: Story, cards: Sequence[CardRow]) -> Quality:
    """Only cards that answer words have a latency worth a median."""
    answered = [card.latency for card in cards if card.latency and card.heard]
    legs = {leg: [value for one in answered if (value := getattr(one, leg)) is not None] for leg in LEGS}
    return Quality(
        gaps_ms=story.ended.totals.gaps_ms if story.ended else 0,
        pauses=story.pauses,
        impairments=story.impairments,
        transcript_lag=spread([line.lag_ms for line in story.lines]),
        card_latency={leg: spread(values) for leg, values in legs.items()},
    )


def spread(values: Sequence[float]) -> Spread:
    """Median and 95th percentile (nearest rank)."""
    if not values:
        return Spread(count=0, median_ms=None, p95_ms=None)
    ranked = sorted(values)
    return Spread(count=len(ranked), median_ms=median(ranked), p95_ms=ranked[math.ceil(len(ranked) * 0.95) - 1])


# --- in a few lines -------------------------------------------------------------------------------------------


def summary(report: Report, language: str = "en") -> list[tuple[str, str]]:
    """The report in about ten lines: (label, value)."""
    shown = [card for card in report.cards if card.state != "suppressed"]
    found = [
        sum(item.status == "found" for item in part)
        for part in (report.deviations.content, report.deviations.behaviour)
    ]
    recovery = report.objection_recovery
    phrase_to_sent = report.quality.card_latency["phrase_to_sent_ms"].median_ms
    return [
        (word("duration", language), clock(report.call.duration_ms)),
        (word("ended", language), word(report.call.end_reason, language)),
        (word("maturity", language), level(report, language)),
        (word("coverage", language), amount(report.procedure.coverage, language)),
        (word("order", language), amount(report.procedure.order, language)),
        (word("timeliness", language), amount(report.procedure.timeliness, language)),
        (word("talk_ratio", language), amount(report.talk.measures["talk_ratio"], language)),
        (word("objections", language), f"{len(report.objections)}"),
        (word("objection_recovery", language), f"{recovery.numerator:.0f}/{recovery.denominator:.0f}"),
        (word("cards", language), f"{len(shown)}"),
        (word("phrase_to_sent_ms", language), "–" if phrase_to_sent is None else f"{phrase_to_sent:.0f} ms"),
        (word("content", language), f"{found[0]}"),
        (word("behaviour", language), f"{found[1]}"),
    ]


def level(report: Report, language: str) -> str:
    """``L3``, ``L3 (provisional)`` or ``undetermined``."""
    maturity = report.procedure.maturity
    if maturity.level is None:
        return word("undetermined", language)
    return f"L{maturity.level}" + (f" ({word('provisional', language)})" if maturity.is_provisional else "")
