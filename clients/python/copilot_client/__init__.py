"""Stream calls to a call copilot and receive its transcript and cue cards.

async with connect("ws://127.0.0.1:8750", token="...") as call, asyncio.TaskGroup() as tasks:
    tasks.create_task(call.play("call.wav"))
    async for event in call:
        print(event)
"""

from copilot_client import messages
from copilot_client.backoff import Backoff
from copilot_client.base import CallEvent, Message, UnknownEvent
from copilot_client.errors import ConnectionLost, CopilotClientError, ProtocolError, Refused
from copilot_client.protocol import Call, Media
from copilot_client.stream import CallStream, Options, connect
from copilot_client.viewer import viewer
from copilot_client.wav import WavFile

__all__ = [
    "Backoff",
    "Call",
    "CallEvent",
    "CallStream",
    "ConnectionLost",
    "CopilotClientError",
    "Media",
    "Message",
    "Options",
    "ProtocolError",
    "Refused",
    "UnknownEvent",
    "WavFile",
    "connect",
    "messages",
    "viewer",
]
__version__ = "0.1.0"
