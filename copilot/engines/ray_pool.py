"""Whisper in a pool of processes, on one machine or many, through Ray Serve (the extra ``ray``).

    python -m copilot.engines.ray_pool [--config FILE]

starts the pool and says when it is ready. ``recogniser.url`` is the address of the cluster. On loopback (empty means
``127.0.0.1:6379``) the command is the cluster, until Ctrl-C or SIGTERM; nobody but this machine can reach it. Any other
cluster must be running; the pool is put into it and stays there.

Ray reads its environment when it is imported, so all of it is imported from here, late.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

from copilot.config import RecogniserSettings, Settings, load_settings
from copilot.engines.manifest import locate
from copilot.engines.pool import AsrModel
from copilot.errors import ConfigError, CopilotError

LOCAL: Final = "127.0.0.1:6379"
NEVER_S: Final = 10 * 365 * 86_400


def connect(settings: RecogniserSettings) -> AsrModel:
    """The pool as a recogniser. Raises RecogniserError (``asr.unreachable``), ConfigError (``config.recogniser``)."""
    model: AsrModel = _ray_serve(settings).RayPool.connect(settings, address(settings))
    return model


def address(settings: RecogniserSettings) -> str:
    """``host:port`` of the cluster."""
    return settings.url or LOCAL


def is_own(settings: RecogniserSettings) -> bool:
    """Whether the cluster is one that the command starts: it listens on loopback."""
    return address(settings).rpartition(":")[0] in ("127.0.0.1", "localhost")


def _ray_serve(settings: RecogniserSettings) -> ModuleType:
    """Import what needs Ray. Nothing is reported to its makers, and a lost cluster must not end this process."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", str(NEVER_S))
    if is_own(settings):
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # on Linux too: listen on loopback, not on every address
    if is_own(settings) or settings.api_key:
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # loopback is shared with every user of the machine
    if settings.api_key:
        os.environ["RAY_AUTH_TOKEN"] = settings.api_key
    try:
        from copilot.engines import ray_serve  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "config.recogniser",
            "recogniser.backend is ray, but Ray is not installed",
            hint="pip install 'call-copilot[ray]'",
        ) from error
    return ray_serve


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Exit code 1 when the pool cannot be started."""
    parser = argparse.ArgumentParser(
        prog="python -m copilot.engines.ray_pool", description="Start the recogniser pool."
    )
    parser.add_argument("--config", type=Path, default=os.environ.get("COPILOT_CONFIG"), help="Configuration (TOML).")
    try:
        run(load_settings(parser.parse_args(arguments).config))
    except (CopilotError, ConnectionError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run(settings: Settings) -> None:
    """Start the pool; with a cluster of our own, keep it until we are told to stop."""
    asr = settings.recogniser
    folder = locate(asr.model, settings.models)
    ray_serve = _ray_serve(asr)
    ray_serve.join(address(asr), asr if is_own(asr) else None)
    try:
        ray_serve.deploy(folder, asr)
        print(f"{asr.model} is ready at {address(asr)}, {asr.replicas_min} replicas or more", file=sys.stderr)
        if is_own(asr):
            _wait_for_signal()
    finally:
        ray_serve.leave()


def _wait_for_signal() -> None:
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    told.wait()


if __name__ == "__main__":
    sys.exit(main())
