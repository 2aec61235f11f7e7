"""What a call's signals, cards and steps were worth, against what was really said in it.

Signals are what detectors heard on final text, before the arbiter; cards are what the rep saw. Both are judged alike:
right when the label was said where they point. Labels said several times in one utterance count once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from copilot.playbook.model import Playbook
from copilot.playbook.walk import walk

from .lags import EARLY_S, LATE_S, Message, of_type
from .stats import quantile
from .truth import Truth

JUDGED = (
    "objection.",
    "signal.",
    "compliance.",
    "opening.",
    "rapport.",
    "discovery.",
    "pitch.",
    "trial_close.",
    "close.",
)
"""What the truth files have labels for."""
STEP_EVENTS = ("step_warned", "step_overdue")
DONE = ("done", "done_late")


class Event(msgspec.Struct, frozen=True):
    """A label said by somebody. Something found belongs to it when it ends in the window."""

    call: str
    label: str
    speaker: str
    end: float
    window: tuple[float, float]
    text: str = ""


class Found(msgspec.Struct, frozen=True):
    """A signal or a card: where its words end and when it was there, seconds; what they are."""

    call: str
    label: str
    at: float
    end: float
    quote: str


class Tally(msgspec.Struct):
    """One label: what was ``said``, what of it was ``found``, what was claimed and how much of that was ``right``."""

    said: int = 0
    found: int = 0
    claimed: int = 0
    right: int = 0
    lags: list[float] = []
    calls_said: list[tuple[str, str]] = []
    calls_found: list[tuple[str, str]] = []
    missed: list[str] = []
    false: list[str] = []

    def add(self, other: Tally) -> None:
        """Together."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def figures(self) -> dict[str, Any]:
        """As they go into a report; ``calls_*``: in how many calls the label was said, and found at least once."""
        precision = self.right / self.claimed if self.claimed else None
        recall = self.found / self.said if self.said else None
        both = 2 * precision * recall / (precision + recall) if precision and recall else None
        return {
            "said": self.said,
            "found": self.found,
            "claimed": self.claimed,
            "right": self.right,
            "precision": _round(precision),
            "recall": _round(recall),
            "f1": _round(both),
            "calls_said": len(set(self.calls_said)),
            "calls_found": len(set(self.calls_found)),
            "lag_p50_s": quantile(self.lags, 0.5),
            "lag_p95_s": quantile(self.lags, 0.95),
        }


def events(call: str, truth: Truth, *, by_utterance: bool) -> list[Event]:
    """What was said. ``by_utterance``: where in its utterance a phrase stands is not known to the engine."""
    found: dict[tuple[int, str], Event] = {}
    for index, said in enumerate(truth.utterances):
        for phrase in said.phrases:
            window = (said.start, said.end) if by_utterance else (phrase.start - EARLY_S, phrase.end + LATE_S)
            for label in phrase.labels:
                earlier = found.get((index, label))
                start = min(earlier.window[0], window[0]) if earlier else window[0]
                found[index, label] = Event(
                    call, label, said.speaker, earlier.end if earlier else phrase.end, (start, window[1]), phrase.text
                )
    return list(found.values())


def hard_negatives(call: str, truth: Truth) -> list[Event]:
    """Phrases that sound like a label and are none."""
    return [
        Event(call, label, said.speaker, phrase.end, (phrase.start, phrase.end + 0.5), phrase.text)
        for said in truth.utterances
        for phrase in said.phrases
        for label in phrase.hard_negative_for
    ]


def signals(call: str, messages: Sequence[Message], labels: Collection[str]) -> list[Found]:
    """What was heard of ``labels``."""
    return [
        Found(call, signal["label"], signal["at"], signal["end_ms"] / 1000, signal["quote"])
        for signal in of_type(messages, "signal.heard")
        if signal["label"].startswith(JUDGED) and signal["label"] in labels
    ]


def cards(call: str, messages: Sequence[Message], kind: str = "card.raised") -> list[Found]:
    """What was shown because of words; of ``card.suppressed`` what was held back, quoting why."""
    return [
        Found(
            call,
            card["card"]["cue_id"],
            card["at"],
            card["caused_by"]["phrase_end_ms"] / 1000,
            card.get("reason") or card["caused_by"]["quote"],
        )
        for card in of_type(messages, kind)
        if card["caused_by"] and card["card"]["cue_id"].startswith(JUDGED)
    ]


def judge(said: Sequence[Event], claimed: Sequence[Found]) -> dict[str, Tally]:
    """By label. A lag counts from the end of the first phrase of the event it belongs to."""
    tallies: dict[str, Tally] = {}
    met: set[int] = set()
    for each in claimed:
        tally = tallies.setdefault(each.label, Tally())
        tally.claimed += 1
        fitting = [index for index, event in enumerate(said) if _is_of(each, event)]
        if not fitting:
            tally.false.append(f"{each.call}: {each.quote}")
            continue
        tally.right += 1
        nearest = min(fitting, key=lambda index: abs(said[index].end - each.end))
        tally.lags.append(each.at - said[nearest].end)
        met.update(fitting)
    for index, event in enumerate(said):
        tally = tallies.setdefault(event.label, Tally())
        tally.said += 1
        tally.calls_said.append((event.call, event.label))
        if index in met:
            tally.found += 1
            tally.calls_found.append((event.call, event.label))
        else:
            tally.missed.append(f"{event.call}: {event.text}")
    return tallies


def tricked(negatives: Sequence[Event], claimed: Iterable[Found]) -> list[str]:
    """Hard negatives that were taken for what they are not."""
    return [
        f"{each.label} in {each.call}: {each.quote}" for each in claimed for event in negatives if _is_of(each, event)
    ]


def unseen(said: Sequence[Event], shown: Sequence[Found], held: Sequence[Found]) -> list[str]:
    """Every event without a card, and why its card was held back (nothing matched: ``unheard``)."""
    found = []
    for event in said:
        if not any(_is_of(card, event) for card in shown):
            reasons = sorted({card.quote for card in held if _is_of(card, event)}) or ["unheard"]
            found.append(f"{event.label} in {event.call}: {', '.join(reasons)}")
    return found


def held_back(messages: Sequence[Message]) -> Counter[str]:
    """Why cards were not shown."""
    return Counter(card["reason"] for card in of_type(messages, "card.suppressed"))


# --- steps ----------------------------------------------------------------------------------------------------


class Steps(msgspec.Struct):
    """Ticks against what was done; ``missing_*``: cards that say a step is missing, against what was missing."""

    wanted: int = 0
    ticked: int = 0
    right: int = 0
    states: int = 0
    states_right: int = 0
    missing: int = 0
    missing_said: int = 0
    missing_cards: int = 0
    missing_cards_right: int = 0
    errors: list[str] = []

    def add(self, other: Steps) -> None:
        """Together."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def figures(self) -> dict[str, Any]:
        """As they go into a report."""
        whole = self.wanted + self.ticked
        return {
            "precision": _round(self.right / self.ticked) if self.ticked else None,
            "recall": _round(self.right / self.wanted) if self.wanted else None,
            "f1": _round(2 * self.right / whole) if whole else None,
            "missing_accuracy": _round(self.states_right / self.states) if self.states else None,
            **{name: getattr(self, name) for name in self.__struct_fields__ if name != "errors"},
        }


def missing_cues(playbook: Playbook) -> dict[str, str]:
    """Cues that say a step is missing, and which."""
    found = {}
    for cue in playbook.cues:
        for _, trigger in walk(cue.when):
            if trigger.event and trigger.event.is_ in STEP_EVENTS and trigger.event.step:
                found[cue.id] = trigger.event.step
    return found


def steps(call: str, truth: Truth, messages: Sequence[Message], missing: Mapping[str, str]) -> Steps:
    """One call. A card about a missing step is right when the step had not been done by then (settled or not)."""
    states = {change["step_id"]: change["state"] for change in of_type(messages, "step.changed")}
    done = {step for step, state in states.items() if state in DONE}
    figures = Steps(wanted=len(truth.steps), ticked=len(done), right=len(done & truth.steps))
    figures.states = len(truth.sop)
    figures.states_right = sum((step in done) == (end is not None) for step, end in truth.sop.items())
    figures.errors += [f"{call}: missed {step}" for step in sorted(truth.steps - done)]
    figures.errors += [f"{call}: ticked {step}" for step in sorted(done - truth.steps)]
    shown = {}
    for card in of_type(messages, "card.raised"):
        if step := missing.get(card["card"]["cue_id"]):
            shown[step] = card["at"]
            end = truth.sop.get(step)
            figures.missing_cards += 1
            figures.missing_cards_right += end is None or end > card["at"]
            if end is not None and end <= card["at"]:
                figures.errors.append(f"{call}: false card {card['card']['cue_id']}")
    for step in set(missing.values()):
        if step in truth.sop and truth.sop[step] is None:
            figures.missing += 1
            figures.missing_said += step in shown
            if step not in shown:
                figures.errors.append(f"{call}: no card about missing {step}")
    return figures


# --- attention ------------------------------------------------------------------------------------------------


def crowding(messages: Sequence[Message]) -> dict[str, float]:
    """How many cards a rep saw: in all, per minute, at most in any minute, at most at once."""
    raised = [card["at"] for card in of_type(messages, "card.raised")]
    visible = most = 0
    for message in of_type(messages, "card.raised", "card.closed"):
        visible += 1 if message["type"] == "card.raised" else -1
        most = max(most, visible)
    minutes = max(message["at"] for message in messages) / 60
    return {
        "cards": len(raised),
        "cards_per_minute": round(len(raised) / minutes, 2) if minutes else 0.0,
        "most_in_a_minute": max((sum(at <= other < at + 60 for other in raised) for at in raised), default=0),
        "most_at_once": most,
    }


def _is_of(each: Found, event: Event) -> bool:
    return (
        each.call == event.call and each.label == event.label and event.window[0] <= each.end <= event.window[1] + 0.001
    )


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
