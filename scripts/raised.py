"""Every error code there is, read from the source: who is to blame, what is said, and what to do.

A code is written where its error is made, as a literal or (in a helper) as the literal that the helper is called with.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "copilot"

FAULT = {
    "UsageError": "who asks",
    "ConfigError": "the configuration",
    "PlaybookError": "the playbook",
    "MediaFileError": "the recording",
    "ModelError": "a model file",
    "RecogniserError": "the recogniser's server",
    "StorageError": "disk or database",
    "AccessError": "the caller's rights",
    "CapacityError": "the service",
    "NotFoundError": "who asks: no such thing",
    "RemoteProtocolError": "the peer on the socket",
    "LocalProtocolError": "a bug of ours",
    "CopilotError": "the service",
}
REMEDY = {
    "UsageError": "The message says what is wrong with it.",
    "ConfigError": "[Settings](settings.md) lists every key.",
    "PlaybookError": "`copilot playbook lint` says where; [the format](playbook.md).",
    "MediaFileError": "Convert it to WAV or FLAC and try again.",
    "ModelError": "`copilot doctor` looks at the models, `copilot models fetch` gets them anew.",
    "RecogniserError": "Look at the recogniser's server and at `[recogniser]`.",
    "StorageError": "The operator has to look at the disk or the database, and at the log.",
    "AccessError": "Use a token that may.",
    "CapacityError": "Ask again in `Retry-After` seconds.",
    "NotFoundError": "Check the id.",
    "RemoteProtocolError": "See the [protocol](protocol.md).",
    "LocalProtocolError": "Report it, with the log.",
    "CopilotError": "Try again; report it with the call id.",
}
_KIND = {name: name for name in FAULT} | {"Error": "RemoteProtocolError"}
"""What makes an error: its class, or the message of that name on the socket."""
_CODE = re.compile(r"[a-z]+\.[a-z_]+")
_BLANK = "…"


@dataclass(frozen=True)
class Raised:
    """One code: the class of its error, the room that makes it, its message and its hint (``…`` for what varies)."""

    code: str
    kind: str
    room: str
    message: str = ""
    hint: str = ""


def raised_codes(package: Path = PACKAGE) -> dict[str, Raised]:
    """Everything that is raised below ``package``, by code. Raises LookupError for a code that cannot be read."""
    found: dict[str, Raised] = {}
    for path in sorted(package.rglob("*.py"), key=lambda each: ("cli" in each.parts, each)):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        for each in _in_module(ast.parse(path.read_text(encoding="utf-8")), path, room):
            found.setdefault(each.code, each)
    return found


def _in_module(module: ast.Module, path: Path, room: str) -> Iterator[Raised]:
    functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {id(call): function for function in functions for call in ast.walk(function)}  # the innermost comes last
    for call in ast.walk(module):
        if not isinstance(call, ast.Call) or not (kind := _KIND.get(_name(call))):
            continue
        given = dict(zip(("code", "message"), call.args, strict=False))
        given |= {word.arg: word.value for word in call.keywords if word.arg}
        if "code" not in given or isinstance(given["code"], ast.Attribute):
            continue  # an error made of another has that one's code
        codes = list(_codes(given["code"], inside.get(id(call)), module))
        if not codes or not all(map(_CODE.fullmatch, codes)):
            raise LookupError(f"{path}:{call.lineno}: which code is this?")
        message, hint = (_text(given[key]) if key in given else "" for key in ("message", "hint"))
        yield from (Raised(code, kind, room, message, hint) for code in codes)


def _codes(node: ast.expr, function: ast.AST | None, module: ast.Module) -> Iterator[str]:
    """What the expression for a code may be, in ``function`` of ``module``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _codes(node.body, function, module)
        yield from _codes(node.orelse, function, module)
    elif isinstance(node, ast.Name) and function is not None:
        for each in ast.walk(function):
            if isinstance(each, ast.Assign) and [ast.unparse(target) for target in each.targets] == [node.id]:
                yield from _codes(each.value, function, module)
    elif isinstance(node, ast.JoinedStr) and isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        for call in ast.walk(module):
            if isinstance(call, ast.Call) and _name(call) == function.name and call.args:
                ending = call.args[0]
                if isinstance(ending, ast.Constant):
                    yield _text(node).replace(_BLANK, str(ending.value))


def _name(call: ast.Call) -> str:
    """What is called, without the object it belongs to."""
    return ast.unparse(call.func).rpartition(".")[2]


def _text(node: ast.expr) -> str:
    """A text as it stands in the source, with what varies left blank."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else _BLANK for part in node.values)
    return ""
