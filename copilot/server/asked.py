"""What a request asks for, read into a struct. What is wrong with it is said in plain words, an unknown key too."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request

from copilot.complaint.explain import Complaint, explain, not_json
from copilot.errors import UsageError
from copilot.playbook.source import MAX_CHARS

MAX_BODY_BYTES = 4 * MAX_CHARS
Asked = TypeVar("Asked", bound="Wanted")


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what may stand in a query or a body: a misspelt key is refused, not ignored."""


def in_query(query: QueryParams, kind: type[Asked]) -> Asked:
    """The query as a ``kind``; what is empty counts as left out. Raises UsageError ``request.invalid``."""
    given = {name: value for name, value in query.items() if value}
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _refused("query", explain(str(error), given, kind)) from error


async def in_body(request: Request, kind: type[Asked]) -> Asked:
    """The JSON body as a ``kind``. Raises UsageError ``request.invalid``, ``request.too_large``."""
    body = await read_body(request)
    try:
        return _decoded(body, kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = f"the body is not JSON: {not_json(error, body)}"
        raise UsageError("request.invalid", reason, hint="Send one JSON object, in UTF-8.") from error
    except RecursionError as error:
        raise UsageError("request.invalid", "the body is nested too deeply") from error


async def in_text(request: Request) -> str:
    """The body as text. Raises UsageError ``request.invalid``, ``request.too_large``."""
    try:
        return (await read_body(request)).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError("request.invalid", "the body is not UTF-8 text", hint="Save it as UTF-8.") from error


async def read_body(request: Request) -> bytes:
    """What was sent. Raises UsageError ``request.too_large``."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise UsageError("request.too_large", f"a body has at most {MAX_BODY_BYTES:,} bytes", hint="Send less.")
    return body


def _decoded(body: bytes, kind: type[Asked]) -> Asked:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _refused("body", explain(str(error), msgspec.json.decode(body), kind)) from error


def _refused(where: str, found: Complaint) -> UsageError:
    return UsageError("request.invalid", f"in the {where}: {found}", hint=found.hint)
