"""How a call goes, in numbers. Every metric's formula stands in the docstring of the function that works it out.

Speech comes as stretches of voice per speaker on the media timeline (``speech_started`` / ``speech_ended``), words
as final utterances (``heard``). Silence counts for nobody.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Literal

import msgspec

from copilot.events import SPEAKERS, Frozen, Metric, Speaker, Utterance
from copilot.language.backchannel import MAX_BACKCHANNEL_MS, is_backchannel
from copilot.language.normalise import is_chinese, normalise

Attention = Literal["none", "amber", "red"]
_OTHER: dict[Speaker, Speaker] = {"rep": "customer", "customer": "rep"}

PAUSE_MS = 2_000
"""A pause this long ends a run of speech."""
OVERLAP_MS = 500
"""An overlap this long makes an interruption."""
RATE_WINDOW_MS = 30_000
RATE_MIN_MS = 5_000
"""Speech rate is taken over the newest 30 s of a speaker's speech, once there are 5 s of it."""
MINUTE_MS = 60_000

LIMITS: dict[str, tuple[float, float]] = {
    "talk_ratio": (0.60, 0.65),
    "longest_monologue_ms": (60_000, 120_000),
    "monologue_ms": (60_000, 120_000),
    "dead_air_ms": (8_000, 15_000),
    "interruptions_per_min": (3, 6),
    "speech_rate": (1.0, 1.2),
}
"""Above the first bound a metric asks for amber attention, above the second for red. Speech rate: times the usual."""
USUAL_RATE = {"en": 180.0, "zh": 300.0}
"""English words and Chinese characters per minute."""
MIN_RATIO_SPEECH_MS = 60_000
"""Talk ratio asks for no attention before a minute of speech."""


class Stretch(Frozen, frozen=True, kw_only=True):
    """Voice of one speaker from ``start_ms`` to ``end_ms``."""

    start_ms: int
    end_ms: int


Turns = Mapping[Speaker, list[Stretch]]


class _Side:
    """What one speaker has said so far."""

    def __init__(self) -> None:
        self.stretches: list[Stretch] = []
        self.open_ms: int | None = None
        self.finals: list[Utterance] = []
        self.sizes: list[tuple[int, bool]] = []  # of each final: words or characters, and whether it is Chinese
        self.asked: list[bool] = []  # for each question, whether it is open
        self._turns: list[Stretch] = []
        self._judged = 0  # stretches known to be turns (then they are in ``_turns``) or backchannels

    def add(self, utterance: Utterance) -> None:
        """The words of a final utterance; stretches they may belong to are judged again."""
        at = bisect.bisect_right(self.finals, utterance.start_ms, key=lambda u: u.start_ms)
        self.finals.insert(at, utterance)
        self.sizes.insert(at, _size(utterance.text))
        self.asked += questions(utterance.text)
        touched = bisect.bisect_left(self.stretches, utterance.start_ms, key=lambda s: s.end_ms)
        if touched < self._judged:
            self._judged = touched
            first = self.stretches[touched].start_ms
            del self._turns[bisect.bisect_left(self._turns, first, key=lambda s: s.start_ms) :]

    def turns(self, now: int) -> list[Stretch]:
        """The stretches that are not backchannels: too long for one, or with words that say something.

        What is over is judged once, so that a long call costs no more per tick than a short one.
        """
        while self._judged < len(self.stretches) and self.stretches[self._judged].end_ms < now:
            stretch = self.stretches[self._judged]
            if not _is_backchannel(stretch, self.finals, open_=False):
                self._turns.append(stretch)
            self._judged += 1
        rest = self.spoken_until(now)[self._judged :]
        return self._turns + [s for s in rest if not _is_backchannel(s, self.finals, open_=s.end_ms == now)]

    def spoken_until(self, now: int) -> list[Stretch]:
        """All stretches, the open one up to ``now``."""
        if self.open_ms is None or now <= self.open_ms:
            return self.stretches
        return [*self.stretches, Stretch(start_ms=self.open_ms, end_ms=now)]


class Pace:
    """The metrics of a call as it goes on. Media time never runs backwards between calls of ``tick``."""

    def __init__(self) -> None:
        self._sides: dict[Speaker, _Side] = {speaker: _Side() for speaker in SPEAKERS}
        self._current: dict[tuple[str, Speaker | None], Metric] = {}

    def speech_started(self, speaker: Speaker, at_ms: int) -> None:
        """``speaker`` began to make sound."""
        side = self._sides[speaker]
        side.open_ms = at_ms if side.open_ms is None else side.open_ms

    def speech_ended(self, speaker: Speaker, at_ms: int) -> None:
        """``speaker`` fell silent at ``at_ms``."""
        side = self._sides[speaker]
        if side.open_ms is not None and at_ms > side.open_ms:
            side.stretches.append(Stretch(start_ms=side.open_ms, end_ms=at_ms))
        side.open_ms = None

    def heard(self, utterance: Utterance) -> None:
        """The words of an utterance; interim text is left out."""
        if utterance.is_final:
            self._sides[utterance.speaker].add(utterance)

    def swap_roles(self) -> None:
        """Rep and customer change places, from the beginning."""
        for side in self._sides.values():
            side.finals = [msgspec.structs.replace(u, speaker=_OTHER[u.speaker]) for u in side.finals]
        self._sides = {speaker: self._sides[_OTHER[speaker]] for speaker in SPEAKERS}
        self._current.clear()

    def current(self, name: str, speaker: Speaker | None = None) -> Metric | None:
        """The metric as last ticked; ``speaker`` None finds the call's or the rep's."""
        return self._current.get((name, speaker)) or self._current.get((name, "rep"))

    def tick(self, pos_ms: int) -> list[Metric]:
        """Every metric that can be told at media time ``pos_ms``."""
        turns = {speaker: self._sides[speaker].turns(pos_ms) for speaker in SPEAKERS}
        metrics = [
            *self._shares(pos_ms),
            *self._monologues(turns, pos_ms),
            *self._manners(turns, pos_ms),
            *self._dead_air(pos_ms),
            *self._rates(pos_ms),
            *self._questions(pos_ms),
        ]
        self._current = {(metric.name, metric.speaker): metric for metric in metrics}
        return metrics

    def _shares(self, now: int) -> list[Metric]:
        """talk_ratio = rep's speech / (rep's + customer's speech). talk_share = rep's speech / whole call so far."""
        rep, customer = (_duration(self._sides[speaker].spoken_until(now)) for speaker in SPEAKERS)
        if not rep + customer:
            return []
        ratio = rep / (rep + customer)
        attention = _attention("talk_ratio", ratio) if rep + customer >= MIN_RATIO_SPEECH_MS else "none"
        return [
            Metric(name="talk_ratio", value=ratio, attention=attention),
            Metric(name="talk_share", value=min(1.0, rep / max(1, now)), speaker="rep"),
        ]

    def _monologues(self, turns: Turns, now: int) -> list[Metric]:
        """The longest run of each side, and the run that is going on.

        A run = speech of one side, joined over own pauses shorter than 2 s, until the other side takes a turn (a
        backchannel is none). monologue_ms: the length of the rep's run now, 0 when there is none;
        longest_monologue_ms: of the rep's longest. customer_story_ms, longest_customer_story_ms: of the customer's.
        """
        metrics: list[Metric] = []
        names: tuple[tuple[Speaker, str], ...] = (("rep", "monologue_ms"), ("customer", "customer_story_ms"))
        for speaker, name in names:
            other = turns[_OTHER[speaker]]
            runs = _runs(turns[speaker], other)
            lengths = [run.end_ms - run.start_ms for run in runs]
            goes_on = (
                runs and now - runs[-1].end_ms < PAUSE_MS and not (other and other[-1].start_ms > runs[-1].start_ms)
            )
            for metric, value in ((name, lengths[-1] if goes_on else 0), (f"longest_{name}", max(lengths, default=0))):
                metrics.append(Metric(name=metric, value=value, speaker=speaker, attention=_attention(metric, value)))
        return metrics

    def _manners(self, turns: Turns, now: int) -> list[Metric]:
        """Interactivity, patience and interruptions.

        interactivity = changes of speaker between successive turns / minutes of call. patience_ms = median of the
        positive gaps from the end of a customer's turn to the start of the rep's next. interruptions = rep's turns
        that start inside a customer's turn and overlap it by 500 ms or more; interruptions_per_min = those that
        started in the last minute.
        """
        rep, customer = turns["rep"], turns["customer"]
        order = sorted([(turn.start_ms, 0) for turn in rep] + [(turn.start_ms, 1) for turn in customer])
        switches = sum(before[1] != after[1] for before, after in pairwise(order))
        interruptions = [turn.start_ms for turn in rep if _interrupts(turn, customer)]
        recent = sum(start > now - MINUTE_MS for start in interruptions)
        metrics = [
            Metric(name="interruptions", value=len(interruptions), speaker="rep"),
            Metric(
                name="interruptions_per_min",
                value=recent,
                speaker="rep",
                attention=_attention("interruptions_per_min", recent),
            ),
        ]
        if now:
            metrics.append(Metric(name="interactivity", value=switches * MINUTE_MS / now))
        if gaps := _gaps(customer, rep):
            patience = float(median(gaps))
            attention: Attention = "amber" if patience < 300 else "none"
            metrics.append(Metric(name="patience_ms", value=patience, speaker="rep", attention=attention))
        return metrics

    def _dead_air(self, now: int) -> list[Metric]:
        """dead_air_ms = time since anybody was heard, 0 while somebody speaks."""
        ends = [stretch.end_ms for side in self._sides.values() for stretch in side.spoken_until(now)[-1:]]
        if not ends:
            return []
        silence = max(0, now - max(ends))
        return [Metric(name="dead_air_ms", value=silence, attention=_attention("dead_air_ms", silence))]

    def _rates(self, now: int) -> list[Metric]:
        """speech_rate = words (en) or characters (zh) per minute over the newest 30 s of a speaker's final speech."""
        metrics: list[Metric] = []
        for speaker, side in self._sides.items():
            units, spoken, chinese = _newest(side)
            if spoken >= RATE_MIN_MS and now:
                rate = units * MINUTE_MS / spoken
                attention = _attention("speech_rate", rate / USUAL_RATE["zh" if chinese else "en"])
                metrics.append(
                    Metric(
                        name="speech_rate",
                        value=rate,
                        speaker=speaker,
                        attention=attention if speaker == "rep" else "none",
                    )
                )
        return metrics

    def _questions(self, now: int) -> list[Metric]:
        """question_rate = the rep's sentences that ask / 10 minutes of call. open_question_share = open / all."""
        asked = self._sides["rep"].asked
        if not now:
            return []
        rate = Metric(name="question_rate", value=len(asked) * 10 * MINUTE_MS / now, speaker="rep")
        if not asked:
            return [rate]
        return [rate, Metric(name="open_question_share", value=sum(asked) / len(asked), speaker="rep")]


def questions(text: str) -> list[bool]:
    """For each question in ``text``, whether it is open (what, how, 什么, 怎么) rather than yes or no."""
    sentences = re.split(r"(?<=[?？。.!！])", text)
    return [bool(_OPEN.search(sentence)) for sentence in sentences if _ASKS.search(sentence)]


_ASKS = re.compile(r"(?:[?？]|[吗呢么][。.!！]?)\s*$")
_OPEN = re.compile(
    r"\b(?:what|how|why|which|where|who|tell me|describe|walk me through)\b|什么|怎么|怎样|如何|为什么|哪|谁|多少|几",
    re.IGNORECASE,
)


def _duration(stretches: Sequence[Stretch]) -> int:
    return sum(stretch.end_ms - stretch.start_ms for stretch in stretches)


def _attention(name: str, value: float) -> Attention:
    amber, red = LIMITS.get(name, (float("inf"), float("inf")))
    if name == "interruptions_per_min":
        return "red" if value >= red else "amber" if value >= amber else "none"
    return "red" if value > red else "amber" if value > amber else "none"


def _is_backchannel(stretch: Stretch, finals: Sequence[Utterance], *, open_: bool) -> bool:
    """Short, and either its words only listen or there are none yet to tell otherwise."""
    duration = stretch.end_ms - stretch.start_ms
    if duration >= MAX_BACKCHANNEL_MS:
        return False
    at = bisect.bisect_right(finals, stretch.end_ms, key=lambda u: u.start_ms)
    said = [u for u in finals[max(0, at - 3) : at] if u.end_ms > stretch.start_ms]
    return all(is_backchannel(u.text, duration) for u in said) if said else open_ or duration < OVERLAP_MS


def _runs(own: Sequence[Stretch], other: Sequence[Stretch]) -> list[Stretch]:
    """One side's speech joined over pauses shorter than 2 s, cut where the other side takes a turn."""
    cuts = [turn.start_ms for turn in other]
    runs: list[Stretch] = []
    for stretch in own:
        inside = cuts[bisect.bisect_right(cuts, stretch.start_ms) : bisect.bisect_left(cuts, stretch.end_ms)]
        edges = [stretch.start_ms, *inside, stretch.end_ms]
        for start, end in pairwise(edges):
            if runs and start == stretch.start_ms and _goes_on(runs[-1], start, cuts):
                runs[-1] = Stretch(start_ms=runs[-1].start_ms, end_ms=end)
            else:
                runs.append(Stretch(start_ms=start, end_ms=end))
    return runs


def _goes_on(run: Stretch, start_ms: int, cuts: Sequence[int]) -> bool:
    """Whether speech from ``start_ms`` belongs to ``run``: no rest, and nobody took a turn meanwhile."""
    taken = bisect.bisect_right(cuts, start_ms) - bisect.bisect_right(cuts, run.start_ms)
    return start_ms - run.end_ms < PAUSE_MS and not taken


def _interrupts(turn: Stretch, others: Sequence[Stretch]) -> bool:
    """Only the last turn of the other side that began before can still be going on."""
    at = bisect.bisect_left(others, turn.start_ms, key=lambda other: other.start_ms)
    return at > 0 and min(turn.end_ms, others[at - 1].end_ms) - turn.start_ms >= OVERLAP_MS


def _gaps(customer: Sequence[Stretch], rep: Sequence[Stretch]) -> list[int]:
    """Milliseconds from each customer's turn to the rep's next, where nobody spoke in between."""
    gaps: list[int] = []
    for index, turn in enumerate(customer):
        until = customer[index + 1].start_ms if index + 1 < len(customer) else None
        at = bisect.bisect_right(rep, turn.end_ms, key=lambda r: r.start_ms)
        if at < len(rep) and (until is None or rep[at].start_ms < until):
            gaps.append(rep[at].start_ms - turn.end_ms)
    return gaps


def _newest(side: _Side) -> tuple[int, int, bool]:
    """Words (or characters) and milliseconds of the newest 30 s of speech, and whether it is Chinese."""
    units = spoken = 0
    chinese = False
    for utterance, (size, is_zh) in zip(reversed(side.finals), reversed(side.sizes), strict=True):
        duration = utterance.end_ms - utterance.start_ms
        if spoken + duration > RATE_WINDOW_MS:
            break
        units += size
        spoken += duration
        chinese = chinese or is_zh
    return units, spoken, chinese


def _size(text: str) -> tuple[int, bool]:
    """Words or characters, and whether it is Chinese."""
    return len({(token.start, token.end) for token in normalise(text).tokens}), is_chinese(text)
