"""A model hub on this machine, spoken to by the real client (in a process: it reads HF_ENDPOINT when imported)."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

pytestmark = pytest.mark.e2e

FILES = {"model.bin": b"weights", "config.json": b"{}", "tokenizer.json": b"{}", "vocabulary.txt": b"a\n"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """One repository, ``owner/ears``: its listing, and its files."""

    def do_HEAD(self) -> None:
        name = self.path.split("?")[0].rpartition("/")[2]
        if "/owner/ears" not in self.path:
            self._answer(404, b"")
        elif "/tree/" in self.path:
            tree = [{"type": "file", "path": file, "size": len(FILES[file]), "oid": COMMIT} for file in FILES]
            self._answer(200, json.dumps(tree).encode())
        elif "/api/" in self.path:
            listing = {"id": "owner/ears", "sha": COMMIT, "siblings": [{"rfilename": file} for file in FILES]}
            self._answer(200, json.dumps(listing).encode())
        else:
            self._answer(200, FILES[name])

    do_GET = do_HEAD  # noqa: N815

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{sha256(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def fetch(name: str, folder: Path, endpoint: str) -> subprocess.CompletedProcess[str]:
    environment = {"COPILOT_MODELS_DIR": str(folder), "HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "hf")}
    command = [sys.executable, "-m", "copilot", "models", "fetch", "--json", name]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


def test_fetches_a_recogniser_by_its_name_on_a_hub(hub: str, tmp_path: Path) -> None:
    done = fetch("owner/ears", tmp_path, hub)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["fetched"] is True
    kept = tmp_path / "owner--ears"
    assert {file.name: file.read_bytes() for file in kept.iterdir() if file.is_file()} == FILES


def test_a_hub_without_the_model_is_unreachable(hub: str, tmp_path: Path) -> None:
    done = fetch("owner/nose", tmp_path, hub)
    assert done.returncode == 1
    assert "model.unreachable" in done.stderr
    assert not (tmp_path / "owner--nose").exists()
