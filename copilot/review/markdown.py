"""A report as Markdown: for a ticket, a chat or a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from copilot.events import Evidence
from copilot.review.model import Finding, Report
from copilot.review.report import summary
from copilot.review.wording import amount, clock, length, word

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+\-!|~&])")


def render_markdown(report: Report, language: Literal["en", "zh"]) -> str:
    """The whole report as Markdown; what people said is escaped, so that it cannot become markup."""
    return "\n".join(_Writer(report, language).lines()) + "\n"


def escaped(text: str) -> str:
    """Text that stays text: markup characters escaped, line breaks as spaces."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


class _Writer:
    def __init__(self, report: Report, language: str) -> None:
        self._report = report
        self._language = language
        self._speakers = {line.utterance_id: line.speaker for line in report.transcript}

    def lines(self) -> Iterator[str]:
        yield f"# {self._w('title')}: {escaped(self._report.call.call_id)}"
        yield ""
        if not self._report.call.is_complete:
            yield f"> {self._w('incomplete')}"
            yield ""
        yield from (f"- {label}: {value}" for label, value in summary(self._report, self._language))
        yield from self._findings("content", self._report.deviations.content)
        yield from self._findings("behaviour", self._report.deviations.behaviour)
        yield from self._steps()
        yield from self._objections()
        yield from self._talk()
        yield from self._cards()
        yield from self._notes()
        yield from self._transcript()
        yield from self._quality()

    def _w(self, key: str) -> str:
        return word(key, self._language)

    def _heading(self, key: str) -> tuple[str, str, str]:
        return "", f"## {self._w(key)}", ""

    def _quote(self, evidence: Evidence) -> str:
        speaker = self._w(self._speakers[evidence.utterance_id])
        return f"{clock(evidence.start_ms)} {speaker}: “{escaped(evidence.quote)}”"

    def _findings(self, key: str, findings: tuple[Finding, ...]) -> Iterator[str]:
        yield from self._heading(key)
        if not findings:
            yield self._w("nothing_found")
        for item in findings:
            tag = self._w(item.severity if item.status == "found" else "undetermined")
            yield f"- **{escaped(item.title.in_language(self._language))}** ({tag})"
            yield from (f"  - {self._quote(evidence)}" for evidence in item.evidence)
            yield f"  - {self._w('what_to_do')}: {escaped(item.advice.in_language(self._language))}"

    def _steps(self) -> Iterator[str]:
        steps = self._report.procedure.steps
        if not steps:
            return
        yield from self._heading("procedure")
        yield "| " + " | ".join(self._w(key) for key in ("step", "state", "when", "deadline", "evidence")) + " |"
        yield "|---|---|---|---|---|"
        for step in steps:
            when = "" if step.at_ms is None else clock(step.at_ms)
            due = "" if step.deadline_ms is None else clock(step.deadline_ms)
            quote = escaped(step.evidence.quote) if step.evidence else ""
            yield f"| {escaped(step.title)} | {self._w(step.verdict)} | {when} | {due} | {quote} |"

    def _objections(self) -> Iterator[str]:
        yield from self._heading("objections")
        if not self._report.objections:
            yield self._w("no_objections")
        for row in self._report.objections:
            result = {True: "recovered", False: "not_recovered", None: "undetermined"}[row.recovered]
            yield f"- **{escaped(row.title.in_language(self._language))}** ({self._w(result)})"
            yield f"  - {self._quote(row.evidence)}"
            yield f"  - {self._quote(row.answer) if row.answer else self._w('no_answer')}"
            yield f"  - {self._quote(row.reaction) if row.reaction else self._w('no_reaction')}"

    def _talk(self) -> Iterator[str]:
        yield from self._heading("talk")
        for key, names in msgspec.structs.asdict(self._report.talk.groups).items():
            yield f"- **{self._w(key)}**"
            for name in names:
                measure = self._report.talk.measures[name]
                flag = "" if measure.attention == "none" else " ⚠"
                yield f"  - {self._w(name)}: {amount(measure, self._language)}{flag}"

    def _cards(self) -> Iterator[str]:
        yield from self._heading("cards")
        if not self._report.cards:
            yield self._w("no_cards")
        for card in self._report.cards:
            outcome = "" if card.outcome == "undetermined" else f", {self._w(card.outcome)}"
            reason = f": {escaped(card.suppressed_reason)}" if card.suppressed_reason else ""
            lag = f", {card.latency.phrase_to_sent_ms} ms" if card.latency and card.heard else ""
            yield f"- {clock(card.at_ms)} **{escaped(card.headline)}** ({self._w(card.state)}{reason}{outcome}{lag})"
            if card.evidence:
                yield f"  - {self._quote(card.evidence)}"

    def _notes(self) -> Iterator[str]:
        if self._report.notes:
            yield from self._heading("notes")
        for note in self._report.notes:
            yield f"- {clock(note.at_ms)} {self._w(note.kind)} {escaped(note.by)}: {escaped(note.text)}"

    def _transcript(self) -> Iterator[str]:
        yield from self._heading("transcript")
        if not self._report.transcript:
            yield self._w("no_transcript")
        for line in self._report.transcript:
            yield f"- {clock(line.start_ms)} **{self._w(line.speaker)}**: {escaped(line.text)}"

    def _quality(self) -> Iterator[str]:
        found = self._report.quality
        yield from self._heading("quality")
        yield f"- {self._w('gaps')}: {length(found.gaps_ms, self._language)}"
        for pause in found.pauses:
            yield f"- {self._w('pauses')}: {clock(pause.span.start_ms)}, {self._w(pause.reason)}"
        for item in found.impairments:
            what = f"{escaped(item.stage)} ({escaped(item.reason)})"
            yield f"- {self._w('impairments')}: {clock(item.span.start_ms)}, {what}"
        for name, spread in {"transcript_lag": found.transcript_lag, **found.card_latency}.items():
            if spread.median_ms is not None:
                yield f"- {self._w(name)}: {self._w('median')} {spread.median_ms:.0f} ms"
