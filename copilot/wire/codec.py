"""Messages to JSON and back. Unknown types are None, unknown fields are ignored, anything else wrong is an error."""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any, get_args

import msgspec

from copilot.complaint.explain import explain, not_json
from copilot.errors import AccessError, CopilotError, PlaybookError, RemoteProtocolError
from copilot.wire.codes import CLOSE_CODES, ERROR_CODES, CloseCode, ErrorCode
from copilot.wire.messages import (
    VERSION,
    AnyCallMessage,
    ClientMessage,
    Error,
    FloorMessage,
    Message,
    Reply,
)

__all__ = [
    "CLOSE_CODES",
    "ERROR_CODES",
    "MAX_TEXT_BYTES",
    "CloseCode",
    "ErrorCode",
    "close_code_for",
    "decode_call_message",
    "decode_client",
    "decode_server",
    "encode",
    "error_message",
    "message_types",
]

MAX_TEXT_BYTES = 65_536

_START = "call.start"
_MEDIA = "$.media"


class _Peek(msgspec.Struct):
    type: str
    v: Any = None


def message_types(union: UnionType) -> dict[str, type[Message]]:
    """The messages of a union by their ``type``, in the order they are declared."""
    return {member.__struct_config__.tag: member for member in get_args(union)}


_Decoders = Mapping[str, msgspec.json.Decoder[Any]]


def _decoders(union: UnionType) -> dict[str, msgspec.json.Decoder[Any]]:
    return {tag: msgspec.json.Decoder(member) for tag, member in message_types(union).items()}


_PEEK = msgspec.json.Decoder(_Peek)
_CLIENT = _decoders(ClientMessage)
_CALL = _decoders(AnyCallMessage)
_SERVER = _decoders(Reply) | _CALL | _decoders(FloorMessage)


def encode(message: Message) -> bytes:
    """One message as JSON, UTF-8."""
    return msgspec.json.encode(message)


def decode_client(text: str | bytes) -> ClientMessage | None:
    """What a client sent, or None for a type this version does not know.

    Raises RemoteProtocolError: ``message.not_json``, ``message.invalid``, ``message.too_large``, ``message.too_deep``,
    ``protocol.version``, ``media.unsupported``.
    """
    message: ClientMessage | None = _decode(text, _CLIENT, MAX_TEXT_BYTES)
    return message


def decode_call_message(data: str | bytes) -> AnyCallMessage | None:
    """One event of a call, or None for a type this version does not know. Raises as ``decode_client``."""
    message: AnyCallMessage | None = _decode(data, _CALL, None)
    return message


def decode_server(data: str | bytes) -> Reply | AnyCallMessage | FloorMessage | None:
    """Anything a server sends, or None for a type this version does not know. Raises as ``decode_client``."""
    message: Reply | AnyCallMessage | FloorMessage | None = _decode(data, _SERVER, None)
    return message


def close_code_for(error: CopilotError) -> int:
    """The close code that goes with an error: its own, else that of the published table, else 1011."""
    if isinstance(error, RemoteProtocolError):
        return error.close_code
    if isinstance(error, PlaybookError):
        return 4422
    if isinstance(error, AccessError):
        return 4401 if error.status == 401 else 4403
    known = ERROR_CODES.get(error.code)
    return 1011 if known is None or known.close is None else known.close


def error_message(error: CopilotError, *, closing: bool = True) -> Error:
    """An error as its ``error`` message. Only one that closes the socket can be worth a reconnect."""
    known = CLOSE_CODES.get(close_code_for(error))
    retryable = closing and known is not None and known.retry
    return Error(code=error.code, message=error.message, retryable=retryable, hint=error.hint)


def _decode(text: str | bytes, decoders: _Decoders, limit: int | None) -> Any:
    data = _utf8(text)
    if limit is not None and len(data) > limit:
        raise RemoteProtocolError("message.too_large", f"a message holds at most {limit} bytes, got {len(data)}")
    try:
        return _read(data, decoders)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        hint = "Send one JSON object per text frame, in UTF-8."
        raise RemoteProtocolError("message.not_json", f"not JSON: {not_json(error, data)}", hint=hint) from error
    except RecursionError as error:
        raise RemoteProtocolError("message.too_deep", "the message is nested too deeply") from error


def _read(data: bytes, decoders: _Decoders) -> Any:
    decoder = _PEEK
    try:
        peek = _PEEK.decode(data)
        if peek.type not in decoders:
            return None
        _check_version(peek)
        decoder = decoders[peek.type]
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), msgspec.json.decode(data), decoder.type) from error


def _utf8(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise RemoteProtocolError("message.not_json", "the message holds a lone surrogate") from error


def _check_version(peek: _Peek) -> None:
    """A later version may shape everything else otherwise, so it is refused before the fields are read."""
    if peek.type == _START and isinstance(peek.v, int) and peek.v != VERSION:
        raise RemoteProtocolError(
            "protocol.version",
            f"protocol version {peek.v} is not spoken here, version {VERSION} is",
            close_code=4406,
            hint=f"Send `v: {VERSION}` in `call.start`.",
        )


def _invalid(complaint: str, value: Any, whole: type[msgspec.Struct]) -> RemoteProtocolError:
    """A wrong field; one below ``media`` is a matter of what is supported."""
    found = explain(complaint, value, whole)
    if found.path.startswith(_MEDIA):
        return RemoteProtocolError("media.unsupported", str(found), close_code=4406, hint=found.hint)
    return RemoteProtocolError("message.invalid", str(found), hint=found.hint)
