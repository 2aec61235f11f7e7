"""A softphone's side of a call: audio up, events down, over as many connections as it takes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from copilot_client.backoff import Backoff
from copilot_client.base import CallEvent, Message
from copilot_client.errors import ConnectionLost, ProtocolError, Refused
from copilot_client.inbox import Inbox
from copilot_client.link import TEMPORARY, Link
from copilot_client.messages import AudioAck, AudioNack, CallStarted, Draining, Pong
from copilot_client.protocol import Call, Media, start_message
from copilot_client.uplink import Uplink
from copilot_client.viewer import viewer
from copilot_client.wav import WavFile

OVER = (4404, 4410)
"""Close codes of a call that cannot be taken up again."""


@dataclass(frozen=True)
class Options:
    """How a stream behaves when things go wrong.

    ``buffer_s``: how much audio is kept for sending again. ``when_full``: ``wait`` until the server has stored some,
    right for files; ``drop_oldest``, declared as a gap, right for a microphone that will not wait.
    """

    buffer_s: float = 60.0
    when_full: Literal["wait", "drop_oldest"] = "wait"
    backoff: Backoff = field(default_factory=Backoff)
    open_timeout_s: float = 10.0
    max_events: int = 20_000


class CallStream:
    """One live call, to be entered with ``async with``. Iterate it for its events; the last is ``CallEnded``.

    Leaving the block ends the call and waits for its last event. Leaving it by an exception only drops the
    connection; the server keeps what it has. Whatever is awaited raises Refused, ConnectionLost or ProtocolError once
    the call cannot go on.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        media: Media | None = None,
        call: Call | None = None,
        options: Options | None = None,
    ) -> None:
        self.media = media or Media()
        self.call = call or Call()
        self.options = options or Options()
        self.started: CallStarted | None = None
        self.connections = 0
        self._link = Link(url, token, self.options.backoff, self.options.open_timeout_s)
        self._uplink = Uplink(self.media, self.options.buffer_s)
        self._inbox = Inbox(self.options.max_events)
        self._is_paused = False
        self._is_ending = False
        self._news = asyncio.Event()
        self._work = asyncio.Event()
        self._failure: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    # --- the call -------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        try:
            await self._until(lambda: self.started is not None)
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                await self.end()
        finally:
            await self._leave()

    @property
    def call_id(self) -> str:
        """The server's name for the call; empty before it was started."""
        return self.started.call_id if self.started else ""

    async def send_audio(self, audio: bytes) -> None:
        """Send whole interleaved samples in the format of ``media``. While paused and after the end they go nowhere."""
        self._check()
        if self.options.when_full == "wait":
            await self._until(lambda: self._inbox.is_ended or self._uplink.has_room(audio))
        if self._is_paused or self._is_ending or self._inbox.is_ended:
            return
        self._uplink.append(audio)
        self._work.set()

    async def stream_frames(self, frames: AsyncIterable[bytes] | Iterable[bytes]) -> None:
        """Send audio as it comes, from a microphone for example."""
        if isinstance(frames, AsyncIterable):
            async for frame in frames:
                await self.send_audio(frame)
        else:
            for frame in frames:
                await self.send_audio(frame)

    async def stream_file(self, path: str | Path, *, speed: float = 1.0, frame_ms: int = 20) -> None:
        """Send a WAV file as if it were spoken now, ``speed`` times as fast. Its format must be that of ``media``."""
        loop = asyncio.get_running_loop()
        with WavFile(path) as wav:
            wav.require(self.media)
            begin = loop.time()
            for spoken_s, frame in wav.frames(frame_ms):
                await asyncio.sleep(max(0.0, begin + spoken_s / speed - loop.time()))
                await self.send_audio(frame)

    async def play(self, path: str | Path, *, speed: float = 1.0) -> None:
        """``stream_file``, then hang up."""
        await self.stream_file(path, speed=speed)
        await self.end()

    async def end(self, outcome: Literal["won", "lost", "follow_up"] | None = None) -> None:
        """Hang up, say what became of the call if that is known, and wait for the last event.

        Events not iterated yet still can be.
        """
        self._check()
        if not self._is_ending:
            self._send("call.end", **({"outcome": outcome} if outcome else {}))
        self._is_ending = True
        await self._until(lambda: self._inbox.is_ended)

    # --- what a person does -----------------------------------------------------------------------------------------

    def pause(self, reason: Literal["hold", "consent", "pci"] = "hold") -> None:
        """Stop sending audio, and have the server ignore whatever else it hears."""
        if not self._is_paused:
            self._send("call.pause", reason=reason)
        self._is_paused = True

    def resume(self) -> None:
        """Go on after ``pause``."""
        if self._is_paused:
            self._send("call.resume")
        self._is_paused = False

    def card_rendered(self, card_id: str) -> None:
        """Say that a card is on the screen."""
        self._send("card.rendered", card_id=card_id)

    def ack_card(self, card_id: str, action: Literal["used", "dismissed", "snoozed", "wrong"]) -> None:
        """Answer a card."""
        self._send("card.ack", card_id=card_id, action=action)

    def tick_step(self, step_id: str) -> None:
        """Tick a step by hand."""
        self._send("step.tick", step_id=step_id)

    def waive_step(self, step_id: str, reason: str = "") -> None:
        """Declare that a step need not be done."""
        self._send("step.waive", step_id=step_id, reason=reason)

    def mark(self, label: str = "") -> None:
        """Mark this moment."""
        self._send("mark", label=label)

    def dtmf(self, digit: str, speaker: Literal["rep", "customer"] | None = None) -> None:
        """Report a key."""
        self._send("dtmf", digit=digit, speaker=speaker)

    def swap_roles(self) -> None:
        """The channels were the wrong way round."""
        self._send("roles.swap")

    # --- events -----------------------------------------------------------------------------------------------------

    async def __aiter__(self) -> AsyncIterator[CallEvent]:
        while True:
            await self._until(lambda: self._inbox.has_news)
            event = self._inbox.take()
            if event is None:
                return
            yield event

    @property
    def events_dropped(self) -> int:
        """Events nobody iterated in time (more than ``max_events`` waited)."""
        return self._inbox.dropped

    @property
    def lost_samples(self) -> int:
        """Samples given up because the buffer was full (``drop_oldest``)."""
        return self._uplink.lost_samples

    # --- connections ------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Connect until the call is over or cannot go on."""
        try:
            while not self._inbox.is_ended:
                error = await self._connection()
                if error is not None:
                    await self._pause_after(error)
        except Exception as error:  # noqa: BLE001  # raised again in whoever awaits the call
            self._failure = error
        self._notify()

    async def _connection(self) -> Exception | None:
        """One connection: None when it saw the call's end, else what broke it."""
        try:
            async with await self._link.open(self._path()) as socket:
                await self._start(socket)
                async with asyncio.TaskGroup() as tasks:
                    sender = tasks.create_task(self._feed(socket))
                    broken = await self._listen(socket)
                    sender.cancel()
                return broken
        except TEMPORARY as error:
            return error
        finally:
            self._uplink.disconnected()

    async def _start(self, socket: ClientConnection) -> None:
        await socket.send(json.dumps(start_message(self.media, self.call, self._resume())))
        async for message in self._link.messages(socket):
            if not isinstance(message, CallStarted):
                raise ProtocolError(f"expected call.started, the server sent {message.type}")
            self.started = message
            self.connections += 1
            self._link.established()
            self._uplink.connected(message.epoch, message.expect, message.limits.max_frame_bytes)
            self._notify()
            return

    def _path(self) -> str:
        """Naming a call that is on already gets past a server that takes no new ones."""
        return f"/v1/stream?call_id={quote(self.call_id, safe='')}" if self.started else "/v1/stream"

    def _resume(self) -> dict[str, Any] | None:
        if self.started is None:
            return None
        token = self.started.resume_token
        return {"call_id": self.call_id, "resume_token": token, "last_seq": self._inbox.last_seq}

    async def _listen(self, socket: ClientConnection) -> Exception | None:
        """Take messages until the call is over (None) or the connection is (why)."""
        try:
            async for message in self._link.messages(socket):
                self._take(message)
                self._notify()
                if self._inbox.is_ended:
                    break
        except Exception as error:  # noqa: BLE001  # the sender is stopped first, then it is sorted
            return error
        return None

    def _take(self, message: Message) -> None:
        match message:
            case CallEvent():
                self._inbox.put(message)
            case AudioAck(persisted=persisted):
                self._uplink.acked(persisted)
            case AudioNack(offset=offset):
                self._uplink.nacked(offset)
                self._work.set()
            case Pong(t=number):
                self._uplink.ponged(number)
            case Draining(reconnect_after_ms=delay_ms):
                self._link.wanted_delay_s = delay_ms / 1000
            case _:
                raise ProtocolError(f"{message.type} does not belong in a call")

    async def _feed(self, socket: ClientConnection) -> None:
        """Send whatever there is to send. The listener finds out why a connection closed."""
        try:
            while True:
                self._work.clear()
                while (frame := self._uplink.next_frame()) is not None:
                    await socket.send(frame)
                await self._work.wait()
        except ConnectionClosed:
            return

    async def _pause_after(self, error: Exception) -> None:
        """Wait before the next connection. A call that ended while we were away is read to its end instead."""
        if not isinstance(error, TEMPORARY):
            raise error
        try:
            await self._link.pause_after(error)
        except Refused as refused:
            if refused.close_code not in OVER or not self._is_ending or self.started is None:
                raise
            link = self._link
            async for event in viewer(
                link.url, self.call_id, after=self._inbox.last_seq, token=link.token, backoff=link.backoff
            ):
                self._inbox.put(event)

    # --- waiting ----------------------------------------------------------------------------------------------------

    def _send(self, kind: str, **fields: Any) -> None:
        self._check()
        self._uplink.control({"type": kind, **fields})
        self._work.set()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _until(self, is_true: Callable[[], bool]) -> None:
        while not is_true():
            self._check()
            await self._news.wait()

    def _notify(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _leave(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if not self._inbox.is_ended and self._failure is None:
            self._failure = ConnectionLost("the call was left before its end")
        self._notify()


def connect(
    url: str,
    *,
    token: str | None = None,
    media: Media | None = None,
    call: Call | None = None,
    options: Options | None = None,
) -> CallStream:
    """A new call on the server at ``url`` (``ws://host:port``), to be entered with ``async with``."""
    return CallStream(url, token=token, media=media, call=call, options=options)
