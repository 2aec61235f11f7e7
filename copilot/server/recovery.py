"""After a crash: calls that were live are replayed from their journals and go on where they were."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from copilot.call.call import Call
from copilot.errors import CopilotError, StorageError
from copilot.events import (
    Answered,
    Ask,
    CallEffect,
    CallEvent,
    CancelDecode,
    Decode,
    Decoded,
    Embed,
    Embedded,
    Publish,
    Score,
    SpeechScored,
)
from copilot.server.aftermath import conclude, stored_messages
from copilot.server.header import Header
from copilot.store.journal import JOURNAL_FILE
from copilot.store.layout import RECORDING_FILE
from copilot.store.recording import HEADER, decode_header, read_recording
from copilot.store.records import read_journal
from copilot.store.rows import CallRow
from copilot.store.seal import entries

if TYPE_CHECKING:
    from copilot.server.service import Service

log = structlog.get_logger(__name__)

PAGE = 1_000
"""Events stored at a time: a long call has more than may wait for the database."""
MOST_ELAPSED_S = 86_400.0
"""A wall clock that jumped must not make a call days old."""


class Unanswered:
    """The questions of a replayed call that nobody answered before the crash."""

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
            elif isinstance(effect, Ask):
                self._effects["ask", effect.request_id, 0] = effect
            elif isinstance(effect, CancelDecode):
                self._effects.pop(("decode", effect.job_id, 0), None)

    def answered(self, event: CallEvent) -> None:
        """An answer is in the log."""
        if isinstance(event, SpeechScored):
            self._effects.pop(("score", event.channel, event.first_window), None)
        elif isinstance(event, Decoded):
            self._effects.pop(("decode", event.job_id, 0), None)
        elif isinstance(event, Embedded):
            self._effects.pop(("embed", event.request_id, 0), None)
        elif isinstance(event, Answered):
            self._effects.pop(("ask", event.request_id, 0), None)

    @property
    def effects(self) -> list[CallEffect]:
        """In the order they were asked."""
        return list(self._effects.values())


async def recover(service: Service) -> list[Header]:
    """Bring back every call that was live when the last process ended.

    Returns those that had ended and only lack their report.
    """
    finished = []
    for row in await asyncio.to_thread(service.store.live_calls):
        if not service.data.folder(row.folder).is_dir():
            continue  # with a shared database: a call of another node, whose journal is on that node's disk
        try:
            if header := await _bring_back(service, row):
                finished.append(header)
        except Exception as error:  # noqa: BLE001  # one call must not keep the node from opening
            code = error.code if isinstance(error, CopilotError) else "call.not_recovered"
            log.error("call.not_recovered", call_id=row.call_id, code=code, error=type(error).__name__)
            await asyncio.to_thread(service.store.update_call, row.call_id, state="interrupted", reason=code)
    return finished


async def _bring_back(service: Service, row: CallRow) -> Header | None:
    """Go on with a call; its header, when it turns out to be over."""
    header = await asyncio.to_thread(_read_header, service.data.folder(row.folder))
    setup = await service.library.prepared(header)
    call, pending, now = await asyncio.to_thread(_replay, service, Call(header.info, setup), row.folder)
    if call.is_finished:
        return header
    for message in await asyncio.to_thread(stored_messages, service.store, row.call_id):
        service.floor.observe(message)
    await service.calls.adopt(call, header, pending=pending, elapsed=max(now, _elapsed(service, header)))
    log.info("call.recovered", call_id=row.call_id, position_ms=call.position_ms)
    return None


async def conclude_all(service: Service, headers: list[Header]) -> None:
    """Write the reports a crash prevented, one after the other."""
    for header in headers:
        await conclude(service, header)


def _read_header(folder: Path) -> Header:
    """From the journal, or from the recording of a call that was sealed already."""
    if not (folder / JOURNAL_FILE).exists():
        return Header.restored(read_recording(folder / RECORDING_FILE).header)
    first = next(iter(read_journal(folder / JOURNAL_FILE)), None)
    if first is None or first.kind != HEADER:
        raise StorageError("storage.header", f"the journal in {folder} has no head")
    return Header.restored(decode_header(first.body))


def _replay(service: Service, call: Call, relative: str) -> tuple[Call, list[CallEffect], float]:
    """Live through the journal. What it published and the database has not is stored, a page at a time.

    The database may know more than the journal, which is synced less often: that was never acknowledged, and goes.
    """
    folder = service.data.folder(relative)
    journal = folder / JOURNAL_FILE
    log_entries = entries(journal) if journal.exists() else iter(read_recording(folder / RECORDING_FILE))
    store, call_id = service.store, call.info.call_id
    unanswered, known, last, now = Unanswered(), store.last_seq(call_id), 0, 0.0
    for now, event in log_entries:  # the last one is wanted
        unanswered.answered(event)
        effects = call.receive(event, now)
        unanswered.asked(effects)
        for effect in effects:
            if isinstance(effect, Publish) and (last := effect.seq) > known:
                store.append_event(call_id, last, effect.type, call.position_ms, bytes(effect.message))
                if last % PAGE == 0:
                    store.flush()
    store.trim_events(call_id, last)
    store.flush()
    return call, unanswered.effects, now


def _elapsed(service: Service, header: Header) -> float:
    since = (service.clock.utc() - datetime.fromisoformat(header.info.started_at)).total_seconds()
    return min(since, MOST_ELAPSED_S)
