"""A call on a virtual clock."""

from __future__ import annotations

import pytest

from tests.call.rig import run, talk

TALK = [(0.5, None), (3, 0), (0.5, None), (3, 1), (1, None), (2, 0), (3, None)]


@pytest.mark.parametrize("frame_ms", [10, 32, 200, 1_000, 5_000])
def test_messages_come_in_order_however_long_the_frames_are(frame_ms: int) -> None:
    messages, _ = run(talk(TALK, frame_ms))
    assert [message.seq for message in messages] == list(range(1, len(messages) + 1))
    assert len(messages) > 10
