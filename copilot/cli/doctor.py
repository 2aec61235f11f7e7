"""``copilot doctor``: does this machine have what the service needs? What is missing comes with how to mend it."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Literal

import click
import msgspec
import numpy as np
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from copilot.access.tokens import check_bind
from copilot.cli.main import settings_of
from copilot.cli.models import needed
from copilot.cli.output import FINDINGS, OK, emit, people
from copilot.config import Settings
from copilot.engines.manifest import locate
from copilot.engines.pool import AsrRequest
from copilot.engines.suite import load_recogniser
from copilot.errors import CopilotError, StorageError
from copilot.events import SAMPLE_RATE_HZ
from copilot.server.pages import STATIC
from copilot.store.database import DATABASE_FILE
from copilot.store.layout import LOCK_FILE, DataFolder, data_root
from copilot.store.schema import connect

CORES_WANTED = 2
MARKS = {"ok": "[green]✓[/]", "note": "[yellow]•[/]", "problem": "[red]✗[/]"}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one check. A ``note`` is worth knowing; a ``problem`` keeps the service from working."""

    check: str
    level: Literal["ok", "note", "problem"]
    message: str
    mend: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON line per check.")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check this machine and say how to mend it. Exit code 1 when the service would not work."""
    findings = [finding for check in CHECKS for finding in check(settings_of(context))]
    for finding in findings:
        if as_json:
            emit(finding)
        else:
            tell(finding)
    problems = sum(finding.level == "problem" for finding in findings)
    if not as_json:
        people.print(
            f"{problems} to mend before `copilot serve` works." if problems else "All is well: `copilot serve`."
        )
    context.exit(FINDINGS if problems else OK)


def tell(finding: Finding) -> None:
    """One finding for the person at the terminal, and below it how to mend it."""
    people.print(f"{MARKS[finding.level]} {finding.check}: ", end="")
    people.print(finding.message, markup=False)
    if finding.mend:
        people.print(f"    {finding.mend}", markup=False)


def _problem(check: str, error: CopilotError) -> Finding:
    return Finding(check=check, level="problem", message=f"{error.message} ({error.code})", mend=error.hint)


def check_models(settings: Settings) -> Iterator[Finding]:
    """Every model this configuration runs is here and whole."""
    for name in needed(settings):
        try:
            folder = locate(name, settings.models)
        except CopilotError as error:
            yield _problem(f"model {name}", error)
        else:
            yield Finding(check=f"model {name}", level="ok", message=str(folder))


def check_recogniser(settings: Settings) -> Iterator[Finding]:
    """A recogniser that runs elsewhere answers; it is asked what half a second of silence says."""
    backend = settings.recogniser.backend
    if backend == "whisper":
        return
    try:
        load_recogniser(settings).transcribe([AsrRequest(samples=np.zeros(SAMPLE_RATE_HZ // 2, np.float32))])
    except CopilotError as error:
        yield _problem("recogniser", error)
    else:
        yield Finding(check="recogniser", level="ok", message=f"{backend} answers")


def check_data_folder(settings: Settings) -> Iterator[Finding]:
    """Calls can be written."""
    root = data_root(settings.store)
    try:
        with tempfile.TemporaryFile(dir=_nearest(root)):
            pass
    except OSError as error:
        yield Finding(
            check="data directory",
            level="problem",
            message=f"cannot write to {root}: {error.strerror}",
            mend="Set `store.data_dir` (or COPILOT_DATA_DIR) to a directory this user may write to.",
        )
        return
    yield Finding(check="data directory", level="ok", message=str(root))


def check_disk(settings: Settings) -> Iterator[Finding]:
    """There is room for new calls."""
    root = data_root(settings.store)
    free_mb = shutil.disk_usage(_nearest(root)).free >> 20
    is_enough = free_mb >= settings.store.min_free_mb
    yield Finding(
        check="disk",
        level="ok" if is_enough else "problem",
        message=f"{free_mb:,} MB free; new calls need {settings.store.min_free_mb:,} MB",
        mend="" if is_enough else "Make room, delete old calls, or move the data directory.",
    )


def _nearest(folder: Path) -> Path:
    """The folder, or the one above that is there and will hold it."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def check_database(settings: Settings) -> Iterator[Finding]:
    """The database answers. A SQLite file that is not there yet is made by the first start."""
    file = data_root(settings.store) / DATABASE_FILE
    if not settings.store.database and not file.exists():
        yield Finding(check="database", level="ok", message="SQLite, made at the first start")
        return
    try:
        engine = connect(settings.store.database or f"sqlite:///{file}")
        with engine.connect() as connection:
            connection.execute(text("SELECT count(*) FROM alembic_version"))
        engine.dispose()
    except CopilotError as error:
        yield _problem("database", error)
    except SQLAlchemyError as error:
        yield Finding(
            check="database",
            level="problem",
            message=f"the database does not answer as ours would: {type(error).__name__}",
            mend="Check `store.database` and that the server runs; restore a damaged SQLite file from a backup.",
        )
    else:
        yield Finding(check="database", level="ok", message=f"{engine.dialect.name} answers")


def check_bus(settings: Settings) -> Iterator[Finding]:
    """The Redis of a configured bus answers."""
    if not settings.bus.url:
        return
    try:
        redis = import_module("redis")
    except ImportError:
        yield Finding(
            check="bus", level="problem", message="redis is not installed", mend="pip install 'call-copilot[redis]'"
        )
        return
    timeout_s = settings.bus.command_timeout_s
    try:
        with redis.Redis.from_url(
            settings.bus.url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=None
        ) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        message, mend = f"no answer: {type(error).__name__}", "Check `bus.url` and that Redis runs."
        yield Finding(check="bus", level="problem", message=message, mend=mend)
    else:
        yield Finding(check="bus", level="ok", message="Redis answers")


def check_address(settings: Settings) -> Iterator[Finding]:
    """The server may listen where it is configured to."""
    host, port = settings.server.host, settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        check_bind(host, settings.access)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except CopilotError as error:
        yield _problem("address", error)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and _is_running(settings):
            yield Finding(check="address", level="ok", message=f"{host}:{port}, where our server is running")
        else:
            mend = "Stop what uses it, or set `server.host` and `server.port`."
            yield Finding(check="address", level="problem", message=f"{host}:{port}: {error.strerror}", mend=mend)
    else:
        yield Finding(check="address", level="ok", message=f"{host}:{port} is free")


def _is_running(settings: Settings) -> bool:
    """Whether a server holds the data directory."""
    if not (data_root(settings.store) / LOCK_FILE).exists():
        return False
    try:
        DataFolder.open(settings.store).close()
    except StorageError as error:
        return error.code == "storage.locked"
    return False


def check_cores(_: Settings) -> Iterator[Finding]:
    """One core keeps up with a call or two; two are what the figures in the documentation were measured on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores < CORES_WANTED:
        mend = "Set `server.max_calls = 2`, or give the service another core."
        yield Finding(check="processor", level="note", message=f"{cores} core", mend=mend)
    else:
        yield Finding(check="processor", level="ok", message=f"{cores} cores")


def check_pages(_: Settings) -> Iterator[Finding]:
    """The web pages are built."""
    if (STATIC / "index.html").is_file():
        yield Finding(check="web pages", level="ok", message="built")
    else:
        mend = "scripts/web builds them; everything else works without."
        yield Finding(check="web pages", level="note", message="not built", mend=mend)


def check_microphone(_: Settings) -> Iterator[Finding]:
    """A local microphone: only for trying things out. The softphone page uses the browser's."""
    try:
        sounddevice = import_module("sounddevice")
        name = sounddevice.query_devices(kind="input")["name"]
    except ImportError:
        mend = "pip install 'call-copilot[microphone]'"
        yield Finding(check="microphone", level="note", message="support is not installed (optional)", mend=mend)
    except Exception as error:  # noqa: BLE001  # PortAudio: no library (OSError), no device, no permission (its own)
        yield Finding(
            check="microphone",
            level="note",
            message=f"none can be opened (optional): {error}",
            mend="Plug one in and allow this terminal to use it; on Debian and Ubuntu: apt-get install libportaudio2.",
        )
    else:
        yield Finding(check="microphone", level="ok", message=str(name))


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    check_models,
    check_recogniser,
    check_data_folder,
    check_disk,
    check_database,
    check_bus,
    check_address,
    check_cores,
    check_pages,
    check_microphone,
)
