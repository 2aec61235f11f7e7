"""After a crash: calls that were live are replayed from their journals and go on where they were."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from copilot.call.call import Call
from copilot.errors import CopilotError
from copilot.events import (
    CallEffect,
    CallEvent,
    CancelDecode,
    Decode,
    Decoded,
    Embed,
    Embedded,
    Finish,
    Publish,
    Score,
    SpeechScored,
)
from copilot.store.journal import JOURNAL_FILE, read_journal
from copilot.store.recording import decode_entry

if TYPE_CHECKING:
    from copilot.server.header import Header
    from copilot.server.service import Service

log = structlog.get_logger(__name__)

MOST_ELAPSED_S = 86_400.0
"""A wall clock that jumped must not make a call days old."""


class Unanswered:
    """The effects of a replayed call that nobody answered before the crash."""

    def __init__(self) -> None:
        self._effects: dict[tuple[str, int, int], CallEffect] = {}

    def asked(self, effects: list[CallEffect]) -> None:
        """Remember questions; forget those taken back."""
        for effect in effects:
            if isinstance(effect, Score):
                self._effects["score", effect.channel, effect.first_window] = effect
            elif isinstance(effect, Decode):
                self._effects["decode", effect.job.job_id, 0] = effect
            elif isinstance(effect, Embed):
                self._effects["embed", effect.request_id, 0] = effect
            elif isinstance(effect, CancelDecode):
                self._effects.pop(("decode", effect.job_id, 0), None)
            elif isinstance(effect, Finish):
                self._effects["finish", 0, 0] = effect

    def answered(self, event: CallEvent) -> None:
        """An answer is in the log."""
        if isinstance(event, SpeechScored):
            self._effects.pop(("score", event.channel, event.first_window), None)
        elif isinstance(event, Decoded):
            self._effects.pop(("decode", event.job_id, 0), None)
        elif isinstance(event, Embedded):
            self._effects.pop(("embed", event.request_id, 0), None)

    @property
    def effects(self) -> list[CallEffect]:
        """In the order they were asked."""
        return list(self._effects.values())


async def recover(service: Service) -> None:
    """Bring back every call that was live when the last process died."""
    for row in await asyncio.to_thread(service.store.live_calls):
        try:
            header = await asyncio.to_thread(service.read_header, Path(row.folder))
            call, pending, now = await _replay(service, header)
        except CopilotError as error:
            log.error("call.not_recovered", call_id=row.call_id, code=error.code)
            await asyncio.to_thread(service.store.update_call, row.call_id, state="interrupted", reason=error.code)
            continue
        if call.is_finished:
            service.leftovers.append(header)  # only its report is missing
            continue
        for message in await asyncio.to_thread(stored_messages, service, row.call_id):
            service.floor.observe(message)
        service.calls.adopt(call, header, pending=pending, elapsed=max(now, _elapsed(service, header)))
        log.info("call.recovered", call_id=row.call_id, position_ms=call.position_ms)


async def _replay(service: Service, header: Header) -> tuple[Call, list[CallEffect], float]:
    setup = await service.library.prepared(header.playbook)
    return await asyncio.to_thread(_replay_now, service, header, Call(header.info, setup))


def _replay_now(service: Service, header: Header, call: Call) -> tuple[Call, list[CallEffect], float]:
    """What was published is stored again: the store ignores what it has, and gains what the crash took."""
    unanswered = Unanswered()
    now = 0.0
    for record in read_journal(service.folder_of(header.info) / JOURNAL_FILE):
        now, event = decode_entry(record.body)
        unanswered.answered(event)
        effects = call.receive(event, now)
        unanswered.asked(effects)
        for effect in effects:
            if isinstance(effect, Publish):
                service.store.append_event(
                    header.info.call_id, effect.seq, effect.type, call.position_ms, bytes(effect.message)
                )
    return call, unanswered.effects, now


def _elapsed(service: Service, header: Header) -> float:
    since = (service.clock.utc() - datetime.fromisoformat(header.info.started_at)).total_seconds()
    return min(since, MOST_ELAPSED_S)
