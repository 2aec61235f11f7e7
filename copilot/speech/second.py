"""The second pass over one channel: what was read live, utterance by utterance, is read again with all its context."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from typing import Final

import msgspec

from copilot.config import SpeechSettings
from copilot.events import CancelDecode, Decode, Decoded, DecodeJob, Frozen, Heard, Hypothesis, Language, Word
from copilot.speech.finals import within
from copilot.speech.guard import clean, objection
from copilot.speech.packing import Share, Span, Spoken, letters, packed_ms, share, spans

FULL_MS: Final = 25_000
"""Speech enough for a reading of its own."""
MOST_MS: Final = 28_000
"""Whisper's window is 30 s; the rest is room for the end to be heard."""
RESTED_MS: Final = 10_000
"""Silence after which a shorter reading is asked for: more may be long in coming ..."""
WORTH_MS: Final = 12_000
"""... but not one shorter than this."""
BACKLOG_MS: Final = 60_000
"""Speech that may wait for a reading; the oldest beyond it keeps its live text."""
LIKELIER: Final = 0.1
"""By so much more probable, on average, must other words be than those they replace."""
KEPT: Final = 0.9
"""So much of the letters, each weighed by its probability, must be there again."""
PROMPT_CHARACTERS: Final = 120
GARBLED: Final = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]")
"""Full-width letters and digits: nobody says them; a beam search writes them where it wanted a full-width comma."""


class Revised(Frozen, frozen=True, kw_only=True):
    """A better reading of an utterance already told as final."""

    heard: Heard


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    job_id: int
    spoken: tuple[Spoken, ...]
    deadline: float


class SecondPass:
    """Tell it every final; it asks for a reading of half a minute together, one at a time, and says what is better.

    Nothing waits for it: an utterance keeps its live text until a better one is there, and for good when the
    recogniser has no time or its second reading is no better.
    """

    def __init__(
        self,
        channel: int,
        settings: SpeechSettings,
        *,
        next_job_id: Callable[[], int],
        hotwords: str = "",
    ) -> None:
        self._channel = channel
        self._settings = settings
        self._next_job_id = next_job_id
        self._hotwords = hotwords
        self._waiting: deque[Spoken] = deque()
        self._asked: _Asked | None = None
        self._waiting_ms = 0  # packed
        self._end_ms = 0  # where the newest stretch ends
        self._said = ""
        self._is_over = False
        self.is_shed = False

    @property
    def oldest_ms(self) -> int | None:
        """Where the audio still needed begins."""
        return next((each.span[0] for each in (*(self._asked.spoken if self._asked else ()), *self._waiting)), None)

    @property
    def is_idle(self) -> bool:
        """No reading is outstanding and none will be asked for unless more is said."""
        return self._asked is None and not (self._is_over and self._waiting)

    def next_deadline(self) -> float | None:
        """When ``tick`` is wanted."""
        return self._asked.deadline if self._asked else None

    # --- what happens ---------------------------------------------------------------------------------------

    def told(self, heard: Heard) -> Span | None:
        """A final was told: the stretch of audio to keep for it, or None when there is nothing to read again."""
        if not heard.text or self._settings.second_pass == "off":  # noqa: S105  # no password
            return None
        pad_ms = self._settings.vad.speech_pad_ms
        begin_ms = max(heard.start_ms - pad_ms, self._end_ms)
        span = (min(begin_ms, heard.end_ms), heard.end_ms + pad_ms)
        self._end_ms = span[1]
        self._waiting.append(Spoken(heard=heard, span=span))
        self._measure()
        while self._waiting_ms > BACKLOG_MS:
            self._waiting.popleft()
            self._measure()
        return span

    def ask(self, position_ms: int, now: float) -> list[Decode]:
        """The next reading, when there is enough to read. ``position_ms``: media time heard so far."""
        if self._asked or not self._waiting:
            return []
        has_rested = position_ms - self._end_ms > RESTED_MS and self._waiting_ms >= WORTH_MS
        if not (self._waiting_ms >= FULL_MS or has_rested or self._is_over):
            return []
        return [self._decode(self._take(), now)]

    def finish(self) -> None:
        """No more will be said: the rest is read too, however short. A recogniser without time is not asked again."""
        self._is_over = True
        if self.is_shed:
            self._waiting.clear()

    def decoded(self, event: Decoded) -> list[Revised]:
        """A reading came back, or the recogniser had no time for it."""
        if self._asked is None or event.job_id != self._asked.job_id:
            return []
        asked, self._asked = self._asked, None
        self.is_shed = event.error == "shed"
        if self.is_shed and self._is_over:
            self._waiting.clear()
        return self._better(asked, event.hypothesis) if event.hypothesis else []

    def tick(self, now: float) -> list[CancelDecode]:
        """Give up a reading that is overdue."""
        return self.give_up() if self._asked and self._asked.deadline <= now else []

    def give_up(self) -> list[CancelDecode]:
        """Wait no longer for what is outstanding."""
        asked, self._asked = self._asked, None
        return [CancelDecode(job_id=asked.job_id)] if asked else []

    def wait_anew(self, now: float) -> None:
        """There is new time for the answer outstanding."""
        if self._asked:
            self._asked = msgspec.structs.replace(self._asked, deadline=now + self._settings.revision_timeout_s)

    # --- asking ---------------------------------------------------------------------------------------------

    def _take(self) -> tuple[Spoken, ...]:
        """As many of the oldest in one language as fit together, at least one."""
        taken = [self._waiting.popleft()]
        while self._waiting and self._waiting[0].heard.language == taken[0].heard.language:
            if packed_ms(spans([*taken, self._waiting[0]])) > MOST_MS:
                break
            taken.append(self._waiting.popleft())
        self._measure()
        return tuple(taken)

    def _measure(self) -> None:
        self._waiting_ms = packed_ms(spans(tuple(self._waiting)))

    def _decode(self, spoken: tuple[Spoken, ...], now: float) -> Decode:
        stretches = spans(spoken)
        self._asked = _Asked(
            job_id=self._next_job_id(), spoken=spoken, deadline=now + self._settings.revision_timeout_s
        )
        return Decode(
            job=DecodeJob(
                job_id=self._asked.job_id,
                channel=self._channel,
                utterance_id="",
                kind="revision",
                start_ms=stretches[0][0],
                end_ms=stretches[-1][1],
                due=self._asked.deadline,
                language=_language(spoken[0].heard.language),
                prompt=self._said[-PROMPT_CHARACTERS:].strip(),
                hotwords=self._hotwords,
                spans=stretches,
            )
        )

    # --- believing ------------------------------------------------------------------------------------------

    def _better(self, asked: _Asked, hypothesis: Hypothesis) -> list[Revised]:
        """The utterances whose second reading is to be believed rather than the first."""
        begin_ms = asked.spoken[0].span[0]
        parts = share(asked.spoken, _from_zero(hypothesis, begin_ms))
        self._said = ""
        found = []
        for spoken, part in zip(asked.spoken, parts, strict=True):
            heard = second_reading(spoken.heard, part, hypothesis, self._settings.min_voiced_ms)
            self._said += f" {(heard or spoken.heard).text}"
            if heard:
                found.append(Revised(heard=heard))
        return found


def second_reading(live: Heard, part: Share, hypothesis: Hypothesis, min_voiced_ms: int) -> Heard | None:
    """The utterance as read again, or None when the live text is to stay: it is as good, or the same but for marks."""
    likely = mean_probability(part.words)
    voiced_ms = live.end_ms - live.start_ms
    alone = Hypothesis(
        text=part.text,
        language=hypothesis.language,
        avg_logprob=math.log(max(likely, 1e-3)),
        no_speech_prob=hypothesis.no_speech_prob,
        compression_ratio=hypothesis.compression_ratio,
    )
    if objection(alone, voiced_ms=voiced_ms, min_voiced_ms=min_voiced_ms):
        return None
    if GARBLED.search(part.text) or letters(part.text) == letters(live.text) or _is_doubtful(live, part, likely):
        return None
    text = clean(part.text)
    return msgspec.structs.replace(
        live,
        text=text,
        committed=len(text),
        confidence=round(likely, 3),
        words=within(part.words, live.start_ms, live.end_ms),
    )


def _is_doubtful(live: Heard, part: Share, likely: float) -> bool:
    """What is new is not clearly likelier than what it replaces, or words which were surely said are missing."""
    before = mean_probability(live.words) or live.confidence
    old, new = _changed(live.words, part.words) if live.words else ([], [])
    is_cut = likely * len(letters(part.text)) < KEPT * before * len(letters(live.text))
    return (mean_probability(new) or likely) < (mean_probability(old) or before) + LIKELIER or is_cut


def _changed(live: Sequence[Word], again: Sequence[Word]) -> tuple[list[Word], list[Word]]:
    """The words of each reading that the other has not, case and marks aside."""
    old, new = [word for word in live if letters(word.text)], [word for word in again if letters(word.text)]
    matcher = SequenceMatcher(
        None, [letters(word.text) for word in old], [letters(word.text) for word in new], autojunk=False
    )
    changes = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    return (
        [word for _, start, end, _, _ in changes for word in old[start:end]],
        [word for _, _, _, start, end in changes for word in new[start:end]],
    )


def mean_probability(words: Sequence[Word]) -> float:
    """Of all words alike, 0..1; 0 for none."""
    return sum(word.probability for word in words) / len(words) if words else 0.0


def _from_zero(hypothesis: Hypothesis, begin_ms: int) -> Hypothesis:
    words = tuple(
        msgspec.structs.replace(word, start_ms=word.start_ms - begin_ms, end_ms=word.end_ms - begin_ms)
        for word in hypothesis.words
    )
    return msgspec.structs.replace(hypothesis, words=words)


def _language(language: str) -> Language:
    return "zh" if language == "zh" else "en" if language == "en" else "auto"
