"""What is wrong with a text that is not YAML, in an author's words, and on which line.

The parser says where it gave up. That is often the line after the mistake, and what it expected there means nothing to
somebody who only wanted to write down what customers say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

LOOKALIKES = {
    "：": ": ", "，": ", ", "、": ", ", "【": "[", "】": "]", "［": "[", "］": "]", "｛": "{", "｝": "}", "－": "- ",
    "—": "- ", "＃": "# ", "“": '"', "”": '"', "‘": "'", "’": "'", "\u3000": "  ", "\xa0": " ",
}  # fmt: skip
"""Signs that look like those of YAML and mean nothing to it, and what to write instead."""
_SPACES = {"\u3000": "a full-width space", "\xa0": "a no-break space"}

_WHERE_YAML_HAS_ITS_OWN = re.compile(
    r"^[\s-]*([＃－—\u3000\xa0])"  # a comment, the item of a list, the indentation
    r"|(?:^[\s-]*|[{,\[]\s*)[\w.]+\s*(：)"  # after a key
    r"|[:\s]([【［｛])"  # before a list or keys
)

HINT = "Check the indentation, and put text that holds `: ` or ` #` or begins with a sign in quotes."

_PROBLEMS = {
    "mapping values are not allowed in this context": (
        "a `: ` where none can be",
        "Put text that holds `: ` in quotes. If it is a key, begin it in the same column as the keys above it.",
    ),
    "could not find expected ':'": ("a key without its `: `", "Write `key: value`, with a space after the colon."),
    "did not find expected key": (
        "this line does not fit what is around it",
        "Keys that belong together begin in the same column; each item of a list begins with `- `.",
    ),
    "did not find expected '-' indicator": (
        "this line does not fit the list above it",
        "Each item of a list begins with `- `; what belongs to an item begins in the same column as its first key.",
    ),
    "did not find expected ',' or ']'": (
        "a list in [ ] that is not closed, or an item that needs quotes",
        "Look at the end of the line before, too. Put items that hold `[`, `]`, `,`, ` #` or a quote in quotes.",
    ),
    "did not find expected ',' or '}'": (
        "keys in { } that are not closed, or a text that needs quotes",
        "Look at the end of the line before, too. Put text that holds `{`, `}`, `,`, ` #` or a quote in quotes.",
    ),
    "found unknown escape character": (
        "a backslash in double quotes",
        r"Put patterns in single quotes: '\bword\b'. A ' inside them is written twice.",
    ),
    "found character that cannot start any token": (
        "text that begins with a sign YAML keeps for itself",
        "Put the text in quotes. Indent with spaces, never with tabs.",
    ),
    "did not find expected alphabetic or numeric character": (
        "text that begins with `*` or `&`, which mean something to YAML",
        "Put the text in quotes.",
    ),
    "found unexpected end of stream": ("a quote that is never closed", "Close it with the same sign."),
}


def explain(error: yaml.MarkedYAMLError, text: str) -> tuple[str, str, int]:
    """What is wrong, what to do, and the 1-based line (0: unknown) for a complaint of the parser about ``text``."""
    lines = text.splitlines()
    for number in _suspects(error, lines):
        if found := _lookalike(lines[number]):
            return *found, number + 1
    message, hint = _PROBLEMS.get(str(error.problem), (str(error.problem), HINT))
    mark = error.context_mark if _begins_there(error) else error.problem_mark or error.context_mark
    return message, hint, mark.line + 1 if mark else 0


def _begins_there(error: yaml.MarkedYAMLError) -> bool:
    """Whether the mistake is where the parser began to read something, rather than where it gave up."""
    return error.context_mark is not None and str(error.context).endswith(("simple key", "quoted scalar"))


def _suspects(error: yaml.MarkedYAMLError, lines: list[str]) -> Iterator[int]:
    """The lines (from 0) on which the mistake may be, likeliest first."""
    if error.context_mark and _begins_there(error):
        yield min(error.context_mark.line, len(lines) - 1)
    if error.problem_mark:
        last = min(error.problem_mark.line, len(lines) - 1)
        yield last
        yield from (number for number in (last - 1,) if number >= 0 and lines[number].strip())


def _lookalike(line: str) -> tuple[str, str] | None:
    """What is wrong with a line whose signs only look like those of YAML."""
    indentation = line[: len(line) - len(line.lstrip())]
    if "\t" in indentation:
        return "a tab in the indentation", "Indent with spaces only."
    for sign in re.findall(
        r"^[\s-]*([＃－—\u3000\xa0])|^[\s-]*[\w.]+\s*(：)|[{,\[]\s*[\w.]+\s*(：)|[:\s]([【［｛])", line
    ):
        return lookalike(next(filter(None, sign)))
    return None


def lookalike(sign: str) -> tuple[str, str]:
    """What is wrong, and what to do, where ``sign`` stands for one of YAML's."""
    name = _SPACES.get(sign, f"`{sign}`")
    ours = LOOKALIKES[sign]
    instead = "plain spaces" if sign in _SPACES else f"`{ours}`"
    return f"{name} means nothing to YAML", f"Write {instead} instead (ASCII, half-width)."
