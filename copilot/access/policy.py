"""Who may do what: one table.

    action            rep    supervisor   ingest   admin
    call.start        own    -            all      all
    call.stream       own    -            own      all      write audio, resume, receive the stream's own events
    call.read         own    all          -        all      events, transcript, audio, report
    call.command      own    -            -        all      answer cards, tick steps, pause, end
    call.judge        own    all          own      all      say what became of it
    supervisor.send   -      all          -        all
    floor.read        -      all          -        all
    playbook.read     all    all          -        all
    playbook.write    -      all          -        all      lint, test, score, backtest, publish, retire
    system.manage     -      -            -        all      metrics, configuration, deletion

A rep's own calls are those with the rep's subject as ``rep_id``; an ingest token's are those it started.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from copilot.errors import AccessError

Role = Literal["rep", "supervisor", "ingest", "admin"]
Scope = Literal["own", "all"]
Action = Literal[
    "call.start",
    "call.stream",
    "call.read",
    "call.command",
    "call.judge",
    "supervisor.send",
    "floor.read",
    "playbook.read",
    "playbook.write",
    "system.manage",
]


class Actor(msgspec.Struct, frozen=True):
    """Somebody who has been let in. ``subject`` is a rep's id, a supervisor's name, a gateway's name."""

    role: Role
    subject: str = ""


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a call is: ``rep_id`` from its header, ``started_by`` the subject of the token that started it."""

    rep_id: str = ""
    started_by: str = ""


ANY = Resource()
"""For actions that concern no call in particular."""

_TABLE: dict[tuple[Role, Action], Scope] = {
    ("rep", "call.start"): "own",
    ("rep", "call.stream"): "own",
    ("rep", "call.read"): "own",
    ("rep", "call.command"): "own",
    ("rep", "call.judge"): "own",
    ("rep", "playbook.read"): "all",
    ("supervisor", "call.read"): "all",
    ("supervisor", "call.judge"): "all",
    ("supervisor", "supervisor.send"): "all",
    ("supervisor", "floor.read"): "all",
    ("supervisor", "playbook.read"): "all",
    ("supervisor", "playbook.write"): "all",
    ("ingest", "call.start"): "all",
    ("ingest", "call.stream"): "own",
    ("ingest", "call.judge"): "own",
}


def can(actor: Actor, action: Action, resource: Resource = ANY) -> bool:
    """Whether ``actor`` may do ``action`` to ``resource``. Somebody without a subject owns nothing."""
    if actor.role == "admin":
        return True
    scope = _TABLE.get((actor.role, action))
    if scope != "own":
        return scope == "all"
    owner = resource.started_by if actor.role == "ingest" else resource.rep_id
    return bool(actor.subject) and owner == actor.subject


def require(actor: Actor, action: Action, resource: Resource = ANY) -> None:
    """Raise AccessError ``auth.forbidden`` unless ``can``."""
    if not can(actor, action, resource):
        raise AccessError(
            "auth.forbidden", f"a {actor.role} may not do {action} here", hint="Use a token with another role."
        )
