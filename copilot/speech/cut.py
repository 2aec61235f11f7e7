"""Where to cut speech that does not pause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

EARLIEST: Final = 0.5
"""Never cut in the first half: two utterances of sensible length are read better than a long and a tiny one."""
LATEST: Final = 0.95
REACH: Final = 2
"""Windows on either side that must be quiet too: 160 ms in all, shorter than most pauses between words."""
FULL_SCALE_DB: Final = 60.0


def quietest(scores: Sequence[float], levels_db: Sequence[float]) -> int:
    """The index of the window with the least voice around it, in the later half; the latest of equals."""
    first = int(len(scores) * EARLIEST)
    last = max(int(len(scores) * LATEST), first + 1)
    voice = [score + level / FULL_SCALE_DB for score, level in zip(scores, levels_db, strict=True)]

    def around(index: int) -> float:
        near = voice[max(index - REACH, 0) : index + REACH + 1]
        return sum(near) / len(near)

    return min(range(first, last), key=lambda index: (around(index), -index))
