"""What the name of a playbook on the command line stands for."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from copilot.config import Settings
from copilot.playbook.documents import Documents, folder_of
from copilot.playbook.load import find_source, gather, interpret
from copilot.playbook.model import Playbook
from copilot.playbook.source import Source
from copilot.store.layout import data_root
from copilot.store.shelf import Shelf


class Named(NamedTuple):
    """A playbook with its documents in it, what it was read from, and the folder of the documents, if it was read."""

    playbook: Playbook
    source: Source
    documents: Documents | None
    folder: Path | None


def named(name: str, settings: Settings) -> Named:
    """A file, a pack, or a version that was kept (``outbound-en@1.2.0``), with the documents it has.

    Raises PlaybookError, NotFoundError, StorageError.
    """
    books = settings.playbooks
    playbook, at, number = name.partition("@")
    kept = None
    if at and "/" not in name:
        shelf = Shelf(data_root(settings.store))
        version = shelf.find(playbook, number)
        source, kept = Source(shelf.text(version), name), shelf.documents(version)
        beside = Path(books.folder) if books.folder else None
    else:
        source = find_source(name, books.folder, "en")
        beside = Path(source.file).parent if Path(source.file).is_file() else None
    book, documents = gather(source, beside, books.knowledge, kept)
    folder = folder_of(interpret(source), beside, books.knowledge) if kept is None else None
    return Named(book, source, documents, folder)
