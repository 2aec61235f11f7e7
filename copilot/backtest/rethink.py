"""A stored call thought through again with another playbook: the same words at the same moments, other cards.

With the playbook the call had, this is the call: nothing is added to what its mind was told. Another playbook has
deadlines of its own; it gets a tick when one falls due and the log holds none, and an answer of the encoder when it
asks where the call did not (after as long as this call's encoder usually took). What the rep did with a card applies
to the card of the same cue on the same words, if there is one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from copilot.backtest.track import CardKey, Told, Track, new_key
from copilot.call.arrivals import KEEP
from copilot.call.setup import CallSetup, Minds
from copilot.call.thinking import Thinking, Thought
from copilot.cues.engine import CardChange
from copilot.cues.moments import Moment
from copilot.errors import NotFoundError
from copilot.events import Card, Frozen, StepState

DIMENSIONS = 512
USUAL_LATENCY_S = 0.03
"""How long the encoder takes where a call never asked it."""

Encode = Callable[[tuple[str, ...]], bytes]


class Rethought(Frozen, frozen=True, kw_only=True):
    """What became of the call. ``cards``: every card in the order of its ruling, shown or held back, as it was then;
    ``ends`` the same as they were left, by id.
    """

    cards: tuple[Card, ...]
    ends: dict[str, Card]
    steps: dict[str, StepState]
    duration_ms: int


def rethink(track: Track, setup: CallSetup, encode: Encode | None) -> Rethought:
    """Think ``track`` through with the playbook of ``setup``.

    ``encode``: texts -> bytes of float32 rows, for texts the call never had encoded. What a language model answered is
    that of the call; what only this playbook would ask one is answered by nobody.
    """
    return _Rethinking(track, setup, encode).run()


class _Rethinking:
    def __init__(self, track: Track, setup: CallSetup, encode: Encode | None) -> None:
        self._track = track
        self._nows: NDArray[np.float64] = np.frombuffer(track.nows, "<f8")
        self._settled: list[int] = np.frombuffer(track.settled, "<i4").tolist()
        self._dues: NDArray[np.float64] = np.frombuffer(track.dues, "<f8")
        positions = np.frombuffer(track.positions, "<i4")
        self._is_chat = track.info.kind == "chat"
        arrived = np.flatnonzero(np.diff(positions, prepend=0) > 0) if not self._is_chat else np.zeros(0, int)
        self._arrival_events = arrived.tolist()
        self._arrival_ends = positions[arrived].tolist()
        self._meanings = Meanings(track, encode)
        self._asked: dict[str, tuple[str, ...]] = {}
        self._answers: list[tuple[float, str]] = []
        self._event, self._now = 0, 0.0
        self._ticked_at = -1.0
        self._keys: dict[CardKey, str] = {}
        self._seen: dict[tuple[str, str], int] = {}
        self._cards: dict[str, Card] = {}
        self._ends: dict[str, Card] = {}
        self._is_silent = False
        self._minds = Minds(track.info, setup, self._wall)
        self._mind = self._minds.another()
        self._count = 0

    def run(self) -> Rethought:
        told = self._track.told
        start = 0
        while start < len(told):
            event = told[start].event
            stop = start
            while stop < len(told) and told[stop].event == event:
                stop += 1
            self._until(event)
            self._event = event
            self._ticked_at = -1.0
            for each in told[start:stop]:
                self._apply(each)
            if not any(each.verb in {"tick", "finish"} for each in told[start:stop]):
                self._follow_media(event)
            start = stop
        return Rethought(
            cards=tuple(self._cards.values()),
            ends=self._ends,
            steps=dict(self._mind.sop.states),
            duration_ms=int(np.frombuffer(self._track.positions, "<i4")[-1]) if len(self._nows) else 0,
        )

    # --- what the log says ----------------------------------------------------------------------------------

    def _apply(self, told: Told) -> None:
        if told.verb == "anew":
            self._count += 1
            self._is_silent = self._count > 1  # what a new mind lives through again is told to nobody
            if self._count > 1:
                self._mind = self._minds.another()
            return
        if told.verb == "finish":
            self._answer_all()
        self._now = max(self._now, told.now)
        moment = Moment(now=told.now, pos_ms=told.pos_ms)
        try:
            self._take(REDO[told.verb](self, told, moment))
        except NotFoundError:
            return  # a step or card that this playbook does not have
        if told.verb == "withdraw_all":
            self._is_silent = False

    def heard(self, told: Told, moment: Moment) -> list[Thought]:
        """Words, and what they mean if that is asked for."""
        if told.heard is None:
            return []
        thoughts, texts = self._mind.heard(told.heard, told.speaker, moment)
        utterance_id = told.heard.utterance_id
        self._asked.pop(utterance_id, None)
        self._answers = [answer for answer in self._answers if answer[1] != utterance_id]
        if texts:
            self._asked[utterance_id] = texts
            if not told.texts:
                self._answers.append((moment.now + self._meanings.latency_s, utterance_id))
                self._answers.sort()
        return thoughts

    def embedded(self, told: Told, moment: Moment) -> list[Thought]:
        """The encoder answered the call."""
        texts = self._asked.pop(told.name, ())
        if not texts:
            return []
        vectors = self._meanings.of(texts) if told.vectors else np.zeros((0, DIMENSIONS), np.float32)
        return self._mind.embedded(told.name, vectors, moment)

    def card(self, told: Told) -> str:
        """The card of this playbook that an answer to one of the call's cards is about. NotFoundError."""
        if told.card is None or told.card not in self._keys:
            raise NotFoundError("card.unknown", "this playbook showed no such card")
        return self._keys[told.card]

    @property
    def mind(self) -> Thinking:
        """Who thinks at present."""
        return self._mind

    # --- what this playbook waits for ----------------------------------------------------------------------

    def _until(self, event: int) -> None:
        """What falls due between the last event told of and ``event``."""
        while True:
            dues = [due for due in (self._card_due(event), self._media_due(event), self._answer_due(event)) if due]
            if not dues:
                return
            at, after, act = min(dues, key=lambda due: due[:2])
            self._event, self._now = after, max(self._now, at)
            pos_ms = round(at * 1000) if self._is_chat else self._settled[after]
            self._take(act(Moment(now=self._now, pos_ms=pos_ms)))

    def _card_due(self, event: int) -> tuple[float, int, Callable[[Moment], list[Thought]]] | None:
        """A card of this playbook wants attention before the call's own did."""
        due = self._mind.next_deadline()
        if self._is_chat and (due_ms := self._mind.next_deadline_ms()) is not None:
            due = min(due_ms / 1000, np.inf if due is None else due)
        if due is None or due >= self._time_of(event) or due >= self._dues[self._event] or due <= self._ticked_at:
            return None
        after = max(self._event, int(np.searchsorted(self._nows, due, side="right")) - 1)
        return due, after, self._tick

    def _media_due(self, event: int) -> tuple[float, int, Callable[[Moment], list[Thought]]] | None:
        due_ms = self._mind.next_deadline_ms()
        if due_ms is None or self._is_chat:
            return None
        between = range(self._event + 1, min(event, len(self._settled)))
        after = next((at for at in between if self._settled[at] >= due_ms), None)
        if after is None:
            return None
        return float(self._nows[after]), after, self._tick

    def _answer_due(self, event: int) -> tuple[float, int, Callable[[Moment], list[Thought]]] | None:
        if not self._answers or self._answers[0][0] >= self._time_of(event):
            return None
        at = self._answers[0][0]
        after = max(self._event, int(np.searchsorted(self._nows, at, side="right")) - 1)
        return at, after, self._answer

    def _tick(self, moment: Moment) -> list[Thought]:
        self._ticked_at = moment.now
        return self._mind.tick(moment)

    def _answer(self, moment: Moment) -> list[Thought]:
        _, utterance_id = self._answers.pop(0)
        return self._mind.embedded(utterance_id, self._meanings.of(self._asked.pop(utterance_id)), moment)

    def _answer_all(self) -> None:
        """A call does not end before the encoder has answered."""
        while self._answers:
            self._take(self._answer(Moment(now=self._now, pos_ms=self._settled[self._event])))

    def _follow_media(self, event: int) -> None:
        due_ms = self._mind.next_deadline_ms()
        if due_ms is not None and self._settled[event] >= due_ms:
            moment = Moment(now=float(self._nows[event]), pos_ms=self._settled[event])
            self._take(self._tick(moment))

    # --- keeping --------------------------------------------------------------------------------------------

    def _take(self, thoughts: Iterable[Thought]) -> None:
        for thought in thoughts:
            if not isinstance(thought, CardChange):
                continue
            card = thought.card
            if card.id not in self._ends:
                self._keys[new_key(thought, self._seen)] = card.id
            self._ends[card.id] = card
            if not self._is_silent and thought.what in {"raised", "suppressed"}:
                self._cards[card.id] = card

    def _time_of(self, event: int) -> float:
        return float(self._nows[event]) if event < len(self._nows) else np.inf

    def _wall(self, at_ms: int) -> float:
        """When the sample at media time ``at_ms`` arrived, as ``Arrivals`` says."""
        known = bisect_left(self._arrival_events, self._event + 1)
        index = bisect_left(self._arrival_ends, at_ms, max(0, known - KEEP), known)
        return float(self._nows[self._arrival_events[index]]) if index < known else self._now


REDO: dict[str, Callable[[_Rethinking, Told, Moment], Any]] = {
    "heard": _Rethinking.heard,
    "embedded": _Rethinking.embedded,
    "speech": lambda run, told, moment: run.mind.speech(told.speaker, told.is_speaking, told.at_ms, moment),
    "unheard": lambda run, told, moment: run.mind.unheard(told.span, moment),
    "tick": lambda run, _, moment: run.mind.tick(moment),
    "measure": lambda run, _, moment: run.mind.measure(moment),
    "happened": lambda run, told, moment: run.mind.happened(told.happened, moment) if told.happened else [],
    "tick_step": lambda run, told, moment: run.mind.tick_step(told.name, told.by, moment),
    "waive_step": lambda run, told, moment: run.mind.waive_step(told.name, told.by, told.reason, moment),
    "finish": lambda run, _, moment: run.mind.finish(moment),
    "affirmed": lambda run, told, moment: run.mind.affirmed(told.name, told.reason, told.span, moment),
    "suggested": lambda run, told, moment: run.mind.cues.suggested(run.card(told), told.reason, moment),
    "rendered": lambda run, told, moment: run.mind.cues.rendered(run.card(told), moment),
    "acked": lambda run, told, moment: run.mind.cues.acked(run.card(told), told.action, moment),
    "withdraw_all": lambda run, told, moment: run.mind.cues.withdraw_all(told.reason, moment),
}
"""How each thing a mind was told is told again."""


class Meanings:
    """Sentence vectors of a call's texts: those the call had encoded, and new ones when they are asked for."""

    def __init__(self, track: Track, encode: Encode | None) -> None:
        self._encode = encode
        self._known: dict[str, NDArray[np.float32]] = {}
        asked: dict[str, Told] = {}
        waits: list[float] = []
        for told in track.told:
            if told.verb == "heard" and told.heard and told.texts:
                asked[told.heard.utterance_id] = told
            elif told.verb == "embedded" and told.vectors and (question := asked.pop(told.name, None)):
                waits.append(told.now - question.now)
                rows = np.frombuffer(told.vectors, "<f4").reshape(-1, DIMENSIONS)
                self._known.update(zip(question.texts, rows, strict=False))
        self.latency_s = median(waits) if waits else USUAL_LATENCY_S

    def of(self, texts: tuple[str, ...]) -> NDArray[np.float32]:
        """Rows [texts, 512]; none when there is no encoder and the call had not asked for all of them."""
        missing = tuple(dict.fromkeys(text for text in texts if text not in self._known))
        if missing and self._encode is None:
            return np.zeros((0, DIMENSIONS), np.float32)
        if missing and self._encode:
            rows = np.frombuffer(self._encode(missing), "<f4").reshape(-1, DIMENSIONS)
            self._known.update(zip(missing, rows, strict=True))
        return np.array([self._known[text] for text in texts], np.float32)
