"""Reading playbooks. What comes out is right; what is wrong says in which file, on which line, and what to do."""

from __future__ import annotations

import difflib
import re
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import msgspec.inspect

from copilot.errors import PlaybookError
from copilot.events import Language
from copilot.playbook.check import check
from copilot.playbook.documents import with_documents
from copilot.playbook.model import Playbook
from copilot.playbook.source import Source

DEFAULT = {"en": "outbound-en", "zh": "outbound-zh"}
"""The shipped pack for a language when nobody names a playbook."""


def load_playbook(path: str | Path) -> Playbook:
    """Read and check the playbook in the file ``path``, its documents with it. Raises PlaybookError."""
    return with_documents(parse_playbook(_read(Path(path)), str(path)), Path(path).parent)


def parse_playbook(text: str, file: str = "") -> Playbook:
    """Check the playbook written in ``text``; ``file`` is only for messages. Raises PlaybookError."""
    return interpret(Source(text, file))


def interpret(source: Source) -> Playbook:
    """The playbook that ``source`` holds, checked. Raises PlaybookError."""
    try:
        playbook = msgspec.convert(source.value, Playbook)
    except msgspec.ValidationError as error:
        raise _explain(str(error), source) from error
    check(playbook, source)
    return playbook


def find_playbook(name_or_path: str = "", folder: str = "", language: Language = "en", knowledge: str = "") -> Playbook:
    """The playbook a person means, with its documents.

    It is a file, a name in ``folder``, a shipped pack, or the pack for ``language``. A name is what stands before
    ``.yaml``; something with a suffix or a slash is a file. Raises PlaybookError
    (``playbook.unreadable`` when there is none). ``knowledge`` is the folder with the documents of playbooks that name
    none themselves.
    """
    source = find_source(name_or_path, folder, language)
    file = Path(source.file)
    return with_documents(interpret(source), file.parent if file.is_file() else None, knowledge)


def find_source(name_or_path: str = "", folder: str = "", language: Language = "en") -> Source:
    """What ``find_playbook`` reads, with its lines, before it is checked."""
    name = name_or_path or DEFAULT.get(language, DEFAULT["en"])
    if "/" in name or "\\" in name or name.endswith((".yaml", ".yml")):
        return Source(_read(Path(name)), name)
    for suffix in (".yaml", ".yml"):
        if folder and (path := Path(folder) / (name + suffix)).is_file():
            return Source(_read(path), str(path))
    packs = shipped_packs()
    if name in packs:
        file = resources.files("copilot.playbook") / "packs" / f"{name}.yaml"
        return Source(file.read_text(encoding="utf-8"), f"{name}.yaml")
    raise PlaybookError(
        "playbook.unreadable",
        f"there is no playbook named {name!r}",
        hint=_meant(name, packs) or f"Shipped: {', '.join(packs)}. A file needs its path, ending in .yaml.",
    )


def shipped_packs() -> tuple[str, ...]:
    """The names of the playbooks that come with the program."""
    folder = resources.files("copilot.playbook") / "packs"
    return tuple(sorted(item.name[:-5] for item in folder.iterdir() if item.name.endswith(".yaml")))


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise PlaybookError(
            "playbook.unreadable",
            f"cannot read the playbook: {error.strerror}",
            file=str(path),
            hint="Check the path and the permissions of the file.",
        ) from error
    except (UnicodeDecodeError, ValueError) as error:
        raise PlaybookError(
            "playbook.unreadable", "the playbook is not UTF-8 text", file=str(path), hint="Save it as UTF-8."
        ) from error


# --- msgspec's complaints in the author's words ---------------------------------------------------------------

_COMPLAINT = re.compile(r"(?P<what>.*?)(?: - at (?:`key` in )?`(?P<path>\$.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*)`", re.DOTALL)
_PLAIN_WORDS = {"`str`": "text", "`object`": "a mapping", "`array`": "a list", "`int`": "a whole number",
                "`float`": "a number", "`bool`": "true or false", "`null`": "nothing"}  # fmt: skip


def _explain(complaint: str, source: Source) -> PlaybookError:
    match = _COMPLAINT.fullmatch(complaint)
    what, path = (match["what"], match["path"] or "$") if match else (complaint, "$")
    if unknown := _UNKNOWN.fullmatch(what):
        key = unknown["key"]
        known = _fields_at(path)
        return PlaybookError(
            "playbook.unknown_key",
            f"unknown key {key!r}",
            file=source.file,
            line=source.line(f"{path}.{key}"),
            path=f"{path}.{key}",
            hint=_meant(key, known) or f"Known here: {', '.join(known)}.",
        )
    for word, plain in _PLAIN_WORDS.items():
        what = what.replace(word, plain)
    hint = "Put it in quotes to make it text." if what.startswith("Expected text, got") else _VALUES_HINT
    return PlaybookError(
        "playbook.invalid",
        what[:1].lower() + what[1:],
        file=source.file,
        line=source.line(path.replace("[...]", "")),
        path=path,
        hint=hint,
    )


_VALUES_HINT = "`docs/reference/playbook.md` lists every key and what it may hold."


def _meant(word: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"Did you mean {close[0]!r}?" if close else ""


def _fields_at(path: str) -> tuple[str, ...]:
    """The keys that the struct at ``path`` has."""
    kind: Any = msgspec.inspect.type_info(Playbook)
    for token in re.findall(r"\.([^.\[\]]+)|\[", path):
        kind = _struct_or_list(kind)
        kind = next(f.type for f in kind.fields if f.encode_name == token) if token else kind.item_type
    return tuple(field.encode_name for field in _struct_or_list(kind).fields)


def _struct_or_list(kind: Any) -> Any:
    if isinstance(kind, msgspec.inspect.UnionType):
        return next(option for option in kind.types if not isinstance(option, msgspec.inspect.NoneType))
    return kind
