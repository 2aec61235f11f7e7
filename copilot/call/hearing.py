"""Rooms (2) and (3) for all channels of a call: from bytes to words."""

from __future__ import annotations

import math
from itertools import count

from copilot.audio.timeline import Timeline
from copilot.config import SpeechSettings
from copilot.events import (
    AudioMissed,
    AudioReceived,
    CancelDecode,
    Decode,
    Decoded,
    Heard,
    Language,
    Score,
    SpeechEnded,
    SpeechScored,
    SpeechStarted,
)
from copilot.speech.effort import Effort
from copilot.speech.transcriber import Transcriber

Finding = Decode | CancelDecode | SpeechStarted | SpeechEnded | Heard


class Hearing:
    """The ears of a call. Owns the media timeline and one transcriber per channel.

    ``unscored`` counts the ``Score`` effects that are still to be answered.
    """

    def __init__(
        self,
        timeline: Timeline,
        channels: int,
        settings: SpeechSettings,
        *,
        language: Language,
        prompt: str,
        hotwords: str,
    ) -> None:
        self.timeline = timeline
        self.unscored = 0
        self._jobs = count(1)
        self._utterances = count(1)
        self._owner: dict[int, int] = {}
        self.channels = [
            Transcriber(
                channel,
                settings,
                language=language,
                next_job_id=self._next_job(channel),
                next_utterance_id=self.next_utterance_id,
                prompt=prompt,
                hotwords=hotwords,
            )
            for channel in range(channels)
        ]

    def next_utterance_id(self) -> str:
        """Utterance ids are unique in the call, in the order speech began."""
        return f"u{next(self._utterances)}"

    def next_job_id(self) -> int:
        """Job ids are unique in the call."""
        return next(self._jobs)

    def audio(self, event: AudioReceived | AudioMissed) -> list[Score]:
        """Place audio (or a hole) on the timeline and ask for the scores of the windows it completed."""
        first = self.timeline.windows
        fresh = (
            self.timeline.receive(event.payload)
            if isinstance(event, AudioReceived)
            else self.timeline.miss(event.samples)
        )
        return self._scores(first, fresh)

    def finish(self) -> list[Score]:
        """No more audio: the last incomplete window is scored too."""
        first = self.timeline.windows
        return self._scores(first, self.timeline.finish())

    def scored(self, event: SpeechScored, now: float) -> list[Finding]:
        """Speech scores arrived for one channel."""
        self.unscored -= 1
        return list(self.channels[event.channel].scored(event, now))

    def decoded(self, event: Decoded, now: float) -> list[Finding]:
        """Words arrived; an answer nobody waits for any more is ignored."""
        channel = self._owner.pop(event.job_id, None)
        return [] if channel is None else list(self.channels[channel].decoded(event, now))

    def tick(self, now: float) -> list[Finding]:
        """Deadlines of all channels."""
        return [finding for channel in self.channels for finding in channel.tick(now)]

    def make(self, effort: Effort) -> None:
        """Recognise with this much effort from now on."""
        for channel in self.channels:
            channel.effort = effort

    def wait_anew(self, now: float) -> None:
        """There is new time for every answer outstanding."""
        for channel in self.channels:
            channel.wait_anew(now)

    def give_up(self) -> list[Finding]:
        """No answer is waited for any longer."""
        return self.tick(math.inf)

    def flush(self, now: float) -> list[Finding]:
        """What is being said becomes final: at hang-up and at a pause."""
        return [finding for channel in self.channels for finding in channel.flush(now)]

    def next_deadline(self) -> float | None:
        """The earliest wall moment a channel wants to be ticked."""
        return min((due for c in self.channels if (due := c.next_deadline()) is not None), default=None)

    @property
    def settled_ms(self) -> int:
        """Everything said before this media time has been recognised for good."""
        begun = [start for channel in self.channels if (start := channel.unsettled_ms) is not None]
        return min(begun, default=self.timeline.position_ms)

    @property
    def is_idle(self) -> bool:
        """Nothing is being said and no final is outstanding."""
        return all(channel.is_idle for channel in self.channels)

    def _scores(self, first: int, fresh: int) -> list[Score]:
        if not fresh:
            return []
        self.unscored += len(self.channels)
        return [Score(channel=index, first_window=first, count=fresh) for index in range(len(self.channels))]

    def _next_job(self, channel: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
        def allocate() -> int:
            job_id = next(self._jobs)
            self._owner[job_id] = channel
            return job_id

        return allocate
