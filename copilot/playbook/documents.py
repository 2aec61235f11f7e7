"""Documents -> passages: Markdown by heading, CSV by row. What comes out is plain text, whatever went in."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
from markdown_it import MarkdownIt
from markdown_it.token import Token

from copilot.errors import PlaybookError
from copilot.playbook.mend import together
from copilot.playbook.model import Passage, Playbook

KINDS = (".md", ".csv")
MAX_PASSAGES = 2_000
MAX_FILE_BYTES = 2 << 20
MAX_BYTES = 8 << 20
"""Of all documents of a playbook together: what is published is kept with each version."""
Documents = dict[str, str]
"""The text of each document by its name, relative to the folder (`prices/2026.csv`)."""
MAX_TEXT = 1_000
"""Characters of one passage; a longer section becomes several."""
MAX_LINE = 300
_MARKDOWN = MarkdownIt("commonmark").enable("table")
_ANCHOR = re.compile(r"[^:#]+\.(?:md|csv)#.+", re.IGNORECASE)
_BLOCKS = ("paragraph_open", "tr_open", "td_open")


def documents_of(playbook: Playbook, beside: Path | None, knowledge_root: str = "") -> Documents | None:
    """The documents that lie on disk for ``playbook``; None for one without ``knowledge``. Raises PlaybookError.

    ``knowledge.folder`` is relative to ``beside``, the folder of the playbook's file (None: it has no file). Without
    one, the subfolder of ``knowledge_root`` with the playbook's id counts.
    """
    if playbook.knowledge is None:
        return None
    folder = folder_of(playbook, beside, knowledge_root)
    return read_texts(folder) if folder else {}


def with_texts(playbook: Playbook, documents: Documents | None) -> Playbook:
    """The playbook with the passages of ``documents`` in it, so that it is complete wherever it goes.

    Raises PlaybookError.
    """
    knowledge = playbook.knowledge
    if knowledge is None or not documents:
        return playbook
    passages = (*knowledge.passages, *passages_of(documents))
    _check_material(playbook, passages)
    return msgspec.structs.replace(playbook, knowledge=msgspec.structs.replace(knowledge, passages=passages))


def folder_of(playbook: Playbook, beside: Path | None, knowledge_root: str = "") -> Path | None:
    """Where the documents of a playbook lie, if it has any; as in ``documents_of``. Raises PlaybookError."""
    knowledge = playbook.knowledge
    if knowledge is None:
        return None
    if knowledge.folder:
        return _inside(beside, knowledge.folder)
    return Path(knowledge_root) / playbook.id if knowledge_root and not knowledge.passages else None


def _check_material(playbook: Playbook, passages: Iterable[Passage]) -> None:
    """A card that points at a passage must find it."""
    known = {passage.source for passage in passages}
    missed = list[PlaybookError]()
    for index, cue in enumerate(playbook.cues):
        material = cue.card.material
        if _ANCHOR.fullmatch(material) and material not in known:
            near = difflib.get_close_matches(material, known, n=1)
            missed.append(
                PlaybookError(
                    "playbook.unknown_reference",
                    f"the documents have no passage {material!r}",
                    path=f"$.cues[{index}].card.material",
                    hint=f"Did you mean {near[0]!r}?" if near else "A passage is `<file>#<heading in lower case>`.",
                )
            )
    if missed:
        raise together(missed)


def read_texts(folder: Path) -> Documents:
    """Every ``.md`` and ``.csv`` below ``folder``, by name. Raises PlaybookError."""
    if not folder.is_dir():
        raise _wrong("there is no such folder of documents", folder)
    documents: Documents = {}
    left = MAX_BYTES
    for path in _files(folder):
        if path.suffix.lower() in KINDS:
            text = _read(path, folder)
            left -= len(text.encode())
            if left < 0:
                raise _wrong(f"larger than {MAX_BYTES >> 20} MB together", folder)
            documents[path.relative_to(folder).as_posix()] = text
    return documents


def passages_of(documents: Documents) -> tuple[Passage, ...]:
    """The passages of ``documents``, in their order. Raises PlaybookError."""
    passages: list[Passage] = []
    for name, text in documents.items():
        try:
            passages += split(text, name)
        except csv.Error as error:
            raise _wrong(f"not a table ({error})", Path(name)) from error
        if len(passages) > MAX_PASSAGES:
            raise _wrong(f"more than {MAX_PASSAGES:,} passages", Path(name))
    return tuple(passages)


def useless_files(folder: Path) -> Iterator[tuple[str, bool]]:
    """The names of files below ``folder`` that answer nothing, and whether that is because they are of another kind."""
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        is_other = path.suffix.lower() not in KINDS
        if is_other or not split(_read(path, folder), name):
            yield name, is_other


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def split(text: str, name: str) -> list[Passage]:
    """The passages of one document; ``name`` (``faq/prices.csv``) says what it is and where it comes from.

    A source is the name and the heading in lower case, joined by ``-`` (``faq.md#how-long``).
    """
    sections = _rows(text) if name.lower().endswith(".csv") else _sections(text, Path(name).stem)
    return [
        Passage(heading=heading[:MAX_LINE], text=part, source=f"{name}#{anchor(heading)}")
        for heading, lines in sections
        for part in _parts(lines)
    ]


def anchor(heading: str) -> str:
    """A heading as the part of a link behind ``#``."""
    return re.sub(r"[\W_]+", "-", heading.lower()).strip("-")


def _sections(text: str, title: str) -> Iterator[tuple[str, list[str]]]:
    """Each heading with the blocks below it. What comes before the first heading has the file's name for one."""
    heading, lines = title, list[str]()
    tokens = _MARKDOWN.parse(text)
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            yield heading, lines
            heading, lines = _text(inline) or title, []
        elif opening.type in _BLOCKS:
            _add(lines, _text(inline), opening.type)
    yield heading, lines


def _add(lines: list[str], said: str, block: str) -> None:
    """Cells of a table's row stand in one line."""
    if block == "tr_open":
        lines.append("")
    elif block == "td_open":
        lines[-1] = f"{lines[-1]}, {said}" if lines[-1] else said
    else:
        lines.append(said)


def _text(inline: Token) -> str:
    """What a reader of the page reads: no marks, no addresses; HTML stays the text it is."""
    said = "".join(_shown(child) for child in inline.children or ())
    return " ".join(said.split())


def _shown(token: Token) -> str:
    if token.type in ("softbreak", "hardbreak"):
        return " "
    if token.type == "image":
        return "".join(_shown(child) for child in token.children or ())
    return token.content


def _rows(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each row under its first cell. With two columns the second is the text, with more each cell is named."""
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    header, *rows = [*csv.reader(io.StringIO(text), delimiter=delimiter)] or [[]]
    for row in rows:
        cells = [(name.strip(), " ".join(cell.split())) for name, cell in zip(header, row, strict=False)]
        filled = [(name, cell) for name, cell in cells[1:] if cell]
        if cells and cells[0][1] and filled:
            yield cells[0][1], [cell if len(header) == 2 else f"{name}: {cell}" for name, cell in filled]


def _parts(lines: Iterable[str]) -> Iterator[str]:
    """Lines, cut where they are too long, put together while there is room."""
    part = ""
    for line in lines:
        for piece in _cut(line):
            if part and len(part) + len(piece) + 1 > MAX_TEXT:
                yield part
                part = ""
            part = f"{part}\n{piece}" if part else piece
    if part:
        yield part


def _cut(line: str) -> Iterator[str]:
    """A line in pieces of at most ``MAX_LINE``, at the ends of sentences where there are any."""
    piece = ""
    for sentence in re.split(r"(?<=[.!?])\s+|(?<=[。！？；])", line):
        for start in range(0, len(sentence), MAX_LINE):
            chunk = sentence[start : start + MAX_LINE]
            if piece and len(piece) + len(chunk) + 1 > MAX_LINE:
                yield piece
                piece = ""
            piece = f"{piece} {chunk}".strip() if piece and chunk.isascii() else piece + chunk
    if piece:
        yield piece


def _inside(beside: Path | None, folder: str) -> Path:
    """Documents lie beside their playbook or below it: a playbook must not open other folders of the machine."""
    if beside is None:
        raise _wrong("this playbook has no file, so its folder of documents cannot be found", Path(folder))
    path = (beside / folder).resolve()
    if not path.is_relative_to(beside.resolve()):
        raise _wrong("the folder of documents must lie below the playbook's own folder", Path(folder))
    return path


def _read(path: Path, folder: Path) -> str:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise _wrong("a link that leads out of the folder", path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _wrong(f"larger than {MAX_FILE_BYTES >> 20} MB", path)
        return path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong("not readable as UTF-8 text", path) from error


def _wrong(message: str, path: Path) -> PlaybookError:
    return PlaybookError(
        "playbook.knowledge",
        f"the documents cannot be used: {message}: {path}",
        path="$.knowledge.folder",
        hint="`docs/how-to/knowledge.md` says what a folder of documents looks like.",
    )
