"""What keeps the service from starting is said in one sentence, with a code and what to do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from copilot.config import StoreSettings
from copilot.store.layout import DataFolder
from tests.cli.conftest import Outcome, Run

Configured = Callable[[str], Path]


def refused(outcome: Outcome, exit_code: int, code: str, *words: str) -> None:
    assert (outcome.code, outcome.out) == (exit_code, "")
    assert f"({code})" in outcome.err
    for word in words:
        assert word in outcome.err


def test_an_unknown_setting(run: Run, configured: Configured) -> None:
    outcome = run("--config", configured("[server]\nshoe_size = 44\n"), "serve")
    refused(outcome, 2, "config.invalid", "shoe_size", "$.server", "settings.md")


def test_a_value_out_of_range(run: Run, configured: Configured) -> None:
    refused(run("--config", configured("[server]\nport = 70000\n"), "serve"), 2, "config.invalid", "$.server.port")


def test_a_configuration_that_is_not_toml(run: Run, configured: Configured) -> None:
    refused(run("--config", configured("[server\n"), "serve"), 2, "config.syntax", "line 1")


def test_a_configuration_that_is_not_there(run: Run, tmp_path: Path) -> None:
    refused(run("--config", tmp_path / "no.toml", "serve"), 2, "config.unreadable")
    refused(run("serve", "--config", tmp_path / "no.toml"), 2, "config.unreadable")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104  # refused
def test_other_machines_need_tokens(run: Run, host: str) -> None:
    refused(run("serve", "--host", host, "--port", "0"), 2, "config.exposed", "[[access.tokens]]")


def test_a_port_that_is_taken(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(run("serve", "--port", port), 2, "server.port_in_use", str(port), "--port")


def test_models_that_are_not_there(run: Run, configured: Configured, tmp_path: Path) -> None:
    config = configured(f'[models]\ndir = "{tmp_path}/none"\n')
    refused(run("--config", config, "serve", "--port", "0"), 1, "model.missing", "copilot models fetch")


def test_a_recogniser_that_does_not_exist(run: Run, configured: Configured, tmp_path: Path) -> None:
    config = configured(f'[recogniser]\nmodel = "{tmp_path}/own-model"\n')
    outcome = run("--config", config, "serve", "--port", "0")
    assert outcome.code in (1, 2)
    assert "(model." in outcome.err


@pytest.mark.models
def test_a_data_directory_that_cannot_be_written(run: Run, configured: Configured, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    config = configured(f'[store]\ndata_dir = "{tmp_path}/file/data"\n')
    refused(run("--config", config, "serve", "--port", "0"), 1, "storage.unwritable", "COPILOT_DATA_DIR")


@pytest.mark.models
def test_a_data_directory_that_another_server_uses(
    run: Run, configured: Configured, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    held = DataFolder.open(StoreSettings(data_dir=str(tmp_path)))
    try:
        outcome = run("--config", configured(f'[store]\ndata_dir = "{tmp_path}"\n'), "serve", "--port", "0")
        refused(outcome, 1, "storage.locked", str(os.getpid()), "data_dir")
        assert "startup failed" not in caplog.text
    finally:
        held.close()


@pytest.mark.models
def test_a_database_that_is_none_of_ours(run: Run, configured: Configured, tmp_path: Path) -> None:
    (tmp_path / "copilot.db").write_bytes(b"this was never a database, and it is long enough to be told apart" * 20)
    outcome = run("--config", configured(f'[store]\ndata_dir = "{tmp_path}"\n'), "serve", "--port", "0")
    assert outcome.code == 1
    assert "(storage." in outcome.err


def test_settings_come_from_the_environment_too(tmp_path: Path) -> None:
    """In a process of its own, for that is where an environment belongs."""
    answer = subprocess.run(
        [sys.executable, "-m", "copilot", "serve", "--port", "0"],
        env={**os.environ, "COPILOT_SERVER__SHOE_SIZE": "44", "COPILOT_MODELS_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "environment" in answer.stderr
    assert "shoe_size" in answer.stderr
    assert "Traceback" not in answer.stderr
