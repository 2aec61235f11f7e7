"""What cards are worth, from event logs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.playbook.model import Playbook, Stage
from copilot.review.uplift import Trial, newcombe, trials, uplifts, wilson
from copilot.wire import messages as wire
from tests.review.calls import Log

VERSION = ("sales", "1.0.0")


def call() -> Log:
    log = Log()
    stages = (Stage(id="opening", title="Opening"),)
    log.open(Playbook(schema=1, id="sales", version="1.0.0", title="Sales", language="en", stages=stages))
    return log


def trial(arm: str, *, adhered: bool | None = None, won: bool | None = None, cue: str = "price", version=VERSION):
    return Trial(cue_id=cue, version=version, arm=arm, adhered=adhered, won=won)


class TestTrials:
    def test_a_shown_card_that_was_followed(self):
        log = call()
        card = log.card("price", "objection", "Ask")
        log.updated(card, "shown", log.ledger(rendered=5), outcome="adhered")
        assert trials(log.messages) == [trial("shown", adhered=True)]

    @pytest.mark.parametrize(("outcome", "adhered"), [("adhered", True), ("too_late", False), ("not_adhered", False)])
    def test_a_card_held_out(self, outcome, adhered):
        log = call()
        card = log.card("price", "objection", "Ask", suppressed="hold_out")
        log.put(wire.CardConcluded, card_id=card, outcome=outcome)
        assert trials(log.messages, "won") == [trial("held_out", adhered=adhered, won=True)]

    def test_a_card_held_back_for_another_reason_is_no_trial(self):
        log = call()
        log.card("price", "objection", "Ask", suppressed="min_gap")
        assert trials(log.messages) == []

    def test_only_the_first_of_a_call_counts(self):
        log = call()
        log.card("price", "objection", "Ask")
        second = log.card("price", "objection", "Ask")
        log.closed(second, "expired", "ttl", outcome="adhered")
        assert trials(log.messages, "lost") == [trial("shown", won=False)]


class TestIntervals:
    def test_as_published(self):
        """Newcombe 1998, table II: contrasts (a), (b), (c) and (e) by method 10."""
        for hits, low, high in [
            ((56, 70, 48, 80), 0.0524, 0.3339),
            ((9, 10, 3, 10), 0.1705, 0.8090),
            ((6, 7, 2, 7), 0.0582, 0.8062),
            ((0, 10, 0, 20), -0.1611, 0.2775),
        ]:
            difference = newcombe(wilson(*hits[:2]), wilson(*hits[2:]))
            assert (difference.low, difference.high) == pytest.approx((low, high), abs=5e-5)

    def test_without_trials_nothing_is_known(self):
        difference = newcombe(wilson(3, 4), wilson(0, 0))
        assert (difference.uplift, difference.low, difference.high) == (None, -1.0, 1.0)
        assert wilson(0, 0).value is None

    @given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
    def test_they_hold_what_was_measured(self, hits, misses, other_hits, other_misses):
        one, other = wilson(hits, hits + misses), wilson(other_hits, other_hits + other_misses)
        for rate in (one, other):
            assert 0 <= rate.low <= (rate.low if rate.value is None else rate.value) <= rate.high <= 1
        difference = newcombe(one, other)
        if difference.uplift is not None:
            assert -1 <= difference.low <= difference.uplift <= difference.high <= 1


class TestUplifts:
    def test_calls_with_the_card_against_calls_without(self):
        shown = [trial("shown", adhered=True, won=True)] * 48 + [trial("shown", adhered=False)] * 32
        held = [trial("held_out", adhered=False)] * 14 + [trial("held_out")]
        (price,) = uplifts([*shown, *held])
        assert (price.cue_id, price.calls_shown, price.calls_held_out) == ("price", 80, 15)
        assert price.adherence.uplift == pytest.approx(0.6)
        assert price.adherence.low > 0
        assert (price.adherence.held_out.hits, price.adherence.held_out.trials) == (0, 14)
        assert (price.success.shown.trials, price.success.uplift) == (48, None)

    def test_a_cue_or_a_version_that_never_held_out_says_nothing(self):
        found = uplifts(
            [
                trial("shown", adhered=True),
                trial("held_out", adhered=False),
                trial("shown", adhered=True, version=("sales", "2.0.0")),
                trial("shown", adhered=True, cue="trust"),
            ]
        )
        assert [(each.cue_id, each.calls_shown, each.calls_held_out) for each in found] == [("price", 1, 1)]
