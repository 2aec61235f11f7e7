"""What all messages share."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

VERSION = 1
SUBPROTOCOL = "copilot.v1"
Count = Annotated[int, Meta(ge=0)]
Name = Annotated[str, Meta(max_length=256)]
PingToken = Annotated[str, Meta(max_length=64)] | int | float | None


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=False):
    """Base of every JSON message."""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """Base of values nested in messages."""
