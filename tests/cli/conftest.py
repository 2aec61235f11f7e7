"""The command line, called in this process: exit code, stdout and stderr as a shell would see them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import structlog

from copilot.cli import replay
from copilot.cli.main import main
from copilot.config import Settings
from copilot.engines.pool import AsrModel, AsrRequest
from copilot.engines.suite import Suite, load_suite
from copilot.events import Hypothesis


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """stdout of a command with ``--json``."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    """A command sends the log of the process to its stderr, which ends with the test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Run:
    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in err + caplog.text, err
        return Outcome(code, out, err)

    return run


@pytest.fixture
def configured(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a configuration file."""

    def configured(text: str) -> Path:
        path = tmp_path / "copilot.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return configured


class OwnDrafts:
    """A recogniser many replays share: what one of them has read is no draft of another's."""

    def __init__(self, asr: AsrModel, owner: str) -> None:
        self._asr = asr
        self._owner = owner

    def transcribe(self, requests: Sequence[AsrRequest]) -> list[Hypothesis]:
        owned = [msgspec.structs.replace(each, utterance=f"{self._owner}/{each.utterance}") for each in requests]
        return self._asr.transcribe(owned)


@pytest.fixture(scope="session")
def engines() -> Callable[[Settings], Suite]:
    """``load_suite`` that loads the same models once."""
    loaded: dict[object, Suite] = {}
    numbers = count(1)

    def load(settings: Settings) -> Suite:
        wanted = (settings.models, settings.recogniser)
        suite = loaded[wanted] = loaded.get(wanted) or load_suite(settings)
        return Suite(suite.silero, OwnDrafts(suite.asr, str(next(numbers))), suite.encoder)

    return load


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, engines: Callable[[Settings], Suite]) -> None:
    """Replays that read everything once, with models loaded once, and show words less often."""
    monkeypatch.setattr(replay, "load_suite", engines)
    monkeypatch.setenv("COPILOT_SPEECH__INTERIM_INTERVAL_MS", "2000")
    monkeypatch.setenv("COPILOT_SPEECH__SECOND_PASS", "off")
