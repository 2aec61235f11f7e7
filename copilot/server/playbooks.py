"""The playbooks of this node, compiled once per version and shared by all calls.

A published version goes before the file of that name, and both before the shipped pack. A call keeps what it began
with, whatever is published meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from copilot.call.call import CallSetup
from copilot.config import Settings
from copilot.engines.llm import llm_limits
from copilot.errors import CopilotError, PlaybookError, RemoteProtocolError
from copilot.events import Language
from copilot.knowledge.index import index_of
from copilot.playbook.compile import compile_playbook
from copilot.playbook.documents import Documents
from copilot.playbook.load import DEFAULT, find_playbook, gather, read_version, shipped_packs
from copilot.playbook.model import Playbook
from copilot.playbook.source import Source
from copilot.server.header import Header
from copilot.signals.intents import IntentScorer
from copilot.signals.listener import prepare
from copilot.store.layout import data_root
from copilot.store.shelf import Shelf

log = structlog.get_logger(__name__)

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


class Library:
    """Finds, compiles and prepares playbooks; a changed file takes effect for the next call."""

    def __init__(self, settings: Settings, encode: Encode, intents: IntentScorer | None = None) -> None:
        self._settings = settings
        self._encode = encode
        self._intents = intents
        self.shelf = Shelf(data_root(settings.store))
        self._setups: dict[bytes, CallSetup] = {}
        self._lock = asyncio.Lock()

    async def setup(self, name: str, language: Language) -> tuple[Playbook, CallSetup]:
        """The playbook called ``name`` (empty: the default for ``language``).

        A client names playbooks, never files. Raises RemoteProtocolError ``playbook.unknown``, or PlaybookError when
        the file of that name is wrong.
        """
        if name and name not in self.names():
            raise RemoteProtocolError(
                "playbook.unknown", "there is no playbook of that name", hint="`GET /v1/playbooks` lists the names."
            )
        async with self._lock:
            try:
                return await asyncio.to_thread(self._setup, name, language)
            except PlaybookError as error:  # the caller only hears that it is wrong; who mends it reads the log
                log.error(
                    "playbook.unusable",
                    playbook=name,
                    code=error.code,
                    file=error.file,
                    line=error.line,
                    mistakes=len(error.all),
                )
                raise

    async def warm(self) -> None:
        """Keep documents with the versions that have none yet; prepare the default playbooks before the first call."""
        await asyncio.to_thread(self._keep_documents)
        for language in get_args(Language):
            await self.setup("", language)

    def names(self) -> list[str]:
        """What a client may ask for."""
        folder = self._settings.playbooks.folder
        own = [path.stem for path in Path(folder).glob("*.y*ml")] if folder else []
        return sorted({*own, *shipped_packs(), *self.shelf.published()})

    def _setup(self, name: str, language: Language) -> tuple[Playbook, CallSetup]:
        books = self._settings.playbooks
        wanted = name or {"en": books.default_en, "zh": books.default_zh, "auto": books.default_auto}[language]
        playbook = self._published(wanted or DEFAULT.get(language, DEFAULT["en"]))
        playbook = playbook or find_playbook(wanted, books.folder, language, books.knowledge)
        return playbook, self._prepare(playbook)

    def _published(self, name: str) -> Playbook | None:
        books = self._settings.playbooks
        version = self.shelf.published().get(name)
        if not version:
            return None
        file, documents = f"{name}@{version.version}", self.shelf.documents(version)
        return read_version(self.shelf.text(version), books.folder, books.knowledge, file, documents)

    def read(self, text: str) -> tuple[Playbook, Documents | None]:
        """The playbook in ``text`` and the documents that lie here for it. Raises PlaybookError."""
        books = self._settings.playbooks
        return gather(Source(text), Path(books.folder) if books.folder else None, books.knowledge)

    def _keep_documents(self) -> None:
        """Versions of before documents were kept get those of today, so that from now on they stay as they are."""
        for version in self.shelf.versions():
            if version.documents or version.state == "retired":
                continue
            try:
                _, documents = self.read(self.shelf.text(version))
                if documents is not None:
                    self.shelf.keep(version, documents)
            except CopilotError as error:
                log.warning(
                    "playbook.documents_not_kept",
                    playbook=version.playbook,
                    version=version.version,
                    code=error.code,
                )

    async def prepared(self, header: Header) -> CallSetup:
        """The setup a recovered call was started with."""
        async with self._lock:
            setup = await asyncio.to_thread(self._prepare, header.playbook)
        return msgspec.structs.replace(
            setup, speech=header.speech, metrics_interval_ms=header.metrics_interval_ms, llm=header.llm
        )

    def _prepare(self, playbook: Playbook) -> CallSetup:
        key = msgspec.msgpack.encode(playbook)
        if key not in self._setups:
            plan = compile_playbook(playbook)
            self._setups[key] = CallSetup(
                plan=plan,
                prepared=prepare(plan, self._encode, self._intents),
                index=index_of(playbook, self._encode),
                llm=llm_limits(self._settings.llm),
                speech=self._settings.speech,
                metrics_interval_ms=self._settings.server.metrics_interval_ms,
            )
        return self._setups[key]
