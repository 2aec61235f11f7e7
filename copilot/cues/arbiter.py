"""The attention arbiter: which of the cards that want to be seen may be seen, and when. Wall time only.

Every cue that matches *asks*. Some requests are refused at once (shadow, duplicate, once, max_shows, cooldown); the
rest wait until nothing stands in their way, for at most ``hold_s``, and are then withheld for what stood there last.
What cannot wait goes first: critical cards, then those about words that were just said, then vital ones, then priority,
then who asked first. A *vital* card is about a rule or a step that must not be forgotten: ``reserve_per_min`` places of
every minute are for such cards alone, and one waits as long as it would stay on the screen: what it says stays true.

Promises, for any stream of requests: never more than ``max_visible`` cards at once, never more than ``max_per_min``
in any minute, of these never more than ``max_per_min - reserve_per_min`` (at least one) that are not vital, never two
shows of a cue within its cooldown, one ruling for every request.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.fuzz import ratio

from copilot.events import Frozen
from copilot.playbook.model import Attention, Cue

ALIKE_PERCENT = 90.0
"""Headlines at least this similar (normalised indel similarity) say the same thing to a rep."""
MINUTE_S = 60.001
"""A budget counts in any minute, also by times rounded to milliseconds."""

Reason = Literal[
    "shadow",
    "hold_out",
    "duplicate",
    "once",
    "max_shows",
    "cooldown",
    "paused",
    "rep_speaking",
    "moment_passed",
    "group",
    "min_gap",
    "budget_rate",
    "budget_visible",
]


class Request(Frozen, frozen=True, kw_only=True):
    """A card that wants to be seen. ``utterance_id`` is empty when no words caused it.

    ``vital``: about a rule or a step that must not be forgotten.
    ``again``: a snoozed card coming back, whose cue's own limits do not apply. ``subject`` tells cards of one cue
    apart that say different things: each has the cue's limits for itself.
    """

    card_id: str
    cue: Cue
    utterance_id: str = ""
    again: bool = False
    subject: str = ""
    vital: bool = False

    @property
    def is_vital(self) -> bool:
        """Whether a place may be kept for it: what is critical always is."""
        return self.vital or self.cue.critical

    @property
    def key(self) -> str:
        """What limits are counted for."""
        return f"{self.cue.id}#{self.subject}" if self.subject else self.cue.id

    @property
    def rank(self) -> tuple[bool, bool, int]:
        return self.cue.critical, self.is_vital, self.cue.priority

    @property
    def urgency(self) -> tuple[bool, bool, bool, int]:
        """Who goes first: an answer is wanted now, a missing step is still missing in three seconds."""
        is_answer = bool(self.utterance_id) and not self.again
        return self.cue.critical, is_answer, self.is_vital, self.cue.priority


class Show(Frozen, frozen=True, kw_only=True):
    """The card may be seen from now on."""

    card_id: str


class Withhold(Frozen, frozen=True, kw_only=True):
    """The card will not be seen."""

    card_id: str
    reason: Reason


class Supersede(Frozen, frozen=True, kw_only=True):
    """A visible card makes room: for one of its group, or for a more important one."""

    card_id: str
    reason: Literal["group", "priority"]


Ruling = Show | Withhold | Supersede


@dataclass
class Waiting:
    """A request that has not been decided yet."""

    request: Request
    until: float


class Arbiter:
    """Rules over requests. The caller tells it when a card is gone, when the rep speaks, when the call is paused.

    Cards of the cues in ``held_out`` are withheld at the moment they would have been shown: so they are comparable
    with those that are. They use up the limits of their cue, but nothing of the budget.
    """

    def __init__(self, attention: Attention, held_out: frozenset[str] = frozenset()) -> None:
        self._attention = attention
        self._held_out = held_out
        self._visible: dict[str, Request] = {}
        self._shown_since: dict[str, float] = {}
        self._waiting: list[Waiting] = []
        self._shown_at: deque[float] = deque(maxlen=attention.max_per_min)
        self._common_at: deque[float] = deque(maxlen=max(1, attention.max_per_min - attention.reserve_per_min))
        self._last_shown: dict[str, float] = {}
        self._shows: dict[str, int] = {}
        self._asked: set[tuple[str, str]] = set()
        self._speaking_since: float | None = None
        self._paused = False

    def ask(self, request: Request, now: float) -> list[Ruling]:
        """Somebody wants to show a card: rule at once, or let it wait."""
        refusal = self._refusal(request, now)
        if request.utterance_id:
            self._asked.add((request.key, request.utterance_id))
        if refusal:
            return [Withhold(card_id=request.card_id, reason=refusal)]
        patience_s = max(self._attention.hold_s, request.cue.ttl_s if request.vital else 0.0)
        self._waiting.append(Waiting(request, until=now + patience_s))
        self._waiting.sort(key=lambda waiting: waiting.request.urgency, reverse=True)
        return self.tick(now)

    def tick(self, now: float) -> list[Ruling]:
        """Show what nothing stands in the way of any more, then give up on what has waited too long."""
        rulings: list[Ruling] = []
        for waiting in tuple(self._waiting):
            obstacle = self._obstacle(waiting.request, now)
            if obstacle is None:
                rulings += self._show(waiting, now)
            elif now >= waiting.until:
                self._waiting.remove(waiting)
                reason: Reason = "moment_passed" if obstacle == "rep_speaking" else obstacle
                rulings.append(Withhold(card_id=waiting.request.card_id, reason=reason))
        return rulings

    def finish(self, now: float) -> list[Ruling]:
        """The call is over: what still waits is withheld for what stands in its way."""
        waiting, self._waiting = self._waiting, []
        return [
            Withhold(card_id=each.request.card_id, reason=self._obstacle(each.request, now) or "moment_passed")
            for each in waiting
        ]

    def gone(self, card_id: str) -> None:
        """The card is no longer visible, or no longer wants to be."""
        self._visible.pop(card_id, None)
        self._shown_since.pop(card_id, None)
        self._waiting = [waiting for waiting in self._waiting if waiting.request.card_id != card_id]

    def speaking(self, is_speaking: bool, now: float) -> None:
        """The rep began or stopped speaking."""
        if not is_speaking:
            self._speaking_since = None
        elif self._speaking_since is None:
            self._speaking_since = now

    def pause(self, is_paused: bool) -> None:
        """The call is paused, or goes on."""
        self._paused = is_paused

    def next_deadline(self, now: float) -> float | None:
        """When, after ``now``, time alone lets a waiting card through or ends its wait."""
        if not self._waiting:
            return None
        times = [waiting.until for waiting in self._waiting] + [self._gap_over()]
        times += [self._rate_free(waiting.request) for waiting in self._waiting]
        times += [self._yields_at(rival) for waiting in self._waiting for rival in self._rivals(waiting.request)]
        return min((at for at in times if at > now), default=None)

    def _refusal(self, request: Request, now: float) -> Reason | None:
        """Why the request is not worth waiting for."""
        cue = request.cue
        if cue.shadow:
            return "shadow"
        if self._is_duplicate(request):
            return "duplicate"
        shows = self._shows.get(request.key, 0)
        if request.again or not shows:
            return None
        if cue.once:
            return "once"
        if shows >= cue.max_shows:
            return "max_shows"
        return "cooldown" if now < self._last_shown[request.key] + cue.cooldown_s else None

    def _obstacle(self, request: Request, now: float) -> Reason | None:
        """What stands in the way of the card just now."""
        if self._paused:
            return "paused"
        if not request.cue.critical and self._is_mid_utterance(now):
            return "rep_speaking"
        if any(self._keeps_place(rival, request, now) for rival in self._rivals(request)):
            return "group"
        if not request.cue.critical and now < self._gap_over():
            return "min_gap"
        if now < self._rate_free(request):
            return "budget_rate"
        return None if self._has_room(request) else "budget_visible"

    def _is_duplicate(self, request: Request) -> bool:
        """The same cue about the same words, or nearly the words of a card the rep sees or is about to see."""
        if not request.again and (request.key, request.utterance_id) in self._asked:
            return True
        present = [*self._visible.values(), *(waiting.request for waiting in self._waiting)]
        headline = request.cue.card.headline
        return any(
            other.key == request.key or ratio(headline, other.cue.card.headline) >= ALIKE_PERCENT for other in present
        )

    def _is_mid_utterance(self, now: float) -> bool:
        return self._speaking_since is not None and now >= self._speaking_since + self._attention.grace_s

    def _gap_over(self) -> float:
        return self._shown_at[-1] + self._attention.min_gap_s if self._shown_at else 0.0

    def _rate_free(self, request: Request) -> float:
        """When the budget of the last minute has room for one more card of this kind."""
        budgets = [self._shown_at] if request.is_vital else [self._shown_at, self._common_at]
        return max(shown[0] + MINUTE_S if len(shown) == shown.maxlen else 0.0 for shown in budgets)

    def _rivals(self, request: Request) -> list[Request]:
        """The visible card of the same group, if any."""
        group = request.cue.group
        return [other for other in self._visible.values() if group and other.cue.group == group]

    def _keeps_place(self, rival: Request, request: Request, now: float) -> bool:
        """A more important card of the group stays against one of the same moment, and for a while against later ones.

        After that the conversation has moved on, unless the card is critical and the newcomer is not.
        """
        if rival.rank <= request.rank:
            return False
        if rival.utterance_id == request.utterance_id or rival.cue.critical > request.cue.critical:
            return True
        return now < self._yields_at(rival)

    def _yields_at(self, rival: Request) -> float:
        return self._shown_since[rival.card_id] + self._attention.hold_s

    def _has_room(self, request: Request) -> bool:
        return len(self._visible) < self._attention.max_visible or self._victim(request) is not None

    def _victim(self, request: Request) -> Request | None:
        """Who makes room: the rival of the group; else, when the screen is full, the least important card."""
        rivals = self._rivals(request)
        if rivals or len(self._visible) < self._attention.max_visible:
            return next(iter(rivals), None)
        least = min(self._visible.values(), key=lambda other: other.rank)  # among equals the one shown first
        return least if least.rank < request.rank else None

    def _show(self, waiting: Waiting, now: float) -> list[Ruling]:
        request = waiting.request
        self._waiting.remove(waiting)
        self._last_shown[request.key] = now
        self._shows[request.key] = self._shows.get(request.key, 0) + 1
        if request.cue.id in self._held_out:
            return [Withhold(card_id=request.card_id, reason="hold_out")]
        victim = self._victim(request)
        rulings: list[Ruling] = []
        if victim:
            reason: Literal["group", "priority"] = "group" if self._rivals(request) else "priority"
            del self._visible[victim.card_id], self._shown_since[victim.card_id]
            rulings.append(Supersede(card_id=victim.card_id, reason=reason))
        self._visible[request.card_id] = request
        self._shown_since[request.card_id] = now
        self._shown_at.append(now)
        if not request.is_vital:
            self._common_at.append(now)
        return [*rulings, Show(card_id=request.card_id)]
