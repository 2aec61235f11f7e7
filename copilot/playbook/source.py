"""YAML text -> plain values, remembering on which line each was written.

A playbook is data: no tags, no anchors, one document, every key once. Only ``true``, ``false``, ``null`` and numbers
mean anything unquoted, so that ``- no`` and ``- yes`` in a list of phrases stay words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from copilot.errors import PlaybookError
from copilot.playbook.syntax import HINT, explain

MAX_CHARS = 1_000_000
"""Longest playbook that is read."""
MAX_DEPTH = 40
"""Deepest nesting of lists and mappings."""
MAX_VALUES = 100_000
"""Most values in one playbook."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTANTS = {"true": True, "false": False, "null": None, "~": None, "": None}
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?([0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18})([eE][-+]?[0-9]{1,2})?")


class Source:
    """A YAML document: ``value`` is what it says; ``line(path)`` is where it says so."""

    def __init__(self, text: str, file: str = "") -> None:
        self.file = file
        self.text = text
        self._lines: dict[str, int] = {"$": 1}
        self._left = MAX_VALUES
        self.value = self._read(text)

    def line(self, path: str) -> int:
        """The 1-based line of ``path`` (``$.cues[3].when``), or of its nearest written ancestor."""
        while path not in self._lines:
            path = path[: max(path.rfind("."), path.rfind("["))]
        return self._lines[path]

    def _read(self, text: str) -> Any:
        if len(text) > MAX_CHARS:
            raise PlaybookError(
                "playbook.too_large",
                f"a playbook has at most {MAX_CHARS:,} characters, and this has {len(text):,}",
                file=self.file,
                hint="Take long documents out of it (`docs/how-to/knowledge.md`), or make two playbooks of it.",
            )
        try:
            events: Iterator[Any] = iter(yaml.parse(text, Loader=_LOADER))
            next(events)  # StreamStart
            if isinstance(next(events), yaml.StreamEndEvent):
                raise self._error("the file is empty", 1, hint="`docs/how-to/write-a-playbook.md` says how to begin.")
            value = self._value(next(events), events, "$", 0)
            next(events)  # DocumentEnd
            after = next(events)
        except yaml.MarkedYAMLError as error:
            message, hint, line = explain(error, text)
            raise self._error(message, line, hint=hint) from error
        except (yaml.YAMLError, UnicodeError) as error:
            hint = "Take out invisible characters, such as those that come along when text is copied from a document."
            raise self._error("a character that YAML does not allow", _unprintable(text), hint=hint) from error
        if not isinstance(after, yaml.StreamEndEvent):
            hint = "A file holds one playbook: take out the line `---`."
            raise self._error("a second document begins here", after.start_mark.line + 1, hint=hint)
        return value

    def _value(self, event: Any, events: Iterator[Any], path: str, depth: int) -> Any:
        line = event.start_mark.line + 1
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise PlaybookError(
                "playbook.too_large",
                f"more than {MAX_DEPTH} levels or {MAX_VALUES:,} values",
                file=self.file,
                line=line,
                path=path,
                hint="Is this a playbook? It lists a handful of stages, signals, steps and cues.",
            )
        self._refuse_marks(event, path)
        self._lines.setdefault(path, line)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, path, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, path, depth)
        return _scalar(event.value, event.implicit[0])

    def _mapping(self, events: Iterator[Any], path: str, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            self._refuse_marks(event, path)
            if not isinstance(event, yaml.ScalarEvent):
                raise self._error("a key must be a word", line, path)
            inner = f"{path}.{event.value}"
            if event.value in mapping:
                first = self._lines[inner]
                message = f"the key {event.value!r} is written twice"
                raise self._error(message, line, inner, f"It stands on line {first} already: take one of them out.")
            self._lines[inner] = line
            mapping[event.value] = self._value(next(events), events, inner, depth + 1)
        return mapping

    def _sequence(self, events: Iterator[Any], path: str, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._value(event, events, f"{path}[{len(items)}]", depth + 1))
        return items

    def _refuse_marks(self, event: Any, path: str) -> None:
        """A few anchored lines can grow into gigabytes, and tags can name Python objects: neither is data."""
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or getattr(event, "tag", None):
            message = "anchors, aliases and tags (`&`, `*`, `!`) are not used in playbooks"
            hint = "Write the part out where it is needed; put text that begins with such a sign in quotes."
            raise self._error(message, event.start_mark.line + 1, path, hint)

    def _error(self, message: str, line: int, path: str = "", hint: str = HINT) -> PlaybookError:
        return PlaybookError("playbook.syntax", message, file=self.file, line=line, path=path, hint=hint)


def _unprintable(text: str) -> int:
    """The 1-based line of the first character that YAML does not allow."""
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    return text.count("\n", 0, found.start() if found else 0) + 1


def _scalar(text: str, plain: bool) -> Any:
    if not plain:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
