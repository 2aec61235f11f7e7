"""The published shape of a playbook, for editors that complete and check while one types."""

from __future__ import annotations

from typing import Any

import msgspec

from copilot.playbook.model import COMBINATORS, LEAVES, Playbook


def playbook_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the playbook format, with the rule that a trigger is exactly one thing."""
    schema = msgspec.json.schema(Playbook)
    trigger = schema["$defs"]["Trigger"]
    trigger["oneOf"] = [{"required": [name]} for name in (*LEAVES, *COMBINATORS)]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "copilot playbook, format 1",
        **schema,
    }
