"""What a call was started with: everything that replaying it needs besides its journal."""

from __future__ import annotations

import msgspec

from copilot.events import CallInfo
from copilot.playbook.model import Playbook

HEADER_FILE = "call.json"


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Written before the first sample. The whole playbook is kept: a later version must not change the past."""

    info: CallInfo
    playbook: Playbook
    started_by: str
    resume_token: str
