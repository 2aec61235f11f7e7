"""``/v1/calls/{id}/events`` for rep panels and CRMs, ``/v1/floor`` for supervisors."""

from __future__ import annotations

from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from copilot.access.policy import Action, Actor, Resource, require
from copilot.errors import CopilotError, RemoteProtocolError
from copilot.ingress.commands import as_event
from copilot.server.connection import Connection
from copilot.server.doors import identify, subprotocol, turn_away
from copilot.server.service import Service
from copilot.server.viewing import follow, follow_floor
from copilot.wire.codec import decode_client, error_message
from copilot.wire.messages import Error, Ping, Pong, SupervisorSend

MOST_EVENTS = 10**9
"""More than any call has; a database takes only so many digits."""


async def call_events(socket: WebSocket) -> None:
    """One viewer of one call: sequenced messages down, answers to cards up."""
    service: Service = socket.app.state.service
    call_id = socket.path_params["call_id"]
    try:
        actor = identify(socket, service.settings.access)
        resource = await service.resource(call_id)
        require(actor, "call.read", resource)
        after = _after(socket)
    except CopilotError as error:
        await turn_away(socket, error)
        return
    await socket.accept(subprotocol(socket))
    with service.watching(call_id):
        await CallViewer(service, socket, actor, call_id, resource, after).live()


async def floor(socket: WebSocket) -> None:
    """One supervisor: a snapshot of the live calls, then what changes."""
    service: Service = socket.app.state.service
    try:
        actor = identify(socket, service.settings.access)
        require(actor, "floor.read")
    except CopilotError as error:
        await turn_away(socket, error)
        return
    await socket.accept(subprotocol(socket))
    await FloorViewer(service, socket, actor).live()


def _after(socket: WebSocket) -> int:
    try:
        return max(0, min(int(socket.query_params.get("after", "0")), MOST_EVENTS))
    except ValueError as error:
        raise RemoteProtocolError("request.invalid", "`after` is a sequence number") from error


class Viewer(Connection):
    """Reads commands until the peer goes."""

    def __init__(self, service: Service, socket: WebSocket, actor: Actor) -> None:
        super().__init__(service, socket)
        self._service = service
        self._actor = actor
        self.spawn(self._read())

    async def _read(self) -> None:
        while True:
            message: dict[str, Any] = dict(await self.socket.receive())
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1006))
            if message.get("text") is None:
                raise RemoteProtocolError("protocol.not_here", "this endpoint takes no audio")
            command = decode_client(message["text"])
            if isinstance(command, Ping):
                await self.send(Pong(t=command.t))
            elif command is not None:
                await self._command(command)

    async def _command(self, command: Any) -> None:
        await self.send(Error(code="protocol.not_here", message=f"{type(command).__name__} means nothing here"))


class CallViewer(Viewer):
    """A rep panel, a CRM, or a supervisor watching one call."""

    def __init__(
        self, service: Service, socket: WebSocket, actor: Actor, call_id: str, resource: Resource, after: int
    ) -> None:
        super().__init__(service, socket, actor)
        self._call_id = call_id
        self._resource = resource
        if actor.role != "rep" or not actor.subject:
            service.audit(actor, "call.watch", call_id)
        self.spawn(self._follow(after))

    async def _follow(self, after: int) -> None:
        await self.follow(follow(self._service, self._call_id, after))
        self.finish(1000, "call.ended")

    async def _command(self, command: Any) -> None:
        """Refusals here do not close: a card that is gone already is nobody's fault."""
        event = as_event(command, self._actor.subject)
        live = self._service.calls.get(self._call_id)
        try:
            if event is None:
                raise RemoteProtocolError("protocol.not_here", f"{type(command).__name__} means nothing here")
            action: Action = "supervisor.send" if isinstance(command, SupervisorSend) else "call.command"
            require(self._actor, action, self._resource)
            if live is None:
                raise RemoteProtocolError("call.over", "the call is over, or lives on another node")
        except CopilotError as error:
            await self.send(error_message(error, closing=False))
            return
        if await self.has_room(event):
            await live.deliver(event)


class FloorViewer(Viewer):
    """A supervisor's list of live calls."""

    def __init__(self, service: Service, socket: WebSocket, actor: Actor) -> None:
        super().__init__(service, socket, actor)
        service.audit(actor, "floor.watch", "")
        self.spawn(self._follow())

    async def _follow(self) -> None:
        await self.follow(follow_floor(self._service))
