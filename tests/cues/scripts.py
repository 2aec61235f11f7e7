"""Words for tests about cues: facts, cues and playbooks in one line each, and a way to play a script."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from itertools import count

from copilot.cues.engine import Cues
from copilot.cues.expression import Condition
from copilot.cues.moments import CallMoment, Fact, Match, Moment, Timing
from copilot.cues.scene import Scene
from copilot.events import Evidence, Metric, Signal, Speaker, StageChanged, StepChanged, StepState
from copilot.playbook.model import Attention, CardContent, Cue, Playbook, Stage, Trigger

STAGES = ("opening", "discovery", "close")
numbers = count(1)


def heard(
    label: str,
    end_ms: int,
    *,
    speaker: Speaker = "customer",
    utterance: str = "",
    is_final: bool = True,
    quote: str = "so they said",
) -> Signal:
    """A signal; without a name, of an utterance of its own."""
    evidence = Evidence(
        utterance_id=utterance or f"u{next(numbers)}", quote=quote, start_ms=max(0, end_ms - 500), end_ms=end_ms
    )
    return Signal(
        label=label,
        speaker=speaker,
        evidence=evidence,
        score=0.9,
        is_final=is_final,
        detector="test",
        why=f"why {label}",
    )


def stepped(step_id: str, state: StepState, at_ms: int = 0) -> StepChanged:
    return StepChanged(step_id=step_id, state=state, previous="pending", at_ms=at_ms)


def entered(stage_id: str, at_ms: int = 0) -> StageChanged:
    return StageChanged(stage_id=stage_id, previous="", at_ms=at_ms)


def metric(name: str, value: float, speaker: Speaker | None = None) -> Metric:
    return Metric(name=name, value=value, speaker=speaker)


def moment(kind: str, **more) -> CallMoment:
    return CallMoment(kind=kind, **more)


def cue(cue_id: str, when: Trigger | None = None, **more) -> Cue:
    """A cue that waits for the signal of its own name and has a headline like no other."""
    return Cue(
        id=cue_id,
        when=when or Trigger(signal=cue_id),
        card=CardContent(headline=more.pop("headline", sha256(cue_id.encode()).hexdigest())),
        kind=more.pop("kind", "objection"),
        **more,
    )


def playbook(*cues: Cue, **attention) -> Playbook:
    return Playbook(
        schema=1,
        id="test",
        version="1.0.0",
        title="Test",
        language="en",
        stages=tuple(Stage(id=stage, title=stage) for stage in STAGES),
        cues=cues,
        attention=Attention(**attention),
    )


def follow(trigger: Trigger, script: Iterable[tuple[int, Fact | None]], **context: str) -> list[int]:
    """When the trigger happens. Every deadline on the way is ticked; a fact of None is time passing."""
    return [match.at_ms for match in matches(trigger, script, **context)]


def matches(trigger: Trigger, script: Iterable[tuple[int, Fact | None]], **context: str) -> list[Match]:
    scene = Scene(first_stage=STAGES[0], context=context)
    condition = Condition(trigger, scene)
    found: list[Match | None] = []
    for pos_ms, fact in script:
        while (due_ms := condition.next_deadline_ms()) is not None and due_ms < pos_ms:
            found.append(condition.tick(due_ms))
        if fact is None:
            found.append(condition.tick(pos_ms))
            continue
        scene.note(fact)
        found.append(condition.observe(fact, pos_ms))
    return [match for match in found if match]


class Desk:
    """The cues of a call with a rep in front of them; ``log`` is everything that happened to cards."""

    def __init__(self, *cues: Cue, context: dict[str, str] | None = None, **attention) -> None:
        ids = count(1)
        self.cues = Cues(
            playbook(*cues, **attention),
            call_id="call_1",
            context=context or {},
            next_card_id=lambda: f"c{next(ids)}",
        )
        self.log: list = []
        self.now = 0.0

    def at(self, now: float) -> Moment:
        """Live until ``now``; media time runs with wall time. Every deadline on the way is ticked."""
        while (due := self._next_due()) is not None and due < now:
            assert due > self.now, "a deadline that does not move on"
            self.now = due
            self._add(self.cues.tick(self.moment()))
        self.now = max(self.now, now)
        return self.moment()

    def moment(self) -> Moment:
        return Moment(now=self.now, pos_ms=round(self.now * 1000))

    def hear(self, now: float, *labels: str, **how) -> Desk:
        return self.observe(now, *(heard(label, round(now * 1000), **how) for label in labels))

    def observe(self, now: float, *facts: Fact) -> Desk:
        for fact in facts:
            timing = Timing(phrase_end=round(now * 1000) - 800, recognised=round(now * 1000) - 100)
            self._add(self.cues.observe(fact, self.at(now), timing))
        return self

    def finished(self, now: float, utterance: str, *labels: str) -> Desk:
        return self._add(self.cues.utterance_finished(utterance, frozenset(labels), self.at(now)))

    def speaks(self, now: float, is_speaking: bool, speaker: Speaker = "rep") -> Desk:
        return self._add(self.cues.speaking(speaker, is_speaking, self.at(now)))

    def ack(self, now: float, card_id: str, action: str) -> Desk:
        return self._add(self.cues.acked(card_id, action, self.at(now)))

    def render(self, now: float, card_id: str) -> Desk:
        return self._add(self.cues.rendered(card_id, self.at(now)))

    def wait(self, now: float) -> Desk:
        return self._add(self.cues.tick(self.at(now)))

    def end(self, now: float) -> Desk:
        return self._add(self.cues.finish(self.at(now)))

    @property
    def story(self) -> list[tuple]:
        """(when, what, cue, how) of every change."""
        how = {
            "closed": lambda card: f"{card.state}: {card.close_reason}",
            "suppressed": lambda card: card.suppressed_reason,
            "updated": lambda card: card.feedback or card.state,
            "outcome": lambda card: card.outcome,
            "raised": lambda card: card.id,
        }
        return [(now, what, card.cue_id, how[what](card)) for now, what, card in self.log]

    def _next_due(self) -> float | None:
        due_ms = self.cues.next_deadline_ms()
        due = self.cues.next_deadline()
        times = [] if due is None else [due]
        # to the millisecond above, so that media time has really reached it
        times += [] if due_ms is None else [max(due_ms / 1000, self.now + 0.0005)]
        return min(times, default=None)

    def _add(self, changes) -> Desk:
        self.log += [(round(self.now, 3), change.what, change.card) for change in changes]
        return self
