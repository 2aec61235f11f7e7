"""``POST /v1/chat/completions`` on loopback: as servers answer, and as they do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

KEY = "sk-test-0123456789"


class Chat:
    """``reply`` makes the model's text of the user's JSON; ``fault`` answers instead; ``hang`` never does."""

    def __init__(self, reply: Callable[[dict[str, Any]], str]) -> None:
        self.reply = reply
        self.fault: Callable[[], Response] | None = None
        self.hang = False
        self.asked: list[dict[str, Any]] = []
        self.app = Starlette(routes=[Route("/v1/chat/completions", self._complete, methods=["POST"])])

    async def _complete(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return PlainTextResponse("who are you?", 401)
        body = json.loads(await request.body())
        self.asked.append(body)
        if self.hang:
            await request.receive()  # that the client has gone
        if self.fault:
            return self.fault()
        text = self.reply(json.loads(body["messages"][1]["content"]))
        return JSONResponse(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "model": body["model"],
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
        )


def yes(quote: str) -> Callable[[dict[str, Any]], str]:
    return lambda _: json.dumps({"match": True, "quote": quote})
