"""REST under ``/v1/playbooks``: the author's workbench, and the versions that new calls use.

    GET  /v1/playbooks/versions                      every version; ``?playbook=`` of one
    GET  /v1/playbooks/{playbook}/versions/{digest}  its text (YAML)
    POST /v1/playbooks                               publish the YAML in the body; ``?state=shadow`` or ``draft``
    POST /v1/playbooks/{playbook}/retire             ``?version=``: its digest or number
    POST /v1/playbooks/lint | test                   the YAML in the body
    POST /v1/playbooks/score                         {"playbooks": [...], "lines": [...]}
    POST /v1/playbooks/backtest                      {"playbook": ..., "calls": [...], "since": ...}
    POST /v1/playbooks/diff                          {"before": ..., "after": ..., "calls": [...], "since": ...}

A playbook in JSON is a name, ``name@version``, or YAML (more than one line). What takes long runs in a process of its
own, one at a time, and gives way to live calls.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from copilot.access.policy import Action, Actor, require
from copilot.backtest.desk import Order, Task, said, work
from copilot.errors import CapacityError, PlaybookError, UsageError
from copilot.events import Frozen
from copilot.playbook.load import find_source, read_version, shipped_packs
from copilot.playbook.source import MAX_CHARS
from copilot.server.doors import identify
from copilot.server.service import Service
from copilot.store.shelf import State

MAX_BODY_BYTES = 4 * MAX_CHARS


class Wanted(Frozen, frozen=True, kw_only=True):
    """The body of a request that names playbooks, lines or calls."""

    playbook: str = ""
    playbooks: tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    lines: tuple[dict[str, Any], ...] = ()
    calls: tuple[str, ...] = ()
    since: str = ""


class Put(Frozen, frozen=True, kw_only=True):
    """Where a playbook is to go."""

    state: State = "published"


async def get_versions(request: Request) -> Response:
    """What was published, kept or tried."""
    service, _ = _enter(request, "playbook.read")
    shelf = service.library.shelf
    return _reply({"versions": await asyncio.to_thread(shelf.versions, request.query_params.get("playbook", ""))})


async def get_text(request: Request) -> Response:
    """A version as it was put there."""
    service, _ = _enter(request, "playbook.read")
    shelf, path = service.library.shelf, request.path_params
    version = await asyncio.to_thread(shelf.find, path["playbook"], path["digest"])
    return Response(await asyncio.to_thread(shelf.text, version), media_type="application/yaml")


async def publish(request: Request) -> Response:
    """Check a playbook and let new calls use it; what is wrong is refused with line and path."""
    service, actor = _enter(request, "playbook.write")
    text = await _text(request)
    state = _converted({"state": request.query_params.get("state", "published")}, Put).state
    if state == "retired":
        raise UsageError("request.invalid", "`state` is published, shadow or draft")
    try:
        books = service.settings.playbooks
        await asyncio.to_thread(read_version, text, books.folder, books.knowledge)
        version = await asyncio.to_thread(
            service.library.shelf.put, text, state, at=service.utc(), by=actor.subject or actor.role
        )
    except PlaybookError as error:
        return _reply({"error": said(error)}, 422)
    service.audit(actor, f"playbook.{state}", "")
    return _reply(version, 201)


async def retire(request: Request) -> Response:
    """Take a version out of use."""
    service, actor = _enter(request, "playbook.write")
    version = await asyncio.to_thread(
        service.library.shelf.retire,
        request.path_params["playbook"],
        request.query_params.get("version", ""),
        at=service.utc(),
        by=actor.subject or actor.role,
    )
    service.audit(actor, "playbook.retired", "")
    return _reply(version)


async def lint(request: Request) -> Response:
    """Findings for the YAML in the body."""
    return await _read_only(request, "lint")


async def test(request: Request) -> Response:
    """The scenarios of the YAML in the body."""
    return await _read_only(request, "test")


async def _read_only(request: Request, task: Task) -> Response:
    service, _ = _enter(request, "playbook.write")
    return await _worked(request, service, Order(task=task, texts=(await _text(request),)))


async def score(request: Request) -> Response:
    """What is heard in each line, and how well that fits the labels."""
    service, _ = _enter(request, "playbook.write")
    wanted = await _wanted(request)
    names = wanted.playbooks or ((wanted.playbook,) if wanted.playbook else shipped_packs())
    texts = [await asyncio.to_thread(_source, service, name) for name in names]
    return await _worked(request, service, Order(task="score", texts=tuple(texts), lines=wanted.lines))


async def backtest(request: Request) -> Response:
    """The cards stored calls would have had."""
    service, _ = _enter(request, "playbook.write")
    wanted = await _wanted(request)
    return await _on_calls(request, service, "backtest", wanted, (wanted.playbook,))


async def diff(request: Request) -> Response:
    """The cards stored calls would gain and lose."""
    service, _ = _enter(request, "playbook.write")
    wanted = await _wanted(request)
    return await _on_calls(request, service, "diff", wanted, (wanted.before, wanted.after))


async def _on_calls(request: Request, service: Service, task: Task, wanted: Wanted, names: tuple[str, ...]) -> Response:
    texts = [await asyncio.to_thread(_source, service, name) for name in names]
    root = str(service.data.root)
    order = Order(task=task, texts=tuple(texts), root=root, calls=wanted.calls, since=wanted.since)
    return await _worked(request, service, order)


async def _worked(request: Request, service: Service, order: Order) -> Response:
    """Have it done elsewhere. CapacityError ``workbench.busy`` while something else is being done."""
    state = request.app.state
    if getattr(state, "workbench_busy", False):
        raise CapacityError("workbench.busy", "another playbook is being tried", hint="Ask again in a moment.")
    state.workbench_busy = True
    try:
        body = await asyncio.to_thread(_in_own_process, service, order)
    finally:
        state.workbench_busy = False
    return Response(body, 422 if body.startswith(b'{"error":') else 200, media_type="application/json")


def _in_own_process(service: Service, order: Order) -> bytes:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, service.settings, order).result()


def _enter(request: Request, action: Action) -> tuple[Service, Actor]:
    service: Service = request.app.state.service
    actor = identify(request, service.settings.access)
    require(actor, action)
    return service, actor


def _source(service: Service, name: str) -> str:
    """The text a client means: YAML itself, a version, or what a call of that name would use."""
    if "\n" in name:
        return name
    playbook, _, version = name.partition("@")
    shelf = service.library.shelf
    if version:
        return shelf.text(shelf.find(playbook, version))
    if playbook not in service.library.names():
        raise UsageError(
            "playbook.unknown", "there is no playbook of that name", hint="`GET /v1/playbooks` lists them."
        )
    published = shelf.published().get(playbook)
    return shelf.text(published) if published else find_source(playbook, service.settings.playbooks.folder).text


async def _text(request: Request) -> str:
    try:
        return (await read_body(request)).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError("request.invalid", "the body is not UTF-8 text") from error


async def _wanted(request: Request) -> Wanted:
    try:
        return msgspec.json.decode(await read_body(request), type=Wanted)
    except msgspec.DecodeError as error:
        raise UsageError("request.invalid", str(error)) from error


async def read_body(request: Request) -> bytes:
    """What was sent. Raises UsageError ``request.too_large``."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise UsageError("request.too_large", f"a body has at most {MAX_BODY_BYTES:,} bytes")
    return body


def _converted(value: dict[str, str], kind: type[Put]) -> Put:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise UsageError("request.invalid", str(error)) from error


def _reply(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


ROUTES = [
    Route("/v1/playbooks/versions", get_versions),
    Route("/v1/playbooks/{playbook}/versions/{digest}", get_text),
    Route("/v1/playbooks", publish, methods=["POST"]),
    Route("/v1/playbooks/{playbook}/retire", retire, methods=["POST"]),
    Route("/v1/playbooks/lint", lint, methods=["POST"]),
    Route("/v1/playbooks/test", test, methods=["POST"]),
    Route("/v1/playbooks/score", score, methods=["POST"]),
    Route("/v1/playbooks/backtest", backtest, methods=["POST"]),
    Route("/v1/playbooks/diff", diff, methods=["POST"]),
]
