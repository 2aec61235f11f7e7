"""The cards of a call, from match to end. One table says how a card may change; a closed card never opens again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from copilot.cues.moments import Match, Moment, Timing
from copilot.errors import NotFoundError
from copilot.events import Card, CardState, Frozen, Ledger, Outcome, Signal
from copilot.playbook.model import Cue

Action = Literal["used", "dismissed", "snoozed", "wrong"]
End = Literal["expired", "superseded", "withdrawn"]

NEXT: dict[tuple[CardState, Literal["rendered"] | Action | End], CardState] = {
    ("raised", "rendered"): "shown",
    ("raised", "used"): "acked",
    ("raised", "dismissed"): "dismissed",
    ("raised", "snoozed"): "dismissed",
    ("raised", "wrong"): "dismissed",
    ("raised", "expired"): "expired",
    ("raised", "superseded"): "superseded",
    ("raised", "withdrawn"): "withdrawn",
    ("shown", "used"): "acked",
    ("shown", "dismissed"): "dismissed",
    ("shown", "snoozed"): "dismissed",
    ("shown", "wrong"): "dismissed",
    ("shown", "expired"): "expired",
    ("shown", "superseded"): "superseded",
    ("shown", "withdrawn"): "withdrawn",
}
"""What happens to a card in a state; what is not listed does not change its state."""

FEEDBACK: dict[Action, str] = {"used": "useful", "wrong": "wrong"}


class CardChange(Frozen, frozen=True, kw_only=True):
    """A card as it is now, and what happened to it."""

    card: Card
    what: Literal["raised", "updated", "closed", "suppressed", "outcome"]


@dataclass
class Entry:
    """A card, what it came from, and (once it is visible) when it expires."""

    card: Card
    cue: Cue
    match: Match
    timing: Timing
    matched: int
    again: bool = False
    expires_at: float | None = None

    @property
    def was_shown(self) -> bool:
        """Whether a rep may see it, or has seen it."""
        return self.expires_at is not None


class Deck:
    """Keeps every card of the call; ``open`` ones wait for a ruling or are visible."""

    def __init__(self, next_card_id: Callable[[], str]) -> None:
        self._next_card_id = next_card_id
        self._entries: dict[str, Entry] = {}
        self._open: dict[str, Entry] = {}
        self._tentative: dict[str, Entry] = {}

    def __getitem__(self, card_id: str) -> Entry:
        return self._entries[card_id]

    def open(self) -> tuple[Entry, ...]:
        """The cards that may still change on their own."""
        return tuple(self._open.values())

    def draw(self, cue: Cue, match: Match, moment: Moment, timing: Timing, *, again: bool = False) -> Entry:
        """A new card, not yet visible."""
        card = Card(
            id=self._next_card_id(),
            cue_id=cue.id,
            kind=cue.kind,
            state="raised",
            priority=cue.priority,
            headline=cue.card.headline,
            lines=cue.card.lines,
            material=cue.card.material,
            critical=cue.critical,
            trigger=match.evidence,
            why=match.why,
            raised_ms=moment.pos_ms,
        )
        entry = Entry(card=card, cue=cue, match=match, timing=timing, matched=_wall_ms(moment), again=again)
        self._entries[card.id] = self._open[card.id] = entry
        if match.signal and not match.signal.is_final:
            self._tentative[card.id] = entry
        return entry

    def show(self, card_id: str, moment: Moment) -> CardChange:
        """The card becomes visible, now."""
        entry = self._open[card_id]
        recognised = max(entry.timing.phrase_end, entry.timing.recognised)
        matched = max(recognised, entry.matched)
        decided = max(matched, _wall_ms(moment))
        ledger = Ledger(
            phrase_end=entry.timing.phrase_end, recognised=recognised, matched=matched, decided=decided, sent=decided
        )
        entry.expires_at = moment.now + entry.cue.ttl_s
        return self._change(entry, "raised", card=replace(entry.card, raised_ms=moment.pos_ms, ledger=ledger))

    def is_open(self, card_id: str) -> bool:
        """Whether the card waits for a ruling or is visible."""
        return card_id in self._open

    def suppress(self, card_id: str, reason: str) -> CardChange:
        """The card will never be visible."""
        entry = self._open.pop(card_id)
        return self._change(entry, "suppressed", card=replace(entry.card, state="suppressed", suppressed_reason=reason))

    def close(self, card_id: str, end: End, reason: str, moment: Moment) -> CardChange:
        """A visible card leaves the screen by itself."""
        return self._close(self._open[card_id], NEXT[self._open[card_id].card.state, end], reason, moment)

    def rendered(self, card_id: str, moment: Moment) -> list[CardChange]:
        """A screen has painted the card; only the first time counts, and nothing after an answer."""
        entry = self._shown(card_id)
        card, ledger = entry.card, entry.card.ledger
        if ledger is None or ledger.rendered is not None or ledger.acked is not None:
            return []
        ledger = replace(ledger, rendered=max(ledger.sent, _wall_ms(moment)))
        state = NEXT.get((card.state, "rendered"), card.state)
        return [self._change(entry, "updated", card=replace(card, state=state, ledger=ledger))]

    def acked(self, card_id: str, action: Action, moment: Moment) -> list[CardChange]:
        """The rep answered. A card that has closed meanwhile keeps its state, and the feedback."""
        entry = self._shown(card_id)
        card, ledger = entry.card, entry.card.ledger
        if ledger and ledger.acked is None:
            ledger = replace(ledger, acked=max(ledger.rendered or ledger.sent, _wall_ms(moment)))
        answered = replace(card, ledger=ledger, feedback=FEEDBACK.get(action, card.feedback))
        state = NEXT.get((card.state, action))
        entry.card = answered
        if state:
            return [self._close(entry, state, action, moment)]
        return [] if answered == card else [self._change(entry, "updated", card=answered)]

    def suggested(self, card_id: str, suggestion: str) -> list[CardChange]:
        """Words for the advice of a visible card."""
        entry = self._open.get(card_id)
        if entry is None or not entry.was_shown:
            return []
        return [self._change(entry, "updated", card=replace(entry.card, suggestion=suggestion))]

    def confirm(self, signal: Signal) -> list[CardChange]:
        """Final text says it too: cards raised on its interim text quote the final text from now on."""
        drawn = self._drawn_from(signal.evidence.utterance_id, lambda label: label == signal.label)
        changes = [self._change(entry, "updated", card=replace(entry.card, trigger=signal.evidence)) for entry in drawn]
        return [change for change in changes if change.card.state != "suppressed"]

    def deny(self, utterance_id: str, labels: frozenset[str]) -> list[Entry]:
        """The utterance is final and says no more than ``labels``: cards from other words lose their quote.

        Answers those cards, open or not.
        """
        denied = self._drawn_from(utterance_id, lambda label: label not in labels)
        for entry in denied:
            entry.card = replace(entry.card, trigger=None)
        return denied

    def conclude(self, card_id: str, outcome: Outcome) -> CardChange:
        """What the rep did about it, known."""
        entry = self._entries[card_id]
        return self._change(entry, "outcome", card=replace(entry.card, outcome=outcome))

    def expired(self, now: float) -> tuple[Entry, ...]:
        """The visible cards nobody has acted on in time."""
        return tuple(entry for entry in self._open.values() if entry.expires_at is not None and now >= entry.expires_at)

    def next_expiry(self) -> float | None:
        """When the next card expires."""
        return min((entry.expires_at for entry in self._open.values() if entry.expires_at is not None), default=None)

    def _shown(self, card_id: str) -> Entry:
        entry = self._entries.get(card_id)
        if entry is None or not entry.was_shown:
            raise NotFoundError(
                "card.unknown", f"this call has shown no card {card_id!r}", hint="Use an id from `card.raised`."
            )
        return entry

    def _drawn_from(self, utterance_id: str, concerns: Callable[[str], bool]) -> list[Entry]:
        """Take the cards drawn from the interim text of an utterance whose label it concerns: they are decided now."""
        drawn = [
            entry
            for entry in self._tentative.values()
            if (signal := entry.match.signal)
            and signal.evidence.utterance_id == utterance_id
            and concerns(signal.label)
        ]
        for entry in drawn:
            del self._tentative[entry.card.id]
        return drawn

    def _close(self, entry: Entry, state: CardState, reason: str, moment: Moment) -> CardChange:
        del self._open[entry.card.id]
        closed = replace(entry.card, state=state, close_reason=reason, closed_ms=moment.pos_ms)
        return self._change(entry, "closed", card=closed)

    def _change(
        self, entry: Entry, what: Literal["raised", "updated", "closed", "suppressed", "outcome"], *, card: Card
    ) -> CardChange:
        entry.card = card
        return CardChange(card=card, what=what)


def _wall_ms(moment: Moment) -> int:
    return round(moment.now * 1000)
