"""Reading playbooks. What comes out is right; what is wrong says in which file, on which line, and what to do."""

from __future__ import annotations

from importlib import resources
from itertools import islice
from pathlib import Path

from copilot.complaint.explain import meant
from copilot.errors import PlaybookError
from copilot.events import Language
from copilot.playbook.check import check
from copilot.playbook.complaint import explain
from copilot.playbook.documents import Documents, documents_of, with_texts
from copilot.playbook.mend import MAX_MISTAKES, mend, together
from copilot.playbook.model import Playbook
from copilot.playbook.source import Source

DEFAULT = {"en": "outbound-en", "zh": "outbound-zh"}
"""The shipped pack for a language when nobody names a playbook."""


def load_playbook(path: str | Path) -> Playbook:
    """Read and check the playbook in the file ``path``, its documents with it. Raises PlaybookError."""
    return complete(Source(_read(Path(path)), str(path)), Path(path).parent)


def parse_playbook(text: str, file: str = "") -> Playbook:
    """Check the playbook written in ``text``; ``file`` is only for messages. Raises PlaybookError."""
    return interpret(Source(text, file))


def read_version(
    text: str, folder: str = "", knowledge: str = "", file: str = "", documents: Documents | None = None
) -> Playbook:
    """The playbook written in ``text`` as a server reads it, with the ``documents`` that were kept with it.

    Without these they lie where those of the files in ``folder`` do, or in ``knowledge`` (both as in the settings).
    Raises PlaybookError.
    """
    return complete(Source(text, file), Path(folder) if folder else None, knowledge, documents)


def complete(source: Source, beside: Path | None, knowledge: str = "", documents: Documents | None = None) -> Playbook:
    """The playbook of ``gather``, for who does not keep its documents."""
    return gather(source, beside, knowledge, documents)[0]


def gather(
    source: Source, beside: Path | None, knowledge: str = "", documents: Documents | None = None
) -> tuple[Playbook, Documents | None]:
    """The playbook that ``source`` holds, checked, with its documents, and these as they were written.

    Unless ``documents`` are given they are read from disk (``documents_of``); a playbook without ``knowledge`` has
    None. Raises PlaybookError, with everything that is wrong (``PlaybookError.all``).
    """
    playbook = interpret(source)
    try:
        texts = documents_of(playbook, beside, knowledge) if documents is None else documents
        return with_texts(playbook, texts), texts
    except PlaybookError as error:
        for each in error.all:
            each.file, each.line = source.file, source.line(each.path)
        if error.code == "playbook.knowledge" and beside is None:
            error.hint = "The server looks for documents in `playbooks.folder` or `playbooks.knowledge`: set one."
        raise


def interpret(source: Source) -> Playbook:
    """The playbook that ``source`` holds, checked. Raises PlaybookError, with everything that is wrong."""
    mended = mend(source.value)
    refused = [explain(complaint, source) for complaint in mended.complaints]
    checked = mended.independent(check(mended.playbook, source))
    if wrong := [*refused, *islice(checked, MAX_MISTAKES)]:
        raise together(wrong)
    return mended.playbook


def find_playbook(name_or_path: str = "", folder: str = "", language: Language = "en", knowledge: str = "") -> Playbook:
    """The playbook a person means, with its documents.

    It is a file, a name in ``folder``, a shipped pack, or the pack for ``language``. A name is what stands before
    ``.yaml``; something with a suffix or a slash is a file. Raises PlaybookError
    (``playbook.unreadable`` when there is none). ``knowledge`` is the folder with the documents of playbooks that name
    none themselves.
    """
    source = find_source(name_or_path, folder, language)
    file = Path(source.file)
    return complete(source, file.parent if file.is_file() else None, knowledge)


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
        hint=meant(name, packs) or f"Shipped: {', '.join(packs)}. A file needs its path, ending in .yaml.",
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
