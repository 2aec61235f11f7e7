"""Which language a channel speaks, when nobody said so."""

from __future__ import annotations

from typing import Final

from copilot.events import Language

DECIDE_MS: Final = 3_000
"""Voiced speech in one language, over what the others have, after which it is settled."""
DOUBT_LOGPROB: Final = -0.9
"""A final this unlikely may be in another language: listen again without assuming."""


class LanguageVote:
    """Collects what the recogniser detected; settles on a language and gives it up when the words stop making sense."""

    def __init__(self, language: Language) -> None:
        self._given = language
        self._settled: Language = language
        self._votes: dict[str, int] = {}

    @property
    def current(self) -> Language:
        """What to ask the recogniser for."""
        return self._settled

    def observe(self, language: str, voiced_ms: int, avg_logprob: float) -> None:
        """A final came back in ``language``."""
        if self._given != "auto":
            return
        if avg_logprob < DOUBT_LOGPROB:
            self._settled = "auto"
            self._votes = {known: votes // 2 for known, votes in self._votes.items()}
            return
        self._votes[language] = self._votes.get(language, 0) + voiced_ms
        for known in ("en", "zh"):
            others = sum(self._votes.values()) - self._votes.get(known, 0)
            if self._votes.get(known, 0) - others >= DECIDE_MS:
                self._settled = known
