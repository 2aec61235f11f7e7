"""Facts -> messages of the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from copilot.call.outbox import Outbox
from copilot.call.thinking import Thinking, Thought
from copilot.cues.engine import CardChange
from copilot.events import (
    CallInfo,
    Card,
    Evidence,
    HungUp,
    Marked,
    Metric,
    ServiceDegraded,
    Signal,
    StageChanged,
    StepChanged,
    StepState,
    SupervisorMessaged,
    Utterance,
)
from copilot.playbook.model import Playbook
from copilot.transcript.turns import Transcript
from copilot.wire import messages as wire


class Renderer:
    """Writes what a call found out into its outbox."""

    def __init__(self, outbox: Outbox, playbook: Playbook) -> None:
        self._outbox = outbox
        self._playbook = playbook
        self._told: dict[tuple[str, str | None], tuple[float, str]] = {}
        self._ttl_ms = {cue.id: round(cue.ttl_s * 1000) for cue in playbook.cues}

    def opened(self, info: CallInfo, states: Mapping[str, StepState]) -> None:
        """What the call is, and the procedure it will follow: always the first message."""
        playbook = self._playbook
        self._outbox.put(
            wire.CallOpened,
            external_id=info.external_id,
            rep_id=info.rep_id,
            customer_ref=info.customer_ref,
            campaign=info.campaign,
            direction=info.direction,
            language=info.language,
            playbook=playbook.id,
            playbook_version=playbook.version,
            started_at=info.started_at,
            stages=tuple(wire.StageView(id=stage.id, title=stage.title) for stage in playbook.stages),
            steps=tuple(
                wire.StepView(
                    id=step.id, title=step.title, stage=step.stage, critical=step.critical, state=states[step.id]
                )
                for step in playbook.steps
            ),
        )

    def ended(self, call_id: str, hung_up: HungUp, totals: wire.Totals) -> None:
        """The call is over: always the last message."""
        self._outbox.put(
            wire.CallEnded,
            reason=hung_up.reason,
            totals=totals,
            report_url=f"/v1/calls/{call_id}/report",
            outcome=hung_up.outcome,
        )

    def service(self, event: ServiceDegraded) -> None:
        """Part of the service is impaired, or well again."""
        if event.restored:
            self._outbox.put(wire.ServiceRestored, stage=event.stage, reason=event.reason)
        else:
            self._outbox.put(wire.ServiceDegradedMessage, stage=event.stage, reason=event.reason, lag_ms=event.lag_ms)

    def mark(self, event: Marked) -> None:
        """Somebody marked this moment."""
        self._outbox.put(wire.MarkSet, label=event.label, set_by=event.by)

    def supervisor(self, event: SupervisorMessaged) -> None:
        """A supervisor wrote to the rep."""
        self._outbox.put(wire.SupervisorMessage, text=event.text, sent_by=event.by)

    def utterance(self, utterance: Utterance, lag_ms: int) -> None:
        """Interim or final words."""
        if not utterance.is_final:
            self._outbox.put(
                wire.TranscriptInterim,
                utterance_id=utterance.id,
                speaker=utterance.speaker,
                start_ms=utterance.start_ms,
                end_ms=utterance.end_ms,
                text=utterance.text,
                committed=utterance.committed,
            )
            return
        self._outbox.put(
            wire.TranscriptFinal,
            utterance_id=utterance.id,
            speaker=utterance.speaker,
            start_ms=utterance.start_ms,
            end_ms=utterance.end_ms,
            text=utterance.text,
            language=utterance.language,
            confidence=round(utterance.confidence, 3),
            lag_ms=lag_ms,
            words=utterance.words,
        )

    def revised(self, utterance: Utterance, reason: Literal["second_pass", "roles"] = "second_pass") -> None:
        """Final words are others now, or another's."""
        self._outbox.put(
            wire.TranscriptRevised,
            utterance_id=utterance.id,
            speaker=utterance.speaker,
            start_ms=utterance.start_ms,
            end_ms=utterance.end_ms,
            text=utterance.text,
            reason=reason,
            confidence=round(utterance.confidence, 3),
            words=utterance.words,
        )

    def signal(self, signal: Signal) -> None:
        """A detector fired; only what final text says is told."""
        if not is_told(signal):
            return
        self._outbox.put(
            wire.SignalHeard,
            label=signal.label,
            speaker=signal.speaker,
            utterance_id=signal.evidence.utterance_id,
            quote=signal.evidence.quote,
            start_ms=signal.evidence.start_ms,
            end_ms=signal.evidence.end_ms,
            score=round(signal.score, 3),
            detector=signal.detector,
            why=signal.why,
        )

    def step(self, change: StepChanged) -> None:
        """An SOP step moved."""
        self._outbox.put(
            wire.StepChangedMessage,
            step_id=change.step_id,
            state=change.state,
            previous=change.previous,
            by=change.by,
            reason=change.reason,
            **_source(change.evidence),
        )

    def stage(self, change: StageChanged) -> None:
        """The call entered a stage."""
        self._outbox.put(
            wire.StageChangedMessage,
            stage_id=change.stage_id,
            previous=change.previous,
            utterance_id=change.evidence.utterance_id if change.evidence else "",
        )

    def metric(self, metric: Metric) -> None:
        """A number about the call, told when it is another than before."""
        told = (round(metric.value, 2), metric.attention)
        if self._told.get((metric.name, metric.speaker)) == told:
            return
        self._told[metric.name, metric.speaker] = told
        self._outbox.put(
            wire.MetricMessage,
            name=metric.name,
            value=told[0],
            speaker=metric.speaker,
            attention=metric.attention,
        )

    def card(self, change: CardChange, transcript: Transcript) -> None:
        """A card was raised, changed, closed or held back."""
        card = change.card
        if change.what == "raised" and card.ledger:
            self._outbox.put(
                wire.CardRaised, card=self._view(card), caused_by=_cause(card, transcript), ledger=card.ledger
            )
        elif change.what == "suppressed":
            self._outbox.put(
                wire.CardSuppressed,
                card=self._view(card),
                caused_by=_cause(card, transcript),
                reason=card.suppressed_reason,
            )
        elif change.what == "closed":
            self._outbox.put(
                wire.CardClosed, card_id=card.id, state=card.state, reason=card.close_reason, outcome=card.outcome
            )
        elif card.ledger:
            self._outbox.put(
                wire.CardUpdated,
                card_id=card.id,
                state=card.state,
                ledger=card.ledger,
                feedback=card.feedback,
                suggestion=card.suggestion,
                outcome=card.outcome,
            )
        elif change.what == "outcome":
            self._outbox.put(wire.CardConcluded, card_id=card.id, outcome=card.outcome)

    def rethought(
        self,
        before: Thinking,
        after: Thinking,
        thoughts: Sequence[Thought],
        standing: Callable[[Utterance], Utterance],
    ) -> None:
        """What is different now that the call was thought through again. Cards of then are not shown.

        ``standing`` gives an utterance as it is to be read now.
        """
        for utterance in after.transcript.utterances:
            if utterance.is_final:
                self.revised(standing(utterance), "roles")
        latest: dict[str, StepChanged] = {}
        for thought in thoughts:
            if isinstance(thought, Signal):
                self.signal(thought)
            elif isinstance(thought, StepChanged):
                latest[thought.step_id] = thought
        for step_id, state in after.sop.states.items():
            previous = before.sop.states[step_id]
            change = latest.get(step_id, StepChanged(step_id=step_id, state=state, previous=previous, at_ms=0))
            if state != previous or change.evidence:
                self.step(msgspec.structs.replace(change, state=state, previous=previous))
        if after.sop.stage != before.sop.stage:
            self.stage(StageChanged(stage_id=after.sop.stage, previous=before.sop.stage, at_ms=0))

    def _view(self, card: Card) -> wire.CardView:
        return wire.CardView(
            id=card.id,
            cue_id=card.cue_id,
            kind=card.kind,
            state=card.state,
            priority=card.priority,
            critical=card.critical,
            headline=card.headline,
            lines=card.lines,
            material=card.material,
            why=card.why,
            ttl_ms=self._ttl_ms[card.cue_id],
        )


def is_told(signal: Signal) -> bool:
    """Whether a signal goes out: only what final text says, and not what is the engine's own business."""
    return signal.is_final and not signal.label.startswith(("cue:", "stage:", "applies:", "knowledge:"))


def _source(evidence: Evidence | None) -> dict[str, str]:
    return {"utterance_id": evidence.utterance_id, "quote": evidence.quote} if evidence else {}


def _cause(card: Card, transcript: Transcript) -> wire.CausedBy | None:
    """Cards that follow from silence or time have no words to point at."""
    said = transcript.get(card.trigger.utterance_id) if card.trigger else None
    if card.trigger is None or said is None:
        return None
    return wire.CausedBy(
        utterance_id=card.trigger.utterance_id,
        phrase_end_ms=card.trigger.end_ms,
        quote=card.trigger.quote,
        speaker=said.speaker,
    )
