"""Words -> one transcript of both speakers, in the order they began to speak."""

from __future__ import annotations

import bisect

import msgspec

from copilot.events import Evidence, Heard, Speaker, Utterance
from copilot.language.backchannel import is_backchannel

_OTHER: dict[Speaker, Speaker] = {"rep": "customer", "customer": "rep"}


class Transcript:
    """All utterances of a call, the newest text of each, ordered by start."""

    def __init__(self) -> None:
        self._order: list[tuple[int, int, str]] = []
        self._utterances: dict[str, Utterance] = {}

    def __len__(self) -> int:
        return len(self._order)

    @property
    def utterances(self) -> tuple[Utterance, ...]:
        """Every utterance, both speakers, by start."""
        return tuple(self._utterances[id_] for _, _, id_ in self._order)

    def add(self, heard: Heard, speaker: Speaker) -> Utterance:
        """Place new words, or newer words of an utterance already there; returns it as it now stands.

        Final text is never replaced by interim text. ``committed`` never shrinks.
        """
        known = self._utterances.get(heard.utterance_id)
        if known and known.is_final and not heard.is_final:
            return known
        utterance = Utterance(
            id=heard.utterance_id,
            speaker=speaker,
            start_ms=heard.start_ms,
            end_ms=max(heard.start_ms, heard.end_ms),
            text=heard.text,
            is_final=heard.is_final,
            language=heard.language,
            committed=len(heard.text) if heard.is_final else heard.committed,
            confidence=heard.confidence,
            words=heard.words,
        )
        if known:
            del self._order[bisect.bisect_left(self._order, _place(known))]
        bisect.insort(self._order, _place(utterance))
        self._utterances[utterance.id] = utterance
        return utterance

    def get(self, utterance_id: str) -> Utterance | None:
        """The utterance with this id, as it now stands."""
        return self._utterances.get(utterance_id)

    def swap_roles(self) -> None:
        """Rep and customer change places, from the beginning."""
        self._utterances = {
            id_: msgspec.structs.replace(utterance, speaker=_OTHER[utterance.speaker])
            for id_, utterance in self._utterances.items()
        }

    def since(self, ms: int) -> tuple[Utterance, ...]:
        """The utterances that ended after media time ``ms``."""
        return tuple(utterance for utterance in self.utterances if utterance.end_ms > ms)

    def last(self, n: int) -> tuple[Utterance, ...]:
        """The newest ``n`` utterances, oldest first."""
        return tuple(self._utterances[id_] for _, _, id_ in self._order[-n:]) if n > 0 else ()

    def turns(self) -> tuple[Utterance, ...]:
        """The utterances that take a turn: final and not backchannels."""
        return tuple(utterance for utterance in self.utterances if utterance.is_final and not backchannel(utterance))

    def window(self, now_ms: int, length_ms: int = 30_000) -> str:
        """What was said in the last ``length_ms`` before ``now_ms``, a line ``speaker: text`` for each utterance."""
        recent = self.since(now_ms - length_ms)
        return "\n".join(f"{utterance.speaker}: {utterance.text}" for utterance in recent if utterance.text)

    def quote_ok(self, evidence: Evidence) -> bool:
        """Whether the quote was said: a non-empty, exact piece of its utterance, within the utterance's time."""
        utterance = self._utterances.get(evidence.utterance_id)
        return (
            utterance is not None
            and bool(evidence.quote)
            and evidence.quote in utterance.text
            and utterance.start_ms <= evidence.start_ms <= evidence.end_ms <= utterance.end_ms
        )


def _place(utterance: Utterance) -> tuple[int, int, str]:
    return utterance.start_ms, utterance.end_ms, utterance.id


def backchannel(utterance: Utterance) -> bool:
    """Whether the utterance only shows that somebody listens (嗯, 对, uh-huh; shorter than 800 ms)."""
    return is_backchannel(utterance.text, utterance.end_ms - utterance.start_ms)
