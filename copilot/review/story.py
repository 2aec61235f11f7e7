"""The log, read once: what was said, shown, done and interrupted. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from copilot.events import Ledger, Speaker, StepState, Word
from copilot.review import forms
from copilot.review.model import Impairment, Line, Note, Pause, Span
from copilot.wire import messages as wire


class Shown(msgspec.Struct, kw_only=True):
    """A card as the log tells it."""

    view: wire.CardView
    cause: wire.CausedBy | None
    at_ms: int
    state: str
    ledger: Ledger | None = None
    outcome: str = "undetermined"
    feedback: str = ""
    suppressed_reason: str = ""
    close_reason: str = ""


class StepPast(msgspec.Struct, kw_only=True):
    """The last state of a step and what moved it there."""

    state: StepState
    at_ms: int
    utterance_id: str = ""
    quote: str = ""
    by: str = ""


class Story(msgspec.Struct, kw_only=True):
    """One call, from its log. ``applied``: when a conditional step came to apply."""

    lines: tuple[Line, ...] = ()
    words: dict[str, tuple[Word, ...]] = {}
    signals: tuple[wire.SignalHeard, ...] = ()
    cards: tuple[Shown, ...] = ()
    steps: dict[str, StepPast] = {}
    applied: dict[str, int] = {}
    stages: tuple[tuple[str, int], ...] = ()
    pauses: tuple[Pause, ...] = ()
    impairments: tuple[Impairment, ...] = ()
    notes: tuple[Note, ...] = ()
    swaps: int = 0
    opened: wire.CallOpened | None = None
    ended: wire.CallEnded | None = None
    duration_ms: int = 0


def read(messages: Sequence[wire.AnyCallMessage]) -> Story:
    """Fold the log of a call. A log that breaks off before ``call.ended`` is read as far as it goes."""
    reader = _Reader()
    for message in messages:
        reader.take(message)
    return reader.story()


T = TypeVar("T", Pause, Impairment)
OTHER: dict[Speaker, Speaker] = {"rep": "customer", "customer": "rep"}


class _Reader:
    """One method per message type that matters; the rest passes by."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}
        self._words: dict[str, tuple[Word, ...]] = {}
        self._signals: list[wire.SignalHeard] = []
        self._cards: dict[str, Shown] = {}
        self._stages: list[tuple[str, int]] = []
        self._steps: dict[str, StepPast] = {}
        self._applied: dict[str, int] = {}
        self._pauses: list[Pause] = []
        self._impairments: list[Impairment] = []
        self._notes: list[Note] = []
        self._swaps = 0
        self._opened: wire.CallOpened | None = None
        self._ended: wire.CallEnded | None = None
        self._pos_ms = 0
        self._takers: dict[type, Callable[[Any], None]] = {
            wire.CallOpened: self._open,
            wire.TranscriptFinal: self._final,
            wire.TranscriptRevised: self._revise,
            wire.RolesSwappedMessage: self._swap,
            wire.SignalHeard: self._signals.append,
            wire.CardRaised: self._raise,
            wire.CardUpdated: self._update,
            wire.CardClosed: self._close,
            wire.CardSuppressed: self._suppress,
            wire.CardConcluded: self._conclude,
            wire.StageChangedMessage: self._stage,
            wire.StepChangedMessage: self._step,
            wire.ServiceDegradedMessage: self._degrade,
            wire.ServiceRestored: self._restore,
            wire.CallPaused: self._pause,
            wire.CallResumed: self._resume,
            wire.MarkSet: self._mark,
            wire.SupervisorMessage: self._supervisor,
            wire.CallEnded: self._end,
        }

    def take(self, message: wire.AnyCallMessage) -> None:
        self._pos_ms = max(self._pos_ms, message.pos_ms)
        taker = self._takers.get(type(message))
        if taker:
            taker(message)

    def story(self) -> Story:
        lines = sorted(self._lines.values(), key=lambda line: (line.start_ms, line.end_ms, line.utterance_id))
        heard_ms = max((line.end_ms for line in lines), default=0)
        total_ms = self._ended.totals.duration_ms if self._ended else 0
        duration_ms = max(total_ms, heard_ms) if self._ended else max(self._pos_ms, heard_ms)
        return Story(
            lines=tuple(lines),
            words=self._words,
            signals=tuple(self._signals),
            cards=tuple(self._cards.values()),
            steps=self._steps,
            applied=self._applied,
            stages=tuple(self._stages),
            pauses=tuple(_closed(pause, duration_ms, pause.paused_ms is None) for pause in self._pauses),
            impairments=tuple(_closed(item, duration_ms, not item.is_restored) for item in self._impairments),
            notes=tuple(self._notes),
            swaps=self._swaps,
            opened=self._opened,
            ended=self._ended,
            duration_ms=duration_ms,
        )

    def _open(self, message: wire.CallOpened) -> None:
        self._opened = message

    def _end(self, message: wire.CallEnded) -> None:
        self._ended = message

    # --- words

    def _final(self, message: wire.TranscriptFinal) -> None:
        if not message.text.strip():
            return
        self._words[message.utterance_id] = message.words
        self._put(
            Line(
                utterance_id=message.utterance_id,
                speaker=message.speaker,
                start_ms=message.start_ms,
                end_ms=max(message.start_ms, message.end_ms),
                text=message.text,
                language=message.language,
                confidence=message.confidence,
                lag_ms=message.lag_ms,
            )
        )

    def _revise(self, message: wire.TranscriptRevised) -> None:
        """The log tells ``roles.swapped`` first, then the revisions that follow from it: these are absolute."""
        line = self._lines.get(message.utterance_id)
        if not message.text.strip():
            self._lines.pop(message.utterance_id, None)
            return
        if message.words is not None:
            self._words[message.utterance_id] = message.words
        base = line or Line(utterance_id=message.utterance_id, speaker=message.speaker, start_ms=0, end_ms=0, text="")
        self._put(
            msgspec.structs.replace(
                base,
                speaker=message.speaker,
                start_ms=message.start_ms,
                end_ms=max(message.start_ms, message.end_ms),
                text=message.text,
                confidence=base.confidence if message.confidence is None else message.confidence,
                is_revised=base.is_revised or message.text != base.text,
            )
        )

    def _put(self, line: Line) -> None:
        backchannel = forms.is_backchannel(line.text, line.length_ms)
        self._lines[line.utterance_id] = msgspec.structs.replace(line, is_backchannel=backchannel)

    def _swap(self, message: wire.RolesSwappedMessage) -> None:  # noqa: ARG002
        self._swaps += 1
        for line in list(self._lines.values()):
            self._put(msgspec.structs.replace(line, speaker=OTHER[line.speaker]))

    # --- cards

    def _raise(self, message: wire.CardRaised) -> None:
        self._cards[message.card.id] = Shown(
            view=message.card,
            cause=message.caused_by,
            at_ms=message.pos_ms,
            state=message.card.state,
            ledger=message.ledger,
        )

    def _suppress(self, message: wire.CardSuppressed) -> None:
        self._cards[message.card.id] = Shown(
            view=message.card,
            cause=message.caused_by,
            at_ms=message.pos_ms,
            state="suppressed",
            suppressed_reason=message.reason,
        )

    def _update(self, message: wire.CardUpdated) -> None:
        card = self._cards.get(message.card_id)
        if card:
            card.state = message.state
            card.ledger = message.ledger
            card.feedback = message.feedback or card.feedback
            if message.outcome != "undetermined":
                card.outcome = message.outcome

    def _close(self, message: wire.CardClosed) -> None:
        card = self._cards.get(message.card_id)
        if card:
            card.state = message.state
            card.close_reason = message.reason
            if message.outcome != "undetermined":
                card.outcome = message.outcome

    def _conclude(self, message: wire.CardConcluded) -> None:
        card = self._cards.get(message.card_id)
        if card:
            card.outcome = message.outcome

    # --- procedure

    def _stage(self, message: wire.StageChangedMessage) -> None:
        line = self._lines.get(message.utterance_id)
        self._stages.append((message.stage_id, line.start_ms if line else message.pos_ms))

    def _step(self, message: wire.StepChangedMessage) -> None:
        if message.previous == "not_applicable":
            self._applied[message.step_id] = message.pos_ms
        self._steps[message.step_id] = StepPast(
            state=message.state,
            at_ms=message.pos_ms,
            utterance_id=message.utterance_id,
            quote=message.quote,
            by=message.by,
        )

    # --- disturbances

    def _degrade(self, message: wire.ServiceDegradedMessage) -> None:
        span = Span(start_ms=message.pos_ms, end_ms=message.pos_ms)
        self._impairments.append(
            Impairment(span=span, stage=message.stage, reason=message.reason, lag_ms=message.lag_ms, is_restored=False)
        )

    def _restore(self, message: wire.ServiceRestored) -> None:
        for index, item in enumerate(self._impairments):
            if item.stage == message.stage and not item.is_restored:
                ended = _closed(item, message.pos_ms, still_open=True)
                self._impairments[index] = msgspec.structs.replace(ended, is_restored=True)

    def _pause(self, message: wire.CallPaused) -> None:
        span = Span(start_ms=message.pos_ms, end_ms=message.pos_ms)
        self._pauses.append(Pause(span=span, reason=message.reason, paused_ms=None))

    def _resume(self, message: wire.CallResumed) -> None:
        if self._pauses and self._pauses[-1].paused_ms is None:
            ended = _closed(self._pauses[-1], message.pos_ms, still_open=True)
            self._pauses[-1] = msgspec.structs.replace(ended, paused_ms=message.paused_ms)

    # --- people

    def _mark(self, message: wire.MarkSet) -> None:
        self._notes.append(Note(kind="mark", at_ms=message.pos_ms, text=message.label, by=message.set_by))

    def _supervisor(self, message: wire.SupervisorMessage) -> None:
        self._notes.append(Note(kind="supervisor", at_ms=message.pos_ms, text=message.text, by=message.sent_by))


def _closed(item: T, end_ms: int, still_open: bool) -> T:
    """What was still open ends here."""
    if not still_open:
        return item
    return msgspec.structs.replace(item, span=Span(start_ms=item.span.start_ms, end_ms=max(item.span.start_ms, end_ms)))
