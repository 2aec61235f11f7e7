"""What a call has heard so far, so that it can be thought through again with the roles swapped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from copilot.call.thinking import Thinking, Thought
from copilot.cues.moments import Moment
from copilot.events import Heard, Speaker

Swap = dict[Speaker, Speaker]
OTHER: Swap = {"rep": "customer", "customer": "rep"}


class History:
    """An ordered list of what reached the mind. Speakers are channels here, so that a swap changes nothing stored."""

    def __init__(self) -> None:
        self._entries: list[tuple[Callable[..., list[Thought]], int, tuple[Any, ...], Moment]] = []

    def heard(self, heard: Heard, moment: Moment) -> None:
        """Final words."""
        self._entries.append((_hear, heard.channel, (heard,), moment))

    def embedded(self, utterance_id: str, vectors: NDArray[np.float32], moment: Moment) -> None:
        """The meaning of an utterance."""
        self._entries.append((_embed, 0, (utterance_id, vectors), moment))

    def affirmed(self, utterance_id: str, question: str, span: tuple[int, int], moment: Moment) -> None:
        """What a language model said of an utterance."""
        self._entries.append((_affirm, 0, (utterance_id, question, span), moment))

    def speech(self, channel: int, is_speaking: bool, at_ms: int, moment: Moment) -> None:
        """Somebody began or stopped."""
        self._entries.append((_speak, channel, (is_speaking, at_ms), moment))

    def unheard(self, span: tuple[int, int], moment: Moment) -> None:
        """A stretch in which nothing was recognised."""
        self._entries.append((_miss, 0, (span,), moment))

    def relive(self, thinking: Thinking, channels: tuple[Speaker, ...]) -> list[Thought]:
        """Take ``thinking`` through everything, with the channels belonging to ``channels``; what it thought."""
        thoughts: list[Thought] = []
        for act, channel, args, moment in self._entries:
            thoughts += thinking.tick(moment)
            thoughts += act(thinking, channels[channel], *args, moment)
        return thoughts


def _hear(thinking: Thinking, speaker: Speaker, heard: Heard, moment: Moment) -> list[Thought]:
    return thinking.heard(heard, speaker, moment)[0]


def _embed(
    thinking: Thinking, _: Speaker, utterance_id: str, vectors: NDArray[np.float32], moment: Moment
) -> list[Thought]:
    return thinking.embedded(utterance_id, vectors, moment)


def _affirm(
    thinking: Thinking, _: Speaker, utterance_id: str, question: str, span: tuple[int, int], moment: Moment
) -> list[Thought]:
    return thinking.affirmed(utterance_id, question, span, moment)


def _miss(thinking: Thinking, _: Speaker, span: tuple[int, int], moment: Moment) -> list[Thought]:
    return thinking.unheard(span, moment)


def _speak(thinking: Thinking, speaker: Speaker, is_speaking: bool, at_ms: int, moment: Moment) -> list[Thought]:
    return thinking.speech(speaker, is_speaking, at_ms, moment)
