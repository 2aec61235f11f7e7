"""REST under ``/v1``: calls, transcripts, cards, reports, audio, playbooks."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from copilot import __version__
from copilot.access.policy import Action, Actor, Resource, can, require
from copilot.errors import NotFoundError, UsageError
from copilot.events import LOAD_STAGES, CallOutcome
from copilot.review.model import Report
from copilot.review.page import render_html
from copilot.server import workbench_api
from copilot.server.aftermath import stored_messages
from copilot.server.asked import Wanted, in_body, in_query
from copilot.server.doors import identify
from copilot.server.service import Service
from copilot.store.layout import AUDIO_FILE
from copilot.store.rows import CallFilter, CallRow, CallState
from copilot.wire import messages as wire
from copilot.wire.standing import as_it_stands

MOST_ROWS = 200
Moment = Annotated[
    str, Meta(pattern=r"^\d{4}-\d\d-\d\d(T.*)?$", description="a time like 2026-01-31 or 2026-01-31T09:00:00Z")
]
Number = Annotated[int, Meta(ge=0)]
MOST_EVENTS = 10**9
"""More than any call has; a database takes only so many digits."""
CARD_MESSAGES = (wire.CardRaised, wire.CardUpdated, wire.CardClosed, wire.CardSuppressed, wire.CardConcluded)


def reply(value: Any, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def service_of(request: Request) -> Service:
    """The node."""
    service: Service = request.app.state.service
    return service


def actor_of(request: Request) -> Actor:
    """Who asks."""
    return identify(request, service_of(request).settings.access)


async def _call(request: Request, action: Action = "call.read") -> tuple[Actor, CallRow]:
    """The call a request is about, if the caller may see it; to others it does not exist."""
    actor, service, call_id = actor_of(request), service_of(request), request.path_params["call_id"]
    resource = await service.resource(call_id)
    require(actor, action, resource)
    if actor.role == "supervisor":
        service.audit(actor, f"read {request.url.path.rpartition('/')[2]}", call_id)
    return actor, await asyncio.to_thread(service.store.call, call_id)


class CallsQuery(Wanted, frozen=True, kw_only=True):
    """Which calls to list (``CallFilter``), how many, and after which."""

    rep_id: str = ""
    state: CallState | Literal[""] = ""
    since: Moment = ""
    until: Moment = ""
    text: str = ""
    limit: Number = 50
    cursor: str = ""


async def list_calls(request: Request) -> Response:
    """Newest first. A rep sees own calls only."""
    actor = actor_of(request)
    if actor.role in ("rep", "ingest"):  # a rep without a subject owns nothing, not everything
        require(actor, "call.read", Resource(rep_id=actor.subject))
    query = in_query(request.query_params, CallsQuery)
    rep_id = actor.subject if actor.role == "rep" else query.rep_id
    where = CallFilter(rep_id=rep_id, state=query.state, since=query.since, until=query.until, text=query.text)
    limit = min(MOST_ROWS, max(1, query.limit))
    page = await asyncio.to_thread(service_of(request).store.calls, where, limit=limit, cursor=query.cursor)
    return reply({"calls": [_public(row) for row in page.calls], "next_cursor": page.next_cursor})


async def get_call(request: Request) -> Response:
    """One call's facts, and in ``outcomes`` what may be said to have become of it."""
    _, row = await _call(request)
    return reply({**_public(row), "outcomes": get_args(CallOutcome)})


async def get_transcript(request: Request) -> Response:
    """Final utterances in order of time, with later revisions applied."""
    _, row = await _call(request)
    messages = await asyncio.to_thread(stored_messages, service_of(request).store, row.call_id)
    ordered = sorted(as_it_stands(messages).values(), key=lambda line: (line.start_ms, line.end_ms))
    wanted = ("utterance_id", "speaker", "start_ms", "end_ms", "text", "language", "confidence", "words")
    return reply({"utterances": [{key: getattr(line, key) for key in wanted} for line in ordered]})


async def get_cards(request: Request) -> Response:
    """Everything that happened to cards, in order."""
    _, row = await _call(request)
    messages = await asyncio.to_thread(stored_messages, service_of(request).store, row.call_id)
    return reply({"cards": [message for message in messages if isinstance(message, CARD_MESSAGES)]})


class EventsQuery(Wanted, frozen=True, kw_only=True):
    """Which events of a call: ``limit`` of them behind number ``after``."""

    after: Number = 0
    limit: Number = 5_000


async def get_events(request: Request) -> Response:
    """The event log after ``after``."""
    _, row = await _call(request)
    query = in_query(request.query_params, EventsQuery)
    after, limit = min(query.after, MOST_EVENTS), min(query.limit, MOST_EVENTS)
    bodies = await asyncio.to_thread(service_of(request).store.events, row.call_id, after, limit)
    return reply([msgspec.Raw(body) for body in bodies])


async def get_report(request: Request) -> Response:
    """The diagnosis, as JSON."""
    _, row = await _call(request)
    return Response(await _report(request, row.call_id), media_type="application/json")


class PageQuery(Wanted, frozen=True, kw_only=True):
    """The language of the page; left out, that of the call."""

    lang: Literal["en", "zh"] | None = None


async def get_report_page(request: Request) -> Response:
    """The diagnosis as a page, in the language asked for."""
    _, row = await _call(request)
    query = in_query(request.query_params, PageQuery)
    report = msgspec.json.decode(await _report(request, row.call_id), type=Report)
    page = render_html(report, language=query.lang or report.call.language, audio_url=f"/v1/calls/{row.call_id}/audio")
    return HTMLResponse(page)


async def _report(request: Request, call_id: str) -> bytes:
    body: bytes | None = await asyncio.to_thread(service_of(request).store.report, call_id)
    if body is None:
        raise NotFoundError("report.not_ready", "the report is written after hang-up", hint="Ask again in a second.")
    return body


async def get_audio(request: Request) -> Response:
    """The sealed recording (FLAC), with range requests."""
    _, row = await _call(request)
    path = service_of(request).data.folder(row.folder) / AUDIO_FILE
    if not path.is_file():
        raise NotFoundError("audio.not_ready", "the audio is sealed after hang-up", hint="Ask again in a second.")
    return FileResponse(path, media_type="audio/flac", content_disposition_type="inline")


class CallPatch(Wanted, frozen=True, kw_only=True):
    """What may be said of a call afterwards; an empty outcome takes it back."""

    outcome: CallOutcome | Literal[""]


async def patch_call(request: Request) -> Response:
    """Say what became of a call, while it is on or later."""
    actor, row = await _call(request, "call.judge")
    service = service_of(request)
    patch = await in_body(request, CallPatch)
    row = await asyncio.to_thread(service.store.update_call, row.call_id, outcome=patch.outcome)
    service.audit(actor, f"call.judge {patch.outcome or 'nothing'}", row.call_id)
    return reply(_public(row))


async def delete_call(request: Request) -> Response:
    """Remove a call and everything kept of it. Live calls must end first."""
    actor, row = await _call(request, "system.manage")
    service = service_of(request)
    if service.calls.get(row.call_id):
        raise UsageError("call.live", "a live call cannot be deleted", hint="End it first.")
    await asyncio.to_thread(service.delete, row)
    service.audit(actor, "call.delete", row.call_id)
    return Response(status_code=204)


async def get_playbooks(request: Request) -> Response:
    """Names of the playbooks a call may use."""
    require(actor_of(request), "playbook.read")
    return reply({"playbooks": service_of(request).library.names()})


async def get_me(request: Request) -> Response:
    """Who the token says the caller is."""
    actor = actor_of(request)
    guarded = bool(service_of(request).settings.access.tokens)
    floor = can(actor, "floor.read")
    return reply({"role": actor.role, "subject": actor.subject, "auth": guarded, "floor": floor})


async def get_status(request: Request) -> Response:
    """How the node is doing."""
    actor_of(request)
    service = service_of(request)
    return reply(
        {
            "version": __version__,
            "calls": len(service.calls),
            "max_calls": service.overload.limit,
            "overload": LOAD_STAGES[: service.overload.stage],
            "draining": service.calls.draining,
            "bus": service.bus_trouble or "ok",
            "recogniser": service.pool.stats(),
        }
    )


def _public(row: CallRow) -> dict[str, Any]:
    """A call without what concerns only this machine."""
    return {key: value for key, value in msgspec.to_builtins(row).items() if key != "folder"}


async def nothing_here(request: Request) -> Response:
    """Below ``/v1`` there are no pages."""
    raise NotFoundError("request.unknown_path", f"there is no {request.method} {request.url.path}")


ROUTES = [
    Route("/v1/calls", list_calls),
    Route("/v1/calls/{call_id}", get_call),
    Route("/v1/calls/{call_id}", patch_call, methods=["PATCH"]),
    Route("/v1/calls/{call_id}", delete_call, methods=["DELETE"]),
    Route("/v1/calls/{call_id}/transcript", get_transcript),
    Route("/v1/calls/{call_id}/cards", get_cards),
    Route("/v1/calls/{call_id}/events-log", get_events),
    Route("/v1/calls/{call_id}/report", get_report),
    Route("/v1/calls/{call_id}/report.html", get_report_page),
    Route("/v1/calls/{call_id}/audio", get_audio),
    Route("/v1/playbooks", get_playbooks),
    *workbench_api.ROUTES,
    Route("/v1/me", get_me),
    Route("/v1/service", get_status),
    Route("/v1/{path:path}", nothing_here, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
]
