"""``copilot serve``: run the service."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click
import msgspec

from copilot.access.tokens import check_bind
from copilot.cli.doctor import check_disk, check_pages, tell
from copilot.cli.main import settings_of
from copilot.cli.output import people
from copilot.config import Settings, load_settings
from copilot.engines.suite import load_suite
from copilot.logs import configure_logs
from copilot.server.node import bind, run_node
from copilot.store.layout import data_root


@click.command()
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="Configuration (TOML).")
@click.option("--host", help="Address to listen on; default from the configuration, else 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on; 0 picks a free one.")
@click.pass_context
def serve(context: click.Context, config: Path | None, host: str | None, port: int | None) -> None:
    """Run the service until it is told to stop (Ctrl-C or SIGTERM).

    Calls that are on are not lost: their audio is on disk, and the next start goes on with them.
    """
    settings = _with(load_settings(config) if config else settings_of(context), host, port)
    configure_logs(settings.log_level, pretty=people.is_terminal)
    check_bind(settings.server.host, settings.access)
    with bind(settings.server.host, settings.server.port) as listener:
        if people.is_terminal:
            people.print("loading the models …")
        suite = load_suite(settings)
        address = f"http://{_readable(listener.getsockname())}"
        asyncio.run(run_node(settings, suite, listener, on_ready=lambda: _welcome(address, settings)))


def _readable(address: tuple[Any, ...]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _welcome(address: str, settings: Settings) -> None:
    """Where it listens and keeps calls, and what a caller or a browser would stumble over."""
    for finding in (*check_disk(settings), *check_pages(settings)):
        if finding.level != "ok":
            tell(finding)
    people.print(f"calls are kept in {data_root(settings.store)}", markup=False)
    people.print(f"listening on {address}  (Ctrl-C stops)", markup=False)


def _with(settings: Settings, host: str | None, port: int | None) -> Settings:
    changes = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    return msgspec.structs.replace(settings, server=msgspec.structs.replace(settings.server, **changes))
