"""Stored calls on disk, and what each was lived with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from copilot.call.asking import LlmLimits
from copilot.config import SpeechSettings
from copilot.errors import StorageError, UsageError
from copilot.playbook.load import parse_playbook
from copilot.playbook.model import Playbook
from copilot.store.layout import CALL_ID, RECORDING_FILE
from copilot.store.recording import RecordingHeader, read_recording

_T = TypeVar("_T")
_MOMENT = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d(:\d\d.*)?)?)?)?")


def find_recordings(wanted: Iterable[str], root: Path) -> list[Path]:
    """The sealed recordings meant by ``wanted``: files, folders that hold some at any depth, ids of calls in ``root``.

    Without any, all of ``root``, a data directory. UsageError ``calls.unknown``.
    """
    found: dict[Path, None] = {}
    for name in list(wanted) or [str(root)]:
        these = list(_meant(name, root))
        if not these:
            raise UsageError(
                "calls.unknown",
                f"there is no finished call at {name!r}",
                hint="Name call ids, a folder of calls, or a data directory. A live call is stored when it has ended.",
            )
        found.update(dict.fromkeys(these))
    return list(found)


def _meant(name: str, root: Path) -> Iterator[Path]:
    path = Path(name)
    if path.is_file() and not is_recording(path):
        raise UsageError("calls.unknown", f"{name!r} is no stored call", hint="`copilot replay` plays a sound file.")
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from sorted(path.rglob(RECORDING_FILE))
    elif CALL_ID.fullmatch(name):
        yield from sorted((root / "calls").glob(f"*/*/*/{name}/{RECORDING_FILE}"))


def is_recording(path: Path) -> bool:
    """Whether the file begins like the recording of a call (gzip)."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def since(recordings: Iterable[Path], moment: str) -> list[Path]:
    """Those of calls that started at ``moment`` (the beginning of an RFC 3339 time) or later. UsageError."""
    if not _MOMENT.fullmatch(moment):
        raise UsageError(
            "request.invalid", f"{moment!r} is no time", hint="Write it as 2026-01-31 or 2026-01-31T09:00."
        )
    return [path for path in recordings if read_recording(path).header.call.started_at >= moment]


def playbook_of(header: RecordingHeader) -> Playbook:
    """The playbook a call had. StorageError ``storage.header``."""
    if not header.playbook.lstrip().startswith("{"):
        return parse_playbook(header.playbook)
    try:
        return msgspec.json.decode(header.playbook, type=Playbook)
    except msgspec.DecodeError as error:
        raise _unreadable() from error


def speech_of(header: RecordingHeader) -> SpeechSettings:
    """How the call was listened to. StorageError ``storage.header``."""
    return _setting(header, "speech", SpeechSettings)


def limits_of(header: RecordingHeader) -> LlmLimits:
    """What the call might ask a language model. StorageError ``storage.header``."""
    return _setting(header, "llm", LlmLimits)


def _setting(header: RecordingHeader, name: str, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(header.settings.get(name, {}), kind)
    except msgspec.ValidationError as error:
        raise _unreadable() from error


def interval_of(header: RecordingHeader, usual_ms: int = 2_000) -> int:
    """Milliseconds between metrics."""
    interval = header.settings.get("metrics_interval_ms", usual_ms)
    return interval if isinstance(interval, int) else usual_ms


def _unreadable() -> StorageError:
    return StorageError("storage.header", "the head of this call's recording cannot be read")
