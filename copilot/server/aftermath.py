"""After hang-up: seal the audio, write recording and report. Safe to do twice: a crash in the middle is mended."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from copilot.errors import CopilotError
from copilot.review.page import render_html
from copilot.review.model import Report
from copilot.review.report import make_report
from copilot.store.journal import JOURNAL_FILE, read_journal
from copilot.store.recording import decode_entry, write_recording
from copilot.store.seal import seal
from copilot.wire.codec import decode_call_message
from copilot.wire.messages import AnyCallMessage, CallEnded

if TYPE_CHECKING:
    from copilot.server.header import Header
    from copilot.server.live_call import LiveCall
    from copilot.server.service import Service

log = structlog.get_logger(__name__)

REPORT_FILE = "report.json"
PAGE_FILE = "report.html"
RECORDING_FILE = "recording.bin.gz"


async def conclude(service: Service, live: LiveCall) -> None:
    """A call of this process has finished: make everything that is kept of it final."""
    await asyncio.to_thread(live.close_journal)
    await asyncio.to_thread(_conclude, service, live.header)


async def conclude_leftovers(service: Service) -> None:
    """Calls that ended but whose report a crash prevented."""
    for row in await asyncio.to_thread(service.store.unfinished):
        if service.calls.get(row.call_id):
            continue
        try:
            header = await asyncio.to_thread(service.read_header, Path(row.folder))
            await asyncio.to_thread(_conclude, service, header)
        except CopilotError as error:
            log.error("call.not_concluded", call_id=row.call_id, code=error.code)
            await asyncio.to_thread(service.store.update_call, row.call_id, state="interrupted", reason=error.code)


def _conclude(service: Service, header: Header) -> None:
    """Runs on a worker thread. Sealing deletes the journal last, when everything made from it is safe."""
    info, folder = header.info, service.folder_of(header.info)
    service.store.flush()
    messages = stored_messages(service, info.call_id)
    report = make_report(info, header.playbook, messages)
    layout = service.layout
    layout.write(folder / REPORT_FILE, msgspec.json.encode(report))
    language = report.call.language
    page = render_html(report, language=language, audio_url=f"/v1/calls/{info.call_id}/audio")
    layout.write(folder / PAGE_FILE, page.encode())
    service.store.save_report(info.call_id, msgspec.json.encode(report))
    if (folder / JOURNAL_FILE).exists():
        entries = (decode_entry(record.body) for record in read_journal(folder / JOURNAL_FILE))
        write_recording(folder / RECORDING_FILE, msgspec.json.encode(header), entries)
    sealed = seal(folder, info.media)
    ended = next((m for m in reversed(messages) if isinstance(m, CallEnded)), None)
    service.store.update_call(
        info.call_id,
        state="interrupted" if ended is None or ended.reason == "interrupted" else "ended",
        reason=ended.reason if ended else "interrupted",
        ended_at=ended.emitted_at if ended else info.started_at,
        duration_ms=ended.totals.duration_ms if ended else sealed.duration_ms,
        summary=summary_of(report, ended, sealed.sha256),
    )
    log.info("call.concluded", call_id=info.call_id, duration_ms=ended.totals.duration_ms if ended else 0)


def stored_messages(service: Service, call_id: str) -> list[AnyCallMessage]:
    """The whole event log of a call."""
    decoded = (decode_call_message(body) for _, body in service.store.events(call_id))
    return [message for message in decoded if message is not None]


def summary_of(report: Report, ended: CallEnded | None, sha256: tuple[str, ...]) -> dict[str, object]:
    """What a list of calls shows of a call."""
    totals = msgspec.to_builtins(ended.totals) if ended else {}
    return {**totals, "maturity": report.procedure.maturity.level, "sha256": list(sha256)}
