"""Written lines through the engine of a live call, without sound: when and what it would have said about them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import numpy as np

from copilot.backtest.virtual import VirtualRun
from copilot.call.call import Call, CallSetup
from copilot.clock import FakeClock
from copilot.config import Settings
from copilot.engines.suite import Encoder
from copilot.events import CallEvent, CallInfo, DecodeJob, HungUp, Hypothesis, Speaker, TextReceived, Utterance
from copilot.knowledge.index import index_of
from copilot.playbook.compile import compile_playbook
from copilot.playbook.load import find_playbook
from copilot.playbook.model import TEXT_LEAVES, Playbook
from copilot.playbook.walk import form, walk
from copilot.signals.listener import Listener, prepare

from .chatter import Dialogue, spoken_s
from .lags import Message
from .virtual import as_language

STARTED_AT = "2026-01-05T09:00:00.000Z"
PAUSE_S = 0.5
"""Between two lines of a dialogue."""
TAIL_S = 2.0


class Line(msgspec.Struct, frozen=True):
    """Something said, in seconds of the call."""

    speaker: Speaker
    start: float
    end: float
    text: str


class Studio:
    """One language's playbook, and calls that are made of text."""

    def __init__(self, language: str, encoder: Encoder, settings: Settings, playbook: str = "") -> None:
        self.language = as_language(language)
        books = settings.playbooks
        self.playbook: Playbook = find_playbook(playbook, books.folder, self.language, books.knowledge)
        plan = compile_playbook(self.playbook)
        self.setup = CallSetup(
            plan=plan,
            prepared=prepare(plan, encoder.encode, encoder.intents),
            index=index_of(self.playbook, encoder.encode),
            speech=settings.speech,
        )
        self.longest_s = settings.speech.vad.max_speech_ms / 1000
        self._encoder = encoder

    @property
    def labels(self) -> frozenset[str]:
        """What is listened for by words; not what merely sums up other signals."""
        return frozenset(
            rule.label
            for rule in self.setup.plan.rules
            if any(form(trigger) in TEXT_LEAVES for _, trigger in walk(rule.trigger))
        )

    def play(self, name: str, lines: Iterable[Line], until: float) -> list[Message]:
        """The messages of a call in which these lines are said, each known as soon as it ends.

        ``at`` in each: seconds since the call began.
        """
        info = CallInfo(
            call_id=name,
            started_at=STARTED_AT,
            kind="chat",
            language=self.language,
            playbook_id=self.playbook.id,
            playbook_version=self.playbook.version,
        )
        run = VirtualRun(
            Call(info, self.setup),
            scorers=[],
            transcribe=_no_sound,
            encode=self._encoder.encode_bytes,
            clock=FakeClock(),
            workers=1,
        )
        messages: list[Message] = [msgspec.json.decode(effect.message) for effect in run.play(_script(lines, until))]
        for message in messages:
            message["at"] = message["pos_ms"] / 1000
        return messages

    def costs_ms(self, texts: Iterable[tuple[Speaker, str]]) -> dict[str, list[float]]:
        """Milliseconds of one thread that each text takes: ``encoder`` alone and ``classifier`` as a whole."""
        listener = Listener(self.setup.plan, self.setup.prepared, context={})
        costs: dict[str, list[float]] = {"classifier": [], "encoder": []}
        for number, (speaker, text) in enumerate(texts):
            said = Utterance(id=f"u{number}", speaker=speaker, start_ms=0, end_ms=1_000, text=text, language="")
            began = time.thread_time()
            hearing = listener.hear(said, stage="")
            wanted = time.thread_time()
            vectors = self._encoder.encode(hearing.embed) if hearing.embed else np.zeros((0, 512), np.float32)
            encoded = time.thread_time()
            if hearing.embed:
                listener.embedded(said.id, vectors)
            costs["classifier"].append((time.thread_time() - began) * 1000)
            costs["encoder"].append((encoded - wanted) * 1000)
        return costs


def spoken(dialogue: Dialogue) -> list[Line]:
    """The lines of a dialogue one after the other, all said by the customer."""
    lines, clock = [], 0.0
    for text in dialogue.lines:
        end = clock + spoken_s(text)
        lines.append(Line("customer", clock, end, text))
        clock = end + PAUSE_S
    return lines


def _script(lines: Iterable[Line], until: float) -> Iterator[tuple[float, CallEvent]]:
    last = 0.0
    for line in sorted(lines, key=lambda line: line.end):
        span: dict[str, Any] = {"start_ms": round(line.start * 1000), "end_ms": round(line.end * 1000)}
        yield line.end, TextReceived(speaker=line.speaker, text=line.text, **span)
        last = line.end
    yield max(last + TAIL_S, until), HungUp()


def _no_sound(job: DecodeJob, _: object) -> Hypothesis:
    raise AssertionError(f"a call of text has nothing to decode ({job.utterance_id})")
