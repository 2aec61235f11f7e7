"""What a call was started with: everything that living it again needs besides its events."""

from __future__ import annotations

import msgspec

from copilot.call.asking import LlmLimits
from copilot.call.call import CallSetup
from copilot.config import SpeechSettings
from copilot.errors import StorageError
from copilot.events import CallInfo
from copilot.playbook.model import Playbook
from copilot.store.recording import RecordingHeader


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first record of a journal. The whole playbook is kept: a later version must not change the past."""

    info: CallInfo
    playbook: Playbook
    started_by: str
    resume_token: str
    speech: SpeechSettings
    metrics_interval_ms: int
    llm: LlmLimits = LlmLimits()

    @classmethod
    def of(cls, info: CallInfo, playbook: Playbook, setup: CallSetup, *, started_by: str, resume_token: str) -> Header:
        """For a new call."""
        return cls(
            info=info,
            playbook=playbook,
            started_by=started_by,
            resume_token=resume_token,
            speech=setup.speech,
            metrics_interval_ms=setup.metrics_interval_ms,
            llm=setup.llm,
        )

    def stored(self) -> RecordingHeader:
        """As the journal keeps it."""
        settings = {
            "started_by": self.started_by,
            "resume_token": self.resume_token,
            "speech": msgspec.to_builtins(self.speech),
            "metrics_interval_ms": self.metrics_interval_ms,
            "llm": msgspec.to_builtins(self.llm),
        }
        return RecordingHeader(call=self.info, playbook=msgspec.json.encode(self.playbook).decode(), settings=settings)

    @classmethod
    def restored(cls, kept: RecordingHeader) -> Header:
        """Reverse of ``stored``. Raises StorageError ``storage.header``."""
        try:
            playbook = msgspec.json.decode(kept.playbook, type=Playbook)
            return msgspec.convert({"info": kept.call, "playbook": playbook, **kept.settings}, cls)
        except msgspec.DecodeError as error:
            raise StorageError("storage.header", "the head of this call's journal cannot be read") from error
