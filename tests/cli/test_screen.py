"""What a person at the terminal reads is words, not codes."""

from __future__ import annotations

from io import StringIO
from typing import Any, get_args

import pytest
from rich.console import Console

from copilot.cli.screen import Screen
from copilot.events.terms import LoadStage
from copilot.wire import messages as wire

AT: dict[str, Any] = {"call_id": "call_1", "emitted_at": "2026-01-31T09:30:00.000Z"}


def shown(*messages: object) -> str:
    out = StringIO()
    screen = Screen(Console(file=out, width=120))
    for message in messages:
        screen.show(message)
    return out.getvalue()


@pytest.mark.parametrize("stage", [*get_args(LoadStage), "recognition", "channels", "storage"])
def test_a_trouble_is_told_in_words_when_it_comes_and_when_it_goes(stage: str) -> None:
    came = wire.ServiceDegradedMessage(seq=1, pos_ms=61_000, stage=stage, reason="overload", **AT)
    went = wire.ServiceRestored(seq=2, pos_ms=65_000, stage=stage, **AT)
    first, second = shown(came, went).splitlines()
    assert (first.split()[0], second.split()[0]) == ("1:01", "1:05")
    words = first.split(maxsplit=1)[1]
    assert len(words.split()) > 2
    assert "_" not in words
    assert second.endswith(f"no longer: {words}")


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("expired", "ttl", "its time is over"),
        ("withdrawn", "moment_passed", "its moment has passed"),
        ("withdrawn", "not_confirmed", "not confirmed"),
    ],
)
def test_why_a_card_is_gone(state: str, reason: str, words: str) -> None:
    closed = wire.CardClosed(seq=1, pos_ms=0, card_id="k1", state=state, reason=reason, **AT)
    assert f"({words})" in shown(closed)
