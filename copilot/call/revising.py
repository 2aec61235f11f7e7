"""The second pass of all channels of a call: what to read again, with which audio, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from copilot.audio.clips import Clips
from copilot.audio.timeline import Timeline
from copilot.config import SpeechSettings
from copilot.events import CancelDecode, Decode, Decoded, DecodeJob, Heard
from copilot.speech.second import Revised, SecondPass

Revision = Decode | CancelDecode | Revised


class Revising:
    """Follows the finals of a call. ``is_on`` False: nothing more is asked for (overload); what is said still waits."""

    def __init__(
        self,
        timeline: Timeline,
        channels: int,
        settings: SpeechSettings,
        *,
        next_job_id: Callable[[], int],
        hotwords: str = "",
    ) -> None:
        self._timeline = timeline
        self._channels = [
            SecondPass(channel, settings, next_job_id=next_job_id, hotwords=hotwords) for channel in range(channels)
        ]
        self._clips = [Clips() for _ in range(channels)]
        self._asked: dict[int, int] = {}
        self.is_on = True

    @property
    def is_idle(self) -> bool:
        """No reading is outstanding, and the end of the call needs none (or there is no time for any)."""
        return not self.is_on or all(channel.is_idle for channel in self._channels)

    @property
    def size_bytes(self) -> int:
        """Memory the copies of audio take."""
        return sum(clips.size_bytes for clips in self._clips)

    def samples(self, job: DecodeJob) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The audio of a revision."""
        return self._clips[job.channel].packed(job.spans)

    def told(self, heard: Heard) -> None:
        """A final was told: its audio is copied before the timeline forgets it."""
        if heard.is_final and (span := self._channels[heard.channel].told(heard)):
            begin_ms = max(span[0], self._timeline.oldest_ms)
            self._clips[heard.channel].keep(begin_ms, self._timeline.samples(heard.channel, begin_ms, span[1]))

    def ask(self, now: float) -> list[Decode]:
        """What there is enough of."""
        if not self.is_on:
            return []
        asked = [ask for channel in self._channels for ask in channel.ask(self._timeline.position_ms, now)]
        self._asked |= {ask.job.job_id: ask.job.channel for ask in asked}
        return asked

    def is_mine(self, job_id: int) -> bool:
        """Whether this job is a revision outstanding."""
        return job_id in self._asked

    def decoded(self, event: Decoded) -> list[Revised]:
        """A reading came back."""
        channel = self._asked.pop(event.job_id)
        found = self._channels[channel].decoded(event)
        self._clips[channel].forget(self._channels[channel].oldest_ms)
        return found

    def tick(self, now: float) -> list[CancelDecode]:
        """Deadlines of all channels."""
        return self._cancelled([cancel for channel in self._channels for cancel in channel.tick(now)])

    def give_up(self) -> list[CancelDecode]:
        """No reading is waited for any longer."""
        return self._cancelled([cancel for channel in self._channels for cancel in channel.give_up()])

    def finish(self) -> None:
        """No more will be said: the rest is read too."""
        for channel in self._channels:
            channel.finish()

    def wait_anew(self, now: float) -> None:
        """There is new time for every reading outstanding."""
        for channel in self._channels:
            channel.wait_anew(now)

    def next_deadline(self) -> float | None:
        """When the first reading is given up."""
        return min((due for channel in self._channels if (due := channel.next_deadline()) is not None), default=None)

    def _cancelled(self, cancels: Sequence[CancelDecode]) -> list[CancelDecode]:
        for cancel in cancels:
            channel = self._asked.pop(cancel.job_id)
            self._clips[channel].forget(self._channels[channel].oldest_ms)
        return list(cancels)
