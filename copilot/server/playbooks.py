"""The playbooks of this node, compiled once per version and shared by all calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from copilot.call.call import CallSetup
from copilot.config import Settings
from copilot.errors import RemoteProtocolError
from copilot.events import Language
from copilot.playbook.compile import compile_playbook
from copilot.playbook.load import find_playbook, shipped_packs
from copilot.playbook.model import Playbook
from copilot.server.header import Header
from copilot.signals.listener import prepare

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


class Library:
    """Finds, compiles and prepares playbooks; a changed file takes effect for the next call."""

    def __init__(self, settings: Settings, encode: Encode) -> None:
        self._settings = settings
        self._encode = encode
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
            return await asyncio.to_thread(self._setup, name, language)

    async def warm(self) -> None:
        """Prepare the default playbooks before the first call."""
        await self.setup("", "en")
        await self.setup("", "zh")

    def names(self) -> list[str]:
        """What a client may ask for."""
        folder = self._settings.playbooks.folder
        own = [path.stem for path in Path(folder).glob("*.y*ml")] if folder else []
        return sorted({*own, *shipped_packs()})

    def _setup(self, name: str, language: Language) -> tuple[Playbook, CallSetup]:
        books = self._settings.playbooks
        wanted = name or (books.default_zh if language == "zh" else books.default_en)
        playbook = find_playbook(wanted, books.folder, language)
        return playbook, self._prepare(playbook)

    async def prepared(self, header: Header) -> CallSetup:
        """The setup a recovered call was started with."""
        async with self._lock:
            setup = await asyncio.to_thread(self._prepare, header.playbook)
        return msgspec.structs.replace(setup, speech=header.speech, metrics_interval_ms=header.metrics_interval_ms)

    def _prepare(self, playbook: Playbook) -> CallSetup:
        key = msgspec.msgpack.encode(playbook)
        if key not in self._setups:
            plan = compile_playbook(playbook)
            self._setups[key] = CallSetup(
                plan=plan,
                prepared=prepare(plan, self._encode),
                speech=self._settings.speech,
                metrics_interval_ms=self._settings.server.metrics_interval_ms,
            )
        return self._setups[key]
