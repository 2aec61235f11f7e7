"""Close codes and error codes of ``copilot.v1``: what happened, and whether to try again."""

from __future__ import annotations

import msgspec


class CloseCode(msgspec.Struct, frozen=True):
    """One WebSocket close code. ``retry``: reconnecting (and resuming) may help."""

    code: int
    name: str
    meaning: str
    retry: bool


class ErrorCode(msgspec.Struct, frozen=True):
    """One ``code`` of an ``error`` message. ``close`` is the close code that follows, or None: the socket stays."""

    code: str
    close: int | None
    meaning: str
    remedy: str


_CLOSE = (
    CloseCode(1000, "normal", "The call ended and everything was sent.", False),
    CloseCode(1001, "going_away", "The node is going down; `session.draining` came before.", True),
    CloseCode(1006, "abnormal", "The connection broke; no close frame was received.", True),
    CloseCode(1009, "too_big", "A frame larger than the socket accepts.", False),
    CloseCode(1011, "internal", "A fault in the server.", True),
    CloseCode(1012, "restart", "The server is restarting.", True),
    CloseCode(4400, "bad_message", "A message or frame the protocol does not allow.", False),
    CloseCode(4401, "unauthenticated", "No token, or one that is not known.", False),
    CloseCode(4403, "forbidden", "The token, or the page's origin, may not do this.", False),
    CloseCode(4404, "unknown_call", "No such call.", False),
    CloseCode(4406, "unsupported", "A protocol version or media format the server does not take.", False),
    CloseCode(4408, "idle", "No audio for too long while the call was not paused.", True),
    CloseCode(4409, "superseded", "A newer connection has taken over this call.", False),
    CloseCode(4410, "resume_expired", "The call was not resumed in time and is over.", False),
    CloseCode(4413, "slow_consumer", "The client read its events too slowly.", True),
    CloseCode(4422, "playbook", "The playbook of the call is wrong or missing.", False),
    CloseCode(4429, "rate_limited", "Too many connections or messages.", True),
    CloseCode(4503, "no_capacity", "The node takes no more calls for now.", True),
)
CLOSE_CODES: dict[int, CloseCode] = {row.code: row for row in _CLOSE}

_PLAYBOOK_REMEDY = (
    "Mend the playbook: `copilot playbook lint` and the server's log say where. Trying again will not help."
)
_ERRORS = (
    ErrorCode("message.not_json", 4400, "A text frame is not JSON.", "Send one JSON object per text frame, UTF-8."),
    ErrorCode("message.invalid", 4400, "A field is missing or wrong; the message names its path.", "See the schema."),
    ErrorCode("message.too_large", 4400, "A text frame is larger than 64 KiB.", "Send less."),
    ErrorCode("message.too_deep", 4400, "A text frame is nested too deeply.", "See the schema."),
    ErrorCode("protocol.expected_start", 4400, "Something came before `call.start`.", "Send `call.start` first."),
    ErrorCode("protocol.already_started", 4400, "A second `call.start`.", "Open another connection for another call."),
    ErrorCode("protocol.version", 4406, "`call.start` asks for another version.", "Send `v: 1`."),
    ErrorCode("protocol.not_here", None, "This message belongs on another endpoint.", "The reference says where."),
    ErrorCode("media.missing", 4400, "A new call without `media`.", "Describe the audio in `call.start`."),
    ErrorCode("media.unsupported", 4406, "An audio format the server does not take.", "The message lists the formats."),
    ErrorCode("media.changed", 4406, "A resumed call with another format.", "Resume with the call's own format."),
    ErrorCode("frame.too_short", 4400, "A binary frame without a whole header.", "Send 16 bytes of header first."),
    ErrorCode("frame.version", 4400, "An unknown frame version.", "Send version 1."),
    ErrorCode("frame.type", 4400, "An unknown frame type.", "Send type 1, audio."),
    ErrorCode("frame.channel_set", 4400, "An unknown channel set.", "Send channel set 0."),
    ErrorCode("frame.epoch", 4400, "An epoch the server has not given out.", "Use the epoch of `call.started`."),
    ErrorCode("frame.too_large", 4400, "A frame above `limits.max_frame_bytes`.", "Send 20 to 200 ms per frame."),
    ErrorCode("audio.odd_bytes", 4400, "Not a whole number of interleaved samples.", "Split audio between samples."),
    ErrorCode("audio.hole_ignored", 4400, "An `audio.nack` was never answered.", "Go back, or send `audio.gap`."),
    ErrorCode("audio.gap_too_long", 4400, "A gap beyond the longest call allowed.", "Check `offset` and `samples`."),
    ErrorCode("auth.missing", 4401, "No token.", "Send `Authorization: Bearer` or a `bearer.` subprotocol."),
    ErrorCode("auth.invalid", 4401, "An unknown token.", "Ask the operator for a token."),
    ErrorCode("auth.forbidden", 4403, "The token's role may not do this.", "Use a token with the right role."),
    ErrorCode("auth.host", 4403, "A host name the server does not know as its own.", "Use localhost, or set tokens."),
    ErrorCode("auth.origin", 4403, "A web page from a foreign origin.", "Add it to `access.allowed_origins`."),
    ErrorCode("auth.resume", 4403, "The resume token is not that of the call.", "Start a new call."),
    ErrorCode("request.invalid", None, "A wrong query parameter; refused before the upgrade.", "The message names it."),
    ErrorCode("call.unknown", 4404, "No such call.", "Check the id."),
    ErrorCode(
        "playbook.unknown", 4400, "`call.start` names no playbook of this server.", "`GET /v1/playbooks` lists them."
    ),
    ErrorCode("call.over", None, "A command to a call that is not live here.", "Nothing: it came too late."),
    ErrorCode("call.idle", 4408, "No audio for too long.", "Resume, or pause the call while it is on hold."),
    ErrorCode("call.superseded", 4409, "A newer connection took over.", "Nothing: the newer one goes on."),
    ErrorCode("resume.expired", 4410, "The call is over.", "Start a new call with the same `external_id`."),
    ErrorCode("viewer.slow", 4413, "Events were read too slowly.", "Reconnect with the last `seq`."),
    ErrorCode("rate.exceeded", None, "Too many commands; this one was not taken.", "Wait as long as the hint says."),
    *(
        ErrorCode(f"playbook.{reason}", 4422, "The playbook of that name is wrong.", _PLAYBOOK_REMEDY)
        for reason in (
            "syntax",
            "unknown_key",
            "invalid",
            "duplicate_id",
            "unknown_reference",
            "impossible_deadline",
            "trigger",
            "regex",
            "too_large",
            "knowledge",
            "unreadable",
            "cycle",
        )
    ),
    ErrorCode("storage.unwritable", 1011, "The call cannot be recorded.", "The operator has to look at the disk."),
    ErrorCode("storage.unavailable", 4503, "The database is away.", "Try again soon, or use another node."),
    ErrorCode(
        "server.capacity", 4503, "No room for another call.", "Wait as told (`Retry-After`), or use another node."
    ),
    ErrorCode("storage.full", 4503, "The disk is nearly full; calls that are on go on.", "Use another node."),
    ErrorCode("server.draining", 1001, "The node is going down.", "Reconnect and resume."),
    ErrorCode("server.error", 1011, "A fault in the server.", "Reconnect and resume; report it with the call id."),
)
ERROR_CODES: dict[str, ErrorCode] = {row.code: row for row in _ERRORS}
