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
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from copilot.access.policy import Action, Actor, require
from copilot.backtest.desk import Order, Task, refusal, work
from copilot.errors import CapacityError, PlaybookError, UsageError
from copilot.playbook.documents import Documents
from copilot.playbook.load import find_source, shipped_packs
from copilot.server.asked import Wanted, in_body, in_query, in_text
from copilot.server.doors import identify
from copilot.server.service import Service
from copilot.store.shelf import Shelf, Version


class VersionsQuery(Wanted, frozen=True, kw_only=True):
    """Of which playbook; left out, of all."""

    playbook: str = ""


class PublishQuery(Wanted, frozen=True, kw_only=True):
    """Where a playbook is to go."""

    state: Literal["published", "shadow", "draft"] = "published"


class RetireQuery(Wanted, frozen=True, kw_only=True):
    """A version by its digest or number."""

    version: str


class ScoreBody(Wanted, frozen=True, kw_only=True):
    """Lines and what listens to them; without playbooks, the shipped packs."""

    playbook: str = ""
    playbooks: tuple[str, ...] = ()
    lines: tuple[dict[str, Any], ...]


class BacktestBody(Wanted, frozen=True, kw_only=True):
    """A playbook and the calls it is tried on; without ``calls``, all since ``since``."""

    playbook: str
    calls: tuple[str, ...] = ()
    since: str = ""


class DiffBody(Wanted, frozen=True, kw_only=True):
    """Two playbooks and the calls they are tried on."""

    before: str
    after: str
    calls: tuple[str, ...] = ()
    since: str = ""


async def get_versions(request: Request) -> Response:
    """What was published, kept or tried."""
    service, _ = _enter(request, "playbook.read")
    query = in_query(request.query_params, VersionsQuery)
    return _reply({"versions": await asyncio.to_thread(service.library.shelf.versions, query.playbook)})


async def get_text(request: Request) -> Response:
    """A version as it was put there."""
    service, _ = _enter(request, "playbook.read")
    shelf, path = service.library.shelf, request.path_params
    version = await asyncio.to_thread(shelf.find, path["playbook"], path["digest"])
    return Response(await asyncio.to_thread(shelf.text, version), media_type="application/yaml")


async def publish(request: Request) -> Response:
    """Check a playbook and let new calls use it; what is wrong is refused with line and path."""
    service, actor = _enter(request, "playbook.write")
    state = in_query(request.query_params, PublishQuery).state
    text = await in_text(request)
    try:
        _, documents = await asyncio.to_thread(service.library.read, text)
        by = actor.subject or actor.role
        version = await asyncio.to_thread(
            service.library.shelf.put, text, state, at=service.utc(), by=by, documents=documents
        )
    except PlaybookError as error:
        return _reply(refusal(error), 422)
    service.audit(actor, f"playbook.{state}", "")
    return _reply(version, 201)


async def retire(request: Request) -> Response:
    """Take a version out of use."""
    service, actor = _enter(request, "playbook.write")
    query = in_query(request.query_params, RetireQuery)
    version = await asyncio.to_thread(
        service.library.shelf.retire,
        request.path_params["playbook"],
        query.version,
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
    return await _worked(request, service, Order(task=task, texts=(await in_text(request),)))


async def score(request: Request) -> Response:
    """What is heard in each line, and how well that fits the labels."""
    service, _ = _enter(request, "playbook.write")
    wanted = await in_body(request, ScoreBody)
    names = wanted.playbooks or ((wanted.playbook,) if wanted.playbook else shipped_packs())
    texts, documents = await asyncio.to_thread(_sources, service, names)
    return await _worked(request, service, Order(task="score", texts=texts, documents=documents, lines=wanted.lines))


async def backtest(request: Request) -> Response:
    """The cards stored calls would have had."""
    service, _ = _enter(request, "playbook.write")
    wanted = await in_body(request, BacktestBody)
    return await _on_calls(request, service, "backtest", wanted, (wanted.playbook,))


async def diff(request: Request) -> Response:
    """The cards stored calls would gain and lose."""
    service, _ = _enter(request, "playbook.write")
    wanted = await in_body(request, DiffBody)
    return await _on_calls(request, service, "diff", wanted, (wanted.before, wanted.after))


async def _on_calls(
    request: Request, service: Service, task: Task, wanted: BacktestBody | DiffBody, names: tuple[str, ...]
) -> Response:
    texts, documents = await asyncio.to_thread(_sources, service, names)
    root = str(service.data.root)
    order = Order(task=task, texts=texts, documents=documents, root=root, calls=wanted.calls, since=wanted.since)
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


def _sources(service: Service, names: Sequence[str]) -> tuple[tuple[str, ...], tuple[Documents | None, ...]]:
    """The texts a client means, and the documents kept with each."""
    sources = [_source(service, name) for name in names]
    return tuple(text for text, _ in sources), tuple(documents for _, documents in sources)


def _source(service: Service, name: str) -> tuple[str, Documents | None]:
    """YAML itself, a version, or what a call of that name would use."""
    if "\n" in name:
        return name, None
    playbook, _, version = name.partition("@")
    shelf, books = service.library.shelf, service.settings.playbooks
    if version:
        return _kept(shelf, shelf.find(playbook, version))
    if playbook not in service.library.names():
        raise UsageError(
            "playbook.unknown", "there is no playbook of that name", hint="`GET /v1/playbooks` lists them."
        )
    published = shelf.published().get(playbook)
    return _kept(shelf, published) if published else (find_source(playbook, books.folder).text, None)


def _kept(shelf: Shelf, version: Version) -> tuple[str, Documents | None]:
    return shelf.text(version), shelf.documents(version)


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
