"""The protocol as documents for other programs: a JSON Schema per message, and AsyncAPI 3. Derived, deterministic."""

from __future__ import annotations

import inspect
import json
from types import UnionType
from typing import Any

import msgspec

from copilot.wire.codec import CLOSE_CODES, ERROR_CODES, message_types
from copilot.wire.frames import HEADER
from copilot.wire.messages import SUBPROTOCOL, AnyCallMessage, ClientMessage, FloorMessage, Message, Reply

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
GROUPS: dict[str, UnionType] = {
    "client": ClientMessage,
    "reply": Reply,
    "call": AnyCallMessage,
    "floor": FloorMessage,
}
VIEWER_TYPES = (
    "call.pause",
    "call.resume",
    "mark",
    "card.rendered",
    "card.ack",
    "step.tick",
    "step.waive",
    "roles.swap",
    "supervisor.send",
    "call.end",
    "ping",
)
"""What a client may send on ``/v1/calls/{id}/events``."""


def documents() -> dict[str, str]:
    """Every generated document by its path below ``clients/schema``."""
    files = {f"messages/{name}.json": schema for name, schema in message_schemas().items()}
    return {path: render(content) for path, content in {**files, "asyncapi.json": asyncapi()}.items()}


def render(content: Json) -> str:
    """JSON as it is committed: indented, in declaration order, with a final newline."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def message_schemas() -> dict[str, Json]:
    """A self-contained JSON Schema of every message, by its ``type``."""
    schemas = {}
    for name, cls in all_messages().items():
        (_,), components = msgspec.json.schema_components([cls], ref_template="#/$defs/{name}")
        body = _clean(components.pop(cls.__name__))
        defs = {key: _clean(value) for key, value in sorted(components.items())}
        schemas[name] = {"$schema": DIALECT, **body, **({"$defs": defs} if defs else {})}
    return schemas


def all_messages() -> dict[str, type[Message]]:
    """Every message of the protocol by its ``type``."""
    return {name: cls for union in GROUPS.values() for name, cls in message_types(union).items()}


def asyncapi() -> Json:
    """The AsyncAPI 3 document: endpoints, who sends what, every message, close and error codes."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": SUBPROTOCOL,
            "version": "1.0.0",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {"host": "127.0.0.1:8750", "protocol": "ws", "security": [_ref("securitySchemes/bearer")]},
        },
        "channels": _channels(),
        "operations": _operations(),
        "components": _components(),
        "x-close-codes": [msgspec.to_builtins(row) for row in CLOSE_CODES.values()],
        "x-error-codes": [msgspec.to_builtins(row) for row in ERROR_CODES.values()],
    }


_DESCRIPTION = (
    "Live calls: audio up, transcript and cue cards down. It only ever grows: ignore fields and types you do not know."
)
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "`Authorization: Bearer <token>`; browsers offer the subprotocols "
    f"`{SUBPROTOCOL}` and `bearer.<token>` instead.",
}


def _components() -> Json:
    messages = all_messages()
    _, schemas = msgspec.json.schema_components(list(messages.values()), ref_template="#/components/schemas/{name}")
    described = {
        name: {"name": name, "summary": _summary(cls), "payload": _ref(f"schemas/{cls.__name__}")}
        for name, cls in messages.items()
    }
    return {
        "securitySchemes": {"bearer": _BEARER},
        "messages": {**described, "audio.frame": _audio_frame()},
        "schemas": {name: _clean(schema) for name, schema in sorted(schemas.items())},
    }


def _audio_frame() -> Json:
    return {
        "name": "audio.frame",
        "contentType": "application/octet-stream",
        "summary": f"A binary frame: {HEADER.size} bytes of header, then interleaved samples; or bare samples "
        "when `framing` is `raw`.",
        "description": "Big-endian: version u8 = 1, type u8 = 1, channel-set u8 = 0, flags u8 = 0, epoch u32, "
        "sample offset u64.",
        "payload": {"type": "string", "format": "binary"},
    }


_UP = [name for name in message_types(ClientMessage) if name != "supervisor.send"]
_CALL_DOWN = list(message_types(AnyCallMessage))
_ENDPOINTS: dict[str, tuple[str, str, list[str], list[str]]] = {
    "stream": (
        "/v1/stream",
        "Audio up, this call's events down.",
        [*_UP, "audio.frame"],
        [*message_types(Reply), *_CALL_DOWN],
    ),
    "callEvents": (
        "/v1/calls/{call_id}/events",
        "Events of one call, live or over, from after `?after=<seq>`; commands up.",
        list(VIEWER_TYPES),
        ["error", "pong", "session.draining", *_CALL_DOWN],
    ),
    "floor": (
        "/v1/floor",
        "All live calls, for supervisors: a snapshot, then changes.",
        ["ping"],
        ["error", "pong", "session.draining", *message_types(FloorMessage)],
    ),
}
"""Endpoint -> address, meaning, what clients send, what they receive."""


def _channels() -> Json:
    channels = {}
    for name, (address, summary, up, down) in _ENDPOINTS.items():
        channels[name] = {
            "address": address,
            "summary": summary,
            "messages": {kind: _ref(f"messages/{kind}") for kind in dict.fromkeys([*up, *down])},
            **_parameters(address),
        }
    return channels


def _parameters(address: str) -> Json:
    return {"parameters": {"call_id": {"description": "The call's id."}}} if "{call_id}" in address else {}


def _operations() -> Json:
    """AsyncAPI speaks for the server: it receives what clients send."""
    operations = {}
    for name, (_, _, up, down) in _ENDPOINTS.items():
        for action, kinds in (("receive", up), ("send", down)):
            operations[f"{name}.{action}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{name}"},
                "messages": [{"$ref": f"#/channels/{name}/messages/{kind}"} for kind in kinds],
            }
    return operations


def _ref(path: str) -> Json:
    return {"$ref": f"#/components/{path}"}


def _summary(cls: type[Message]) -> str:
    return inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0].replace("\n", " ").replace("``", "`")


def _clean(schema: Any) -> Any:
    """Docstrings without their indentation; a single allowed value as ``const``."""
    if isinstance(schema, list | tuple):
        return [_clean(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    cleaned = {key: _clean(value) for key, value in schema.items()}
    if isinstance(cleaned.get("description"), str):
        cleaned["description"] = inspect.cleandoc(cleaned["description"]).replace("``", "`")
    choices = cleaned.get("enum")
    if isinstance(choices, list) and len(choices) == 1:
        del cleaned["enum"]
        cleaned["const"] = choices[0]
    return cleaned
