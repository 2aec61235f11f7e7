"""How long a pause must last to be the end, by what was said before it: a finished sentence needs less of it."""

from __future__ import annotations

import re
from typing import Final

from copilot.config import VadSettings

_FINISHED: Final = re.compile(r"[.?!。？！][\"'”’)）]*$")
_GOES_ON: Final = re.compile(
    r"(?:\b(?:and|or|but|so|because|if|when|that|which|who|the|an?|my|your|our|of|to|for|with|from|at|in|on|is|are"
    r"|was|it's|i'm|um|uh|er|like|dot|dash|at)|(?:但|可|但是|可是|不过|因为|所以|如果|要是|然后|还有|而且|就是"
    r"|那个|这个|或者|比如|和|跟|的话|嗯|呃))[,，、.。…\s]*$",
    re.IGNORECASE,
)
_DICTATED: Final = re.compile(r"(?:\d|\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double)\b"
                              r"|[零〇幺一二三四五六七八九])[,，、\-\s]*$", re.IGNORECASE)  # fmt: skip
"""A number whose next digits may come after a breath. A full stop after it ends it."""


def patience_ms(text: str, settings: VadSettings) -> int:
    """Milliseconds of silence after ``text`` that end an utterance."""
    if _GOES_ON.search(text) or _DICTATED.search(text):
        return settings.max_silence_ms
    return settings.sure_silence_ms if _FINISHED.search(text) else settings.min_silence_ms
