"""Two playbooks on the same calls: which cards are gained and lost, how often, how late, and where it matters most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median, quantiles

from copilot.backtest.runs import CallRun, CardLine
from copilot.events import Frozen

NEAR_MS = 2_000
"""Cards of the same cue this close in time, and about nothing in particular, are the same card."""
WORST = 10


class Totals(Frozen, frozen=True, kw_only=True):
    """What a playbook did over many calls. ``per_minute`` cards shown; latencies in ms from the end of the phrase."""

    calls: int
    failed: int
    minutes: float
    shown: int
    held_back: dict[str, int]
    per_cue: dict[str, int]
    per_minute: float
    most_in_a_minute: int
    budget_per_minute: int
    latency_p50_ms: int | None
    latency_p95_ms: int | None
    steps: dict[str, dict[str, int]]


class Change(Frozen, frozen=True, kw_only=True):
    """A card that one of the playbooks shows and the other does not. ``instead``: why the other does not."""

    call_id: str
    cue_id: str
    at_ms: int
    quote: str
    instead: str = ""


class Difference(Frozen, frozen=True, kw_only=True):
    """``worst``: the calls with most changes, with how many."""

    gained: tuple[Change, ...]
    lost: tuple[Change, ...]
    before: Totals
    after: Totals
    worst: tuple[tuple[str, int], ...]


def totals(runs: Sequence[CallRun]) -> Totals:
    """Sums over the calls that could be run."""
    done = [run for run in runs if not run.error]
    shown = [card for run in done for card in run.shown]
    latencies = [card.latency_ms for card in shown if card.latency_ms is not None]
    minutes = sum(run.duration_ms for run in done) / 60_000
    states: dict[str, Counter[str]] = {}
    for run in done:
        for step, state in run.steps.items():
            states.setdefault(step, Counter())[state] += 1
    return Totals(
        calls=len(done),
        failed=len(runs) - len(done),
        minutes=round(minutes, 1),
        shown=len(shown),
        held_back=dict(Counter(card.reason for run in done for card in run.cards if card.reason).most_common()),
        per_cue=dict(Counter(card.cue_id for card in shown).most_common()),
        per_minute=round(len(shown) / minutes, 2) if minutes else 0.0,
        most_in_a_minute=max((run.most_in_a_minute for run in done), default=0),
        budget_per_minute=max((run.budget_per_minute for run in done), default=0),
        latency_p50_ms=round(median(latencies)) if latencies else None,
        latency_p95_ms=round(quantiles(latencies, n=20)[18]) if len(latencies) > 1 else next(iter(latencies), None),
        steps={step: dict(counts) for step, counts in states.items()},
    )


def compare(before: Sequence[CallRun], after: Sequence[CallRun]) -> Difference:
    """Runs of the same calls, in the same order."""
    gained: list[Change] = []
    lost: list[Change] = []
    for one, other in zip(before, after, strict=True):
        if not one.error and not other.error:
            lost += _missing(one, other)
            gained += _missing(other, one)
    changes = Counter(change.call_id for change in (*gained, *lost))
    return Difference(
        gained=tuple(gained),
        lost=tuple(lost),
        before=totals(before),
        after=totals(after),
        worst=tuple(changes.most_common(WORST)),
    )


def _missing(here: CallRun, there: CallRun) -> list[Change]:
    """The cards shown ``here`` that are not shown ``there``; each card there answers for one card here."""
    left = list(there.shown)
    changes = []
    for card in here.shown:
        same = next((other for other in left if _is_same(card, other)), None)
        if same:
            left.remove(same)
            continue
        held = next((other for other in there.cards if other.reason and _is_same(card, other)), None)
        changes.append(
            Change(
                call_id=here.call_id,
                cue_id=card.cue_id,
                at_ms=card.at_ms,
                quote=card.quote,
                instead=held.reason if held else "",
            )
        )
    return changes


def _is_same(card: CardLine, other: CardLine) -> bool:
    if card.cue_id != other.cue_id:
        return False
    if card.utterance_id or other.utterance_id:
        return card.utterance_id == other.utterance_id
    return abs(card.at_ms - other.at_ms) <= NEAR_MS
