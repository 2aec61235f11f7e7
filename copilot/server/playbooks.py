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
from copilot.errors import PlaybookError
from copilot.events import Language
from copilot.playbook.compile import compile_playbook
from copilot.playbook.load import find_playbook, shipped_packs
from copilot.playbook.model import Playbook
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
        """The playbook called ``name`` (empty: the default for ``language``). Raises PlaybookError.

        A client names playbooks, never files: a path is refused.
        """
        if "/" in name or "\\" in name or name.endswith((".yaml", ".yml")):
            raise PlaybookError("playbook.unreadable", "a playbook is called by its name, not by a path")
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

    async def prepared(self, playbook: Playbook) -> CallSetup:
        """Compile a playbook that is at hand, such as that of a recovered call."""
        async with self._lock:
            return await asyncio.to_thread(self._prepare, playbook)

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
