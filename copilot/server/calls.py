"""The live calls of this node: starting, resuming, recovering, ending."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
import structlog

from copilot.access.policy import Actor, Resource, require
from copilot.bus import call_topic
from copilot.call.call import Call
from copilot.call.outbox import rfc3339
from copilot.engines.memory import give_back
from copilot.errors import AccessError, CopilotError, RemoteProtocolError
from copilot.events import CallEffect, CallInfo, MediaFormat
from copilot.ingress.media import media_format
from copilot.server.aftermath import conclude
from copilot.server.drive import Driver
from copilot.server.header import Header
from copilot.server.live_call import Kept, LiveCall
from copilot.store.journal import JournalHandle
from copilot.store.recording import HEADER, encode_header
from copilot.store.rows import CallRow
from copilot.wire.messages import CallHeader, CallStart, Resume

if TYPE_CHECKING:
    from copilot.server.service import Service

log = structlog.get_logger(__name__)

SWEEP_S = 1.0
GATHER_PER_CALL_S = 0.01
GATHER_S = 0.1


class LiveCalls:
    """Registry and life cycle. Every call here has a driver task; it leaves when its report is written."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._live: dict[str, LiveCall] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting = 0
        self.draining = False

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[LiveCall]:
        return iter(list(self._live.values()))

    def get(self, call_id: str) -> LiveCall | None:
        """The live call with this id, if it lives here."""
        return self._live.get(call_id)

    def check_capacity(self) -> None:
        """Raise ``server.capacity`` or ``server.draining`` when no further call can be taken. Never waits."""
        self._service.overload.admit(len(self._live) + self._starting, draining=self.draining)

    async def start(self, start: CallStart, actor: Actor) -> LiveCall:
        """Begin a new call. Raises CopilotError when it may not, cannot, or names an unknown playbook."""
        self.check_capacity()
        self._starting += 1
        try:
            return await self._start(start, actor)
        finally:
            self._starting -= 1

    async def _start(self, start: CallStart, actor: Actor) -> LiveCall:
        whose = self._own(start.call, actor)
        require(actor, "call.start", Resource(rep_id=whose.rep_id, started_by=actor.subject))
        playbook, setup = await self._service.library.setup(start.playbook, start.language)
        language = playbook.language if start.language == "auto" and start.playbook else start.language
        info = CallInfo(
            call_id=f"call_{secrets.token_hex(10)}",
            started_at=rfc3339(self._service.clock.utc()),
            media=media_format(start.media) if start.media else MediaFormat(),
            external_id=whose.external_id,
            direction=whose.direction,
            rep_id=whose.rep_id,
            customer_ref=whose.customer_ref,
            campaign=whose.campaign,
            language=language,
            playbook_id=playbook.id,
            playbook_version=playbook.version,
            context=whose.context,
        )
        header = Header.of(info, playbook, setup, started_by=actor.subject, resume_token=secrets.token_urlsafe(18))
        journal = await asyncio.to_thread(self._lay_out, header)
        return self._run(Call(info, setup), header, journal, pending=None, elapsed=0.0)

    def resume(self, resume: Resume) -> LiveCall:
        """Find the call a client wants to go on with. Raises 4404 or 4410 errors, or ``auth.resume``."""
        live = self._live.get(resume.call_id)
        if live is None or live.ending:
            raise RemoteProtocolError("resume.expired", "the call is over or is not on this node", close_code=4410)
        if not hmac.compare_digest(live.header.resume_token.encode(), resume.resume_token.encode()):
            raise AccessError("auth.resume", "the resume token does not belong to this call")
        return live

    def may_go_on(self, call_id: str) -> bool:
        """Whether more messages of this call can come: it lives here, or may live on another node."""
        return call_id in self._live or self._service.settings.bus.url != ""

    async def adopt(self, call: Call, header: Header, *, pending: list[CallEffect], elapsed: float) -> None:
        """Go on with a call recovered after a crash; its client has the resume window to come back."""
        journal = await asyncio.to_thread(self._open_journal, header.info, call.received_samples)
        live = self._run(call, header, journal, pending=pending, elapsed=elapsed)
        live.expect, live.paused = call.received_samples, call.is_paused
        live.lost_at = self._service.clock.now()

    async def suspend(self) -> None:
        """The process goes down: stop driving. The journals hold everything; the next process goes on."""
        self.draining = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def sweep(self) -> None:
        """Once a second: end calls whose client did not come back, and calls that are too long."""
        settings = self._service.settings.server
        while True:
            await asyncio.sleep(SWEEP_S)
            now = self._service.clock.now()
            for live in self:
                if live.lost_at is not None and now - live.lost_at > settings.resume_window_s:
                    live.lost_at = None
                    await live.hang_up("interrupted")
                elif live.driver.now > settings.max_call_s and not live.ending:
                    await live.hang_up("limit")

    def _lay_out(self, header: Header) -> JournalHandle:
        """A folder, a journal and a row for a new call, before its first sample. Runs on a worker thread."""
        info, data = header.info, self._service.data
        data.create_folder(info.call_id, info.started_at)
        journal = self._open_journal(info, 0)
        journal.append(HEADER, encode_header(header.stored()))
        try:
            self._service.store.create_call(_row(info, data.relative_folder(info.call_id, info.started_at)))
        except CopilotError:
            journal.close()
            raise
        return journal

    def _open_journal(self, info: CallInfo, persisted: int) -> JournalHandle:
        """Waits for the disk."""
        folder = self._service.data.relative_folder(info.call_id, info.started_at)
        return self._service.open_journal(info.call_id, folder, persisted=persisted)

    def _own(self, header: CallHeader, actor: Actor) -> CallHeader:
        """A rep's call is the rep's, whether the softphone said so or not."""
        if actor.role == "rep" and not header.rep_id:
            return msgspec.structs.replace(header, rep_id=actor.subject)
        return header

    def _run(
        self,
        call: Call,
        header: Header,
        journal: JournalHandle,
        *,
        pending: list[CallEffect] | None,
        elapsed: float,
    ) -> LiveCall:
        service, info = self._service, call.info
        kept = Kept(
            info,
            journal=journal,
            store=service.store,
            bus=service.bus,
            block_bytes=call.block_bytes,
            watch=service.watch,
        )
        driver = Driver(
            call,
            clock=service.clock,
            origin=service.clock.now() - elapsed,
            ears=[service.ears.ear() for _ in info.media.channels],
            recogniser=service.recogniser(info.call_id),
            encode=service.suite.encoder.encode_bytes,
            ledgers=kept,
            adviser=service.llm,
            gather_s=self._gather_s,
        )
        live = LiveCall(header=header, driver=driver, kept=kept, journal=journal, without=call.without)
        self._live[info.call_id] = live
        task = asyncio.get_running_loop().create_task(self._live_through(live, pending), name=info.call_id)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return live

    def _gather_s(self) -> float:
        """Nothing for a call or two, whose finals shall not wait; a tenth of a second from a dozen on."""
        return min(GATHER_S, GATHER_PER_CALL_S * (len(self._live) - 2))

    async def _live_through(self, live: LiveCall, pending: list[CallEffect] | None) -> None:
        """Drive the call to its end, then write its report. Nothing that goes wrong here disturbs another call."""
        forward = asyncio.create_task(live.kept.forward())
        try:
            await live.driver.run(pending)
            live.kept.close()
            await forward
            await asyncio.to_thread(live.close_journal)
            await conclude(self._service, live.header)
        except Exception as error:  # noqa: BLE001  # a bug in one call must not take the node down
            log.error("call.failed", call_id=live.info.call_id, error=type(error).__name__, where=_where(error))
            live.driver.finished.set()  # nobody waits for it any more; the next start goes on from its journal
            self._service.floor.forget(live.info.call_id)
        finally:
            forward.cancel()
            await asyncio.to_thread(live.close_journal)
            self._live.pop(live.info.call_id, None)
            self._service.overload.ended(live.driver.now)
            self._service.bus.forget(call_topic(live.info.call_id))
            await asyncio.to_thread(give_back)


def _where(error: BaseException) -> str:
    """File and line of the innermost frame: enough to find a bug, without the texts a traceback would show."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""


def _row(info: CallInfo, folder: str) -> CallRow:
    """A new call as the list of calls shows it."""
    facts = {name: getattr(info, name) for name in info.__struct_fields__}
    return CallRow(**facts, folder=folder)
