"""Quotes, and the lock that keeps them true.

A detector may have heard the interim text, and a better text may have replaced it since. So no quote enters a report
as it was heard: it is looked up again in the final text, ignoring case, punctuation and spaces (and, in whole
sentences, a few letters), and what is reported is the substring found there. A quote that is no longer there is no
evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from copilot.events import Evidence, Word
from copilot.language.quotes import find_quote
from copilot.review.model import Line, Report


def locate(line: Line, words: Sequence[Word], start: int, end: int) -> tuple[int, int]:
    """Media time of the characters ``start..end`` of a line: of its words where they are known, else of all of it."""
    cursor = 0
    touched: list[Word] = []
    for word in words:
        spelled = word.text.strip()
        found = line.text.find(spelled, cursor) if spelled else -1
        if found < 0:
            continue
        cursor = found + len(spelled)
        if found < end and cursor > start:
            touched.append(word)
    if not touched:
        return line.start_ms, line.end_ms
    return touched[0].start_ms, max(touched[0].start_ms, touched[-1].end_ms)


class Quotes:
    """Makes evidence that holds: by utterance id and words, against the final transcript."""

    def __init__(self, lines: Sequence[Line], words: Mapping[str, Sequence[Word]]) -> None:
        self._lines = {line.utterance_id: line for line in lines}
        self._words = words

    def lock(self, utterance_id: str, quote: str) -> Evidence | None:
        """Evidence for ``quote``, or None when the final text does not hold it."""
        line = self._lines.get(utterance_id)
        place = find_quote(line.text, quote) if line else None
        if line is None or place is None:
            return None
        start_ms, end_ms = locate(line, self._words.get(utterance_id, ()), *place)
        return Evidence(
            utterance_id=utterance_id, quote=line.text[place[0] : place[1]], start_ms=start_ms, end_ms=end_ms
        )

    def line(self, utterance_id: str) -> Line | None:
        """The line with this id."""
        return self._lines.get(utterance_id)


def whole(line: Line) -> Evidence:
    """A line as its own evidence."""
    return Evidence(utterance_id=line.utterance_id, quote=line.text, start_ms=line.start_ms, end_ms=line.end_ms)


def all_evidence(report: Report) -> Iterator[tuple[str, Evidence]]:
    """Every piece of evidence in a report, with where it stands."""
    for step in report.procedure.steps:
        if step.evidence:
            yield f"step {step.step_id}", step.evidence
    for card in report.cards:
        if card.evidence:
            yield f"card {card.card_id}", card.evidence
    for row in report.objections:
        for part in (row.evidence, row.answer, row.reaction):
            if part:
                yield f"objection {row.label}", part
    for finding in (*report.deviations.content, *report.deviations.behaviour):
        for evidence in finding.evidence:
            yield f"finding {finding.code}", evidence


def check_evidence(report: Report) -> tuple[str, ...]:
    """What breaks the evidence lock; empty when nothing does.

    Every quote must be a non-empty substring of the utterance it names, and every finding without evidence must say
    ``undetermined``.
    """
    texts = {line.utterance_id: line.text for line in report.transcript}
    broken = [
        f"{where}: the quote is not in utterance {evidence.utterance_id}"
        for where, evidence in all_evidence(report)
        if not evidence.quote or evidence.quote not in texts.get(evidence.utterance_id, "")
    ]
    broken += [
        f"finding {finding.code}: found without evidence"
        for finding in (*report.deviations.content, *report.deviations.behaviour)
        if finding.status == "found" and not finding.evidence
    ]
    return tuple(broken)
