"""What all messages have in common, and how JSON becomes one of them."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Union, get_args, get_origin

from copilot_client.errors import ProtocolError


@dataclass(frozen=True, kw_only=True)
class Value:
    """Base of values nested in messages."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """Base of everything a server says. ``type`` is its name on the wire."""

    type: ClassVar[str] = ""


@dataclass(frozen=True, kw_only=True)
class CallEvent(Message):
    """Something that happened on a call: ``seq`` from 1 without gaps, ``pos_ms`` media time."""

    seq: int
    call_id: str
    pos_ms: int
    emitted_at: str


@dataclass(frozen=True, kw_only=True)
class UnknownEvent(CallEvent):
    """An event of a type this SDK is too old to know; ``data`` is the whole message."""

    data: Mapping[str, Any]


class Decoder:
    """JSON text to messages. Unknown fields are ignored; of an unknown type, events are kept and others are None."""

    def __init__(self, classes: Iterable[type[Message]]) -> None:
        self._classes = {cls.type: cls for cls in classes}

    def decode(self, text: str | bytes) -> Message | None:
        """One message. Raises ProtocolError for what is not one."""
        try:
            data = json.loads(text)
            cls = self._classes.get(data["type"])
            if cls is None:
                return _unknown(data) if "seq" in data else None
            message: Message = _build(cls, data)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProtocolError(f"the server sent something that is not a message: {error!r}") from error
        return message


def _unknown(data: dict[str, Any]) -> UnknownEvent:
    return UnknownEvent(**{field: data[field] for field in ("seq", "call_id", "pos_ms", "emitted_at")}, data=data)


@cache
def _fields(cls: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _build(cls: Any, data: dict[str, Any]) -> Any:
    return cls(**{name: _convert(hint, data[name]) for name, hint in _fields(cls).items() if name in data})


def _convert(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _convert(next(option for option in get_args(hint) if option is not types.NoneType), value)
    if origin is tuple:
        return tuple(_convert(get_args(hint)[0], item) for item in value)
    return _build(hint, value) if dataclasses.is_dataclass(hint) else value
