"""The end of a call: what is still waited for after hang-up, and for how long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from copilot.call.hearing import Finding, Hearing
from copilot.call.mind import Mind
from copilot.call.revising import Revising
from copilot.config import SpeechSettings
from copilot.events import HungUp


class Ending:
    """From hang-up to the last effect, in two stretches of limited length.

    First the last windows are scored, what is open becomes final, and every final and its meaning is waited for; when
    time is up, what was shown last of an utterance is its final. Then what has not been read twice is, as far as there
    is time. Times are seconds since the call began.
    """

    def __init__(self, hearing: Hearing, revising: Revising, mind: Mind, settings: SpeechSettings) -> None:
        self._hearing = hearing
        self._revising = revising
        self._mind = mind
        self._settings = settings
        self._due = 0.0
        self._is_flushed = False
        self._is_settled = False
        self.hung_up: HungUp | None = None
        self.is_over = False

    def begin(self, event: HungUp, now: float) -> None:
        """No more audio will come."""
        self.hung_up = event
        self.wait_anew(now)

    def wait_anew(self, now: float) -> None:
        """There is new time for every answer outstanding."""
        self._due = now + self._settings.final_timeout_s

    def next_deadline(self) -> float | None:
        """When what is outstanding is waited for no longer."""
        return self._due if self.hung_up else None

    def wind_down(self, now: float) -> Iterator[Sequence[Finding]]:
        """What follows next; take each before asking for another. Nothing before hang-up; at the end ``is_over``."""
        if self.hung_up is None:
            return
        is_due = now >= self._due
        if not self._is_flushed and (is_due or not self._hearing.unscored):
            self._is_flushed = True
            yield self._hearing.flush(now)
        if is_due:
            yield self._hearing.give_up()
        if not self._is_settled and (is_due or self._is_quiet()):
            self._is_settled, is_due = True, False
            self._due = now + self._settings.revision_wait_s
            self._revising.finish()
            yield self._revising.ask(now)
        if self._is_settled and (is_due or self._revising.is_idle):
            yield self._revising.give_up()
            self.is_over = True

    def _is_quiet(self) -> bool:
        """Every word was heard, and what it means is known."""
        return self._is_flushed and self._hearing.is_idle and self._mind.is_idle
