"""After hang-up: seal the audio, write the report. Safe to do twice: a crash in between is mended at the next start."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import structlog

from copilot.errors import CopilotError
from copilot.review.model import Report
from copilot.review.page import render_html
from copilot.review.report import make_report
from copilot.store.disk import replacing
from copilot.store.layout import RECORDING_FILE, REPORT_HTML, REPORT_JSON
from copilot.store.seal import seal
from copilot.wire.codec import decode_call_message
from copilot.wire.messages import AnyCallMessage, CallEnded

if TYPE_CHECKING:
    from pathlib import Path

    from copilot.server.header import Header
    from copilot.server.service import Service
    from copilot.store.rows import Sessions

log = structlog.get_logger(__name__)


async def conclude(service: Service, header: Header) -> None:
    """Make everything that is kept of a finished call final. The call stays ``live`` in the database until it is."""
    try:
        recording = await asyncio.to_thread(_conclude, service, header)
        service.tracks.want(recording)
    except CopilotError as error:
        log.error("call.not_concluded", call_id=header.info.call_id, code=error.code)


def _conclude(service: Service, header: Header) -> Path:
    """The sealed recording. Runs on a worker thread. Sealing deletes the journal, so the report is made first."""
    info, store = header.info, service.store
    folder = service.data.folder(store.call(info.call_id).folder)
    store.flush()
    messages = stored_messages(store, info.call_id)
    report = make_report(info, header.playbook, messages)
    _write_report(folder, report)
    store.save_report(info.call_id, msgspec.json.encode(report))
    sealed = seal(folder, info.media)
    ended = next((message for message in reversed(messages) if isinstance(message, CallEnded)), None)
    reason = ended.reason if ended else "interrupted"
    said = store.call(info.call_id).outcome  # what somebody said of the call meanwhile stands
    store.update_call(
        info.call_id,
        state="interrupted" if reason == "interrupted" else "ended",
        reason=reason,
        ended_at=ended.emitted_at if ended else info.started_at,
        duration_ms=report.call.duration_ms,
        summary=summary_of(report, ended, sealed.sha256),
        outcome=said or (ended.outcome if ended and ended.outcome else ""),
    )
    log.info("call.concluded", call_id=info.call_id, duration_ms=report.call.duration_ms, reason=reason)
    return folder / RECORDING_FILE


def _write_report(folder: Path, report: Report) -> None:
    page = render_html(report, language=report.call.language, audio_url=f"/v1/calls/{report.call.call_id}/audio")
    for name, body in ((REPORT_JSON, msgspec.json.encode(report)), (REPORT_HTML, page.encode())):
        with replacing(folder / name) as temporary:
            temporary.write_bytes(body)


def stored_messages(store: Sessions, call_id: str) -> list[AnyCallMessage]:
    """The whole event log of a call."""
    decoded = (decode_call_message(body) for body in store.events(call_id))
    return [message for message in decoded if message is not None]


def summary_of(report: Report, ended: CallEnded | None, sha256: tuple[str, ...]) -> dict[str, object]:
    """What a list of calls shows of a call."""
    totals = msgspec.to_builtins(ended.totals) if ended else {}
    return {**totals, "maturity": report.procedure.maturity.level, "sha256": list(sha256)}
