"""What a card is worth: calls with it against calls in which it was held out.

Only playbook versions that held a cue out say something about it, and a call counts once for a cue, by its first card:
what happens later in the call is not independent of it. Cards without an outcome (the call ended before the time was
up, the rep found the card wrong, nobody said the words) are left out.

Rates are given with Wilson's score interval, differences with Newcombe's hybrid score interval, both for 95 %
(R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison of eleven
methods", Statistics in Medicine 17, 873-890, 1998, method 10).
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import Literal

from copilot.events import Frozen
from copilot.wire import messages as wire

Z_95 = 1.959964
"""Standard normal quantile of 0.975."""
WON = "won"
"""The outcome of a call that counts as a success."""
CHANGES = (wire.CardUpdated, wire.CardClosed, wire.CardConcluded)

Arm = Literal["shown", "held_out"]
Version = tuple[str, str]


class Trial(Frozen, frozen=True, kw_only=True):
    """The first card of a cue in one call. None: not known."""

    cue_id: str
    version: Version
    arm: Arm
    adhered: bool | None
    won: bool | None


class Rate(Frozen, frozen=True, kw_only=True):
    """``hits`` of ``trials``, and the bounds of the rate behind them."""

    hits: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """The rate itself; None without trials."""
        return self.hits / self.trials if self.trials else None


class Difference(Frozen, frozen=True, kw_only=True):
    """Rate with the card minus rate without it, -1..1; ``uplift`` is None while one of them has no trials."""

    shown: Rate
    held_out: Rate
    uplift: float | None
    low: float
    high: float


class Uplift(Frozen, frozen=True, kw_only=True):
    """One cue. ``adherence``: the expected behaviour followed in time; ``success``: the call was won."""

    cue_id: str
    calls_shown: int
    calls_held_out: int
    adherence: Difference
    success: Difference


def trials(messages: Iterable[wire.AnyCallMessage], outcome: str = "") -> list[Trial]:
    """The trials of one call, from its events in order. ``outcome``: of the call, empty if not known."""
    version: Version = ("", "")
    first: dict[str, tuple[str, Arm]] = {}
    ended: dict[str, str] = {}
    for message in messages:
        if isinstance(message, wire.CallOpened):
            version = (message.playbook, message.playbook_version)
        elif isinstance(message, wire.CardRaised):
            first.setdefault(message.card.cue_id, (message.card.id, "shown"))
        elif isinstance(message, wire.CardSuppressed) and message.reason == "hold_out":
            first.setdefault(message.card.cue_id, (message.card.id, "held_out"))
        elif isinstance(message, CHANGES) and message.outcome != "undetermined":
            ended[message.card_id] = message.outcome
    won = outcome == WON if outcome else None
    return [
        Trial(
            cue_id=cue_id,
            version=version,
            arm=arm,
            adhered=ended[card_id] == "adhered" if card_id in ended else None,
            won=won,
        )
        for cue_id, (card_id, arm) in first.items()
    ]


def uplifts(all_trials: Iterable[Trial]) -> list[Uplift]:
    """Of every cue that was held out at least once, by id."""
    known = list(all_trials)
    tested = {(trial.cue_id, trial.version) for trial in known if trial.arm == "held_out"}
    compared: dict[str, list[Trial]] = {}
    for trial in known:
        if (trial.cue_id, trial.version) in tested:
            compared.setdefault(trial.cue_id, []).append(trial)
    return [_uplift(cue_id, compared[cue_id]) for cue_id in sorted(compared)]


def wilson(hits: int, number: int) -> Rate:
    """Wilson's 95 % score interval of a rate; 0..1 without trials."""
    if not number:
        return Rate(hits=0, trials=0, low=0.0, high=1.0)
    share, square = hits / number, Z_95 * Z_95
    middle = share + square / (2 * number)
    spread = Z_95 * sqrt(share * (1 - share) / number + square / (4 * number * number))
    scale = 1 + square / number
    low, high = (middle - spread) / scale, (middle + spread) / scale
    return Rate(hits=hits, trials=number, low=min(max(low, 0.0), share), high=max(min(high, 1.0), share))


def newcombe(shown: Rate, held_out: Rate) -> Difference:
    """Newcombe's 95 % interval of the difference of two independent rates."""
    with_card, without = shown.value, held_out.value
    if with_card is None or without is None:
        return Difference(shown=shown, held_out=held_out, uplift=None, low=-1.0, high=1.0)
    uplift = with_card - without
    down = sqrt((with_card - shown.low) ** 2 + (held_out.high - without) ** 2)
    up = sqrt((shown.high - with_card) ** 2 + (without - held_out.low) ** 2)
    low, high = max(-1.0, uplift - down), min(1.0, uplift + up)
    return Difference(shown=shown, held_out=held_out, uplift=uplift, low=low, high=high)


def _uplift(cue_id: str, all_trials: list[Trial]) -> Uplift:
    arms: dict[Arm, list[Trial]] = {"shown": [], "held_out": []}
    for trial in all_trials:
        arms[trial.arm].append(trial)

    def rate(arm: Arm, what: Literal["adhered", "won"]) -> Rate:
        answers = [answer for trial in arms[arm] if (answer := getattr(trial, what)) is not None]
        return wilson(sum(answers), len(answers))

    return Uplift(
        cue_id=cue_id,
        calls_shown=len(arms["shown"]),
        calls_held_out=len(arms["held_out"]),
        adherence=newcombe(rate("shown", "adhered"), rate("held_out", "adhered")),
        success=newcombe(rate("shown", "won"), rate("held_out", "won")),
    )
