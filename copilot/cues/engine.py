"""Facts in, cards out: conditions find the moments, the arbiter rules, the deck keeps the cards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from msgspec.structs import replace

from copilot.cues.adherence import Adherence
from copilot.cues.arbiter import Arbiter, Request, Ruling, Show, Supersede
from copilot.cues.combinators import earliest
from copilot.cues.deck import Action, CardChange, Deck, Entry
from copilot.cues.expression import FINISHED, Condition, Topic, topic_of
from copilot.cues.holdout import held_out
from copilot.cues.moments import CallMoment, Fact, Match, Moment, Timing
from copilot.cues.scene import REMEMBERED_UTTERANCES, Scene
from copilot.events import Metric, Outcome, Signal, Speaker, StepChanged, StepState
from copilot.playbook.model import CardContent, Cue, Playbook

__all__ = ["SNOOZE_S", "CardChange", "Cues"]

SNOOZE_S = 30.0
"""How long a snoozed card stays away."""
WATCHED = ("shadow", "hold_out")
"""Held back so that reps with and without the card can be compared: their outcome is wanted all the same."""
SETTLED: tuple[StepState, ...] = ("done", "done_late", "waived")


@dataclass(frozen=True)
class Watched:
    """A cue and its compiled triggers."""

    cue: Cue
    when: Condition
    close_when: Condition | None
    expected: Condition | None

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """All of them."""
        return tuple(each for each in (self.when, self.close_when, self.expected) if each)

    @cached_property
    def topics(self) -> frozenset[Topic]:
        """What any of them may happen by."""
        return frozenset().union(*(condition.topics for condition in self.conditions))

    def next_deadline_ms(self) -> int | None:
        """When time alone makes a condition happen, or change what it waits for; moves only when one is asked."""
        return earliest(condition.next_deadline_ms() for condition in self.conditions)


@dataclass(frozen=True)
class Snoozed:
    """A card that the rep wants to see again at ``at``."""

    at: float
    cue: Cue
    match: Match


Ask = Callable[[Condition], Match | None]


class Cues:
    """The cues of one call. Every method answers with what happened to cards, in order.

    ``playbook`` is compiled: no text leaves (LocalProtocolError ``trigger.uncompiled``). ``call_id`` decides which
    cues are held out.
    """

    def __init__(
        self, playbook: Playbook, *, call_id: str, context: Mapping[str, str], next_card_id: Callable[[], str]
    ) -> None:
        self._scene = Scene(first_stage=playbook.stages[0].id, context=context)
        self._must = frozenset(step.id for step in playbook.steps if step.critical)
        self._watched = tuple(_watch(cue, self._scene) for cue in playbook.cues)
        self._arbiter = Arbiter(playbook.attention, held_out(playbook.cues, call_id))
        self._deck = Deck(next_card_id)
        self._adherence = Adherence()
        self._timings: dict[str, Timing] = {}
        self._snoozed: list[Snoozed] = []
        self._about: dict[Topic, tuple[Watched, ...]] = {}
        self._waits = {watched.cue.id: watched.next_deadline_ms() for watched in self._watched}
        self._waits_ms = earliest(self._waits.values())
        self._now = 0.0
        self._due_ms: int | None = None
        self._is_stale = True
        self._is_finished = False

    def observe(self, fact: Fact, moment: Moment, timing: Timing) -> list[CardChange]:
        """Something came true; ``timing`` says when it happened and when it became known. Inert after ``finish``."""
        if self._is_finished:
            return []
        self._scene.note(fact)
        changes = self._settle(moment)
        if isinstance(fact, Signal):
            self._remember(fact.evidence.utterance_id, timing)
            changes += self._deck.confirm(fact) if fact.is_final else []
        elif isinstance(fact, StepChanged) and fact.state in SETTLED:
            changes += self._step_settled(fact, moment)
        watched = self._concerned(topic_of(fact), moment)
        if not watched and not changes and isinstance(fact, Metric):  # most numbers are no cue's business
            return self._conclude(self._adherence.tick(moment.pos_ms))
        changes += self._follow(watched, lambda condition: condition.observe(fact, moment.pos_ms), moment, timing)
        if isinstance(fact, CallMoment) and fact.kind in {"paused", "resumed"}:
            self._arbiter.pause(fact.kind == "paused")
        return changes + self._settle(moment)

    def utterance_finished(self, utterance_id: str, labels: frozenset[str], moment: Moment) -> list[CardChange]:
        """Every signal of a final utterance has been observed; ``labels`` are those of its final text."""
        timing = self._timings.pop(utterance_id, _present(moment))
        self._scene.conclude(utterance_id)
        changes: list[CardChange] = []
        for entry in self._deck.deny(utterance_id, labels):
            self._adherence.forget(entry.card.id)
            if self._deck.is_open(entry.card.id):
                changes.append(self._withdraw(entry, "not_confirmed", moment))
        changes += self._follow(
            self._concerned(FINISHED, moment),
            lambda condition: condition.utterance_finished(utterance_id, moment.pos_ms),
            moment,
            timing,
        )
        return changes + self._settle(moment)

    def speaking(self, speaker: Speaker, is_speaking: bool, moment: Moment) -> list[CardChange]:
        """Somebody began or stopped speaking."""
        if speaker == "rep":
            self._arbiter.speaking(is_speaking, moment.now)
        return self._settle(moment)

    def tick(self, moment: Moment) -> list[CardChange]:
        """Time passed, on both clocks."""
        if self._is_finished:
            return []
        watched = self._concerned(None, moment)
        changes = self._follow(watched, lambda condition: condition.tick(moment.pos_ms), moment, _present(moment))
        return changes + self._settle(moment)

    def next_deadline(self) -> float | None:
        """The wall time of the next ``tick`` that can change something."""
        times = (
            self._deck.next_expiry(),
            self._arbiter.next_deadline(self._now),
            *(snoozed.at for snoozed in self._snoozed),
        )
        return min((at for at in times if at is not None), default=None)

    def next_deadline_ms(self) -> int | None:
        """The media time of the next ``tick`` that can change something."""
        if self._is_finished:
            return None
        if self._is_stale:  # asked for with every audio frame, moved only now and then
            self._due_ms = earliest((self._adherence.next_deadline_ms(), self._waits_ms))
            self._is_stale = False
        return self._due_ms

    def rendered(self, card_id: str, moment: Moment) -> list[CardChange]:
        """A rep's screen has painted the card. Raises NotFoundError (``card.unknown``)."""
        return self._deck.rendered(card_id, moment) + self._settle(moment)

    def acked(self, card_id: str, action: Action, moment: Moment) -> list[CardChange]:
        """The rep answered the card. Raises NotFoundError (``card.unknown``)."""
        changes = self._deck.acked(card_id, action, moment)
        self._arbiter.gone(card_id)
        if action in {"snoozed", "wrong"}:
            self._adherence.forget(card_id)
        if action == "snoozed" and changes and changes[0].what == "closed":
            self._snooze(self._deck[card_id], moment)
        return changes + self._settle(moment)

    def suggested(self, card_id: str, suggestion: str, moment: Moment) -> list[CardChange]:
        """Somebody found words for the advice of a card; a card that is gone or was never seen keeps none."""
        return self._deck.suggested(card_id, suggestion) + self._settle(moment)

    def withdraw_all(self, reason: str, moment: Moment) -> list[CardChange]:
        """Nothing that led to the open cards is true any more."""
        self._snoozed.clear()
        self._adherence.forget_all()
        changes = [self._withdraw(entry, reason, moment) for entry in self._deck.open()]
        return changes + self._settle(moment)

    def finish(self, moment: Moment) -> list[CardChange]:
        """The call is over: every card ends, every outcome that can be known is."""
        self._is_finished = True
        self._snoozed.clear()
        changes = self._rule(self._arbiter.finish(moment.now), moment)
        for entry in self._deck.open():
            self._arbiter.gone(entry.card.id)
            changes.append(self._deck.close(entry.card.id, "withdrawn", "call_ended", moment))
        return changes + self._conclude(self._adherence.finish(moment.pos_ms))

    def _concerned(self, topic: Topic | None, moment: Moment) -> tuple[Watched, ...]:
        """The cues of which a condition can happen by this, or (all of them) by the time that has come."""
        if self._waits_ms is not None and self._waits_ms <= moment.pos_ms:
            return self._watched
        if topic is None:
            return ()
        if topic not in self._about:
            self._about[topic] = tuple(watched for watched in self._watched if topic in watched.topics)
        return self._about[topic]

    def _follow(self, concerned: tuple[Watched, ...], ask: Ask, moment: Moment, timing: Timing) -> list[CardChange]:
        """Ask every condition: first what ends cards and answers them, then what makes new ones, best rank first."""
        if not concerned:
            return self._conclude(self._adherence.tick(moment.pos_ms))
        changes: list[CardChange] = []
        for watched in concerned:
            expected = ask(watched.expected) if watched.expected else None
            if expected:
                changes += self._conclude(self._adherence.observe(watched.cue.id, expected.at_ms))
                changes += self._spare(watched.cue, expected, moment)
            if watched.close_when and ask(watched.close_when):
                changes += self._pass(watched.cue, moment)
        changes += self._conclude(self._adherence.tick(moment.pos_ms))
        asking = [(watched.cue, match) for watched in concerned if (match := ask(watched.when))]
        self._waits.update((watched.cue.id, watched.next_deadline_ms()) for watched in concerned)
        self._waits_ms = earliest(self._waits.values())
        for cue, match in sorted(asking, key=lambda pair: (pair[0].critical, pair[0].priority), reverse=True):
            changes += self._propose(cue, match, moment, timing)
        return changes

    def _propose(
        self, cue: Cue, match: Match, moment: Moment, timing: Timing, *, again: bool = False
    ) -> list[CardChange]:
        cue, subject = _filled(cue, match)
        entry = self._deck.draw(cue, match, moment, timing, again=again)
        utterance_id = match.signal.evidence.utterance_id if match.signal else ""
        request = Request(
            card_id=entry.card.id,
            cue=cue,
            utterance_id=utterance_id,
            again=again,
            subject=subject,
            vital=cue.kind == "compliance" or match.step_id in self._must,
        )
        return self._rule(self._arbiter.ask(request, moment.now), moment)

    def _rule(self, rulings: Iterable[Ruling], moment: Moment) -> list[CardChange]:
        """Do what the arbiter says."""
        changes: list[CardChange] = []
        for ruling in rulings:
            if isinstance(ruling, Supersede):
                changes.append(self._deck.close(ruling.card_id, "superseded", ruling.reason, moment))
                continue
            entry = self._deck[ruling.card_id]
            if isinstance(ruling, Show):
                changes.append(self._deck.show(ruling.card_id, moment))
            else:
                changes.append(self._deck.suppress(ruling.card_id, ruling.reason))
            if entry.was_shown or entry.card.suppressed_reason in WATCHED:
                self._adherence.watch(ruling.card_id, entry.cue, trigger_ms=entry.match.at_ms, pos_ms=moment.pos_ms)
        return changes

    def _settle(self, moment: Moment) -> list[CardChange]:
        """What wall time brings: cards expire, waiting ones get their turn, snoozed ones return."""
        self._now = moment.now
        self._is_stale = True
        changes: list[CardChange] = []
        for entry in self._deck.expired(moment.now):
            self._arbiter.gone(entry.card.id)
            changes.append(self._deck.close(entry.card.id, "expired", "ttl", moment))
        changes += self._rule(self._arbiter.tick(moment.now), moment)
        for snoozed in tuple(self._snoozed):
            if moment.now >= snoozed.at:
                self._snoozed.remove(snoozed)
                changes += self._propose(snoozed.cue, snoozed.match, moment, _present(moment), again=True)
        return changes

    def _pass(self, cue: Cue, moment: Moment) -> list[CardChange]:
        """The moment of this cue's cards is over."""
        self._snoozed = [snoozed for snoozed in self._snoozed if snoozed.cue.id != cue.id]
        mine = [entry for entry in self._deck.open() if entry.cue.id == cue.id]
        return [self._withdraw(entry, "moment_passed", moment) for entry in mine]

    def _spare(self, cue: Cue, expected: Match, moment: Moment) -> list[CardChange]:
        """The rep did by themselves what the cards of this cue that still wait would have asked for."""
        waiting = [entry for entry in self._deck.open() if entry.cue.id == cue.id and not entry.was_shown]
        return [
            self._withdraw(entry, "already_done", moment) for entry in waiting if entry.match.at_ms < expected.at_ms
        ]

    def _step_settled(self, change: StepChanged, moment: Moment) -> list[CardChange]:
        """A card about a step being late has nothing left to say."""
        about = [entry for entry in self._deck.open() if entry.match.step_id == change.step_id]
        return [self._withdraw(entry, f"step_{change.state}", moment) for entry in about]

    def _withdraw(self, entry: Entry, reason: str, moment: Moment) -> CardChange:
        self._arbiter.gone(entry.card.id)
        if entry.was_shown:
            return self._deck.close(entry.card.id, "withdrawn", reason, moment)
        return self._deck.suppress(entry.card.id, reason)

    def _snooze(self, entry: Entry, moment: Moment) -> None:
        """It may come back once, as a card of its own."""
        if not entry.again:
            self._snoozed.append(Snoozed(at=moment.now + SNOOZE_S, cue=entry.cue, match=entry.match))

    def _conclude(self, outcomes: Iterable[tuple[str, Outcome]]) -> list[CardChange]:
        return [self._deck.conclude(card_id, outcome) for card_id, outcome in outcomes]

    def _remember(self, utterance_id: str, timing: Timing) -> None:
        self._timings[utterance_id] = timing
        while len(self._timings) > REMEMBERED_UTTERANCES:
            del self._timings[next(iter(self._timings))]


def _watch(cue: Cue, scene: Scene) -> Watched:
    return Watched(
        cue=cue,
        when=Condition(cue.when, scene),
        close_when=Condition(cue.close_when, scene) if cue.close_when else None,
        expected=Condition(cue.expected.trigger, scene) if cue.expected else None,
    )


def _filled(cue: Cue, match: Match) -> tuple[Cue, str]:
    """The cue with what was found in its card, and what the card is then about."""
    snippet = match.signal.snippet if match.signal else None
    if snippet is None:
        return cue, ""
    card = CardContent(headline=snippet.headline, lines=snippet.lines, material=snippet.source)
    return replace(cue, card=card), snippet.source


def _present(moment: Moment) -> Timing:
    """What follows from time or silence ends, and is known, now."""
    now_ms = round(moment.now * 1000)
    return Timing(phrase_end=now_ms, recognised=now_ms)
