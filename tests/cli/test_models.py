import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from copilot.cli.main import copilot, main
from copilot.cli.models import needed
from copilot.config import RecogniserSettings, Settings
from copilot.engines.manifest import CHECKOUT

SHIPPED = CHECKOUT / "models"


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(copilot, ["models", *arguments], env=environment)


def test_needs_the_configured_recogniser_and_the_rest() -> None:
    assert needed(Settings()) == ("whisper-base", "silero-vad", "sentence-encoder")
    own = Settings(recogniser=RecogniserSettings(model="/srv/own"))
    assert needed(own) == ("/srv/own", "silero-vad", "sentence-encoder")
    elsewhere = Settings(recogniser=RecogniserSettings(backend="funasr", url="ws://asr:10095"))
    assert needed(elsewhere) == ("silero-vad", "sentence-encoder")


def test_lists_what_is_missing(tmp_path: Path) -> None:
    result = run("list", "--json", COPILOT_MODELS_DIR=str(tmp_path))
    models = {line["model"]: line for line in map(json.loads, result.stdout.splitlines())}
    assert result.exit_code == 0
    assert {model["state"] for model in models.values()} == {"missing"}
    assert models["whisper-base"]["licence"] == "MIT"
    assert models["whisper-base"]["bytes"] > 100_000_000
    table = run("list", COPILOT_MODELS_DIR=str(tmp_path)).stdout
    assert all(name in table for name in models)


def test_lists_what_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "silero-vad").mkdir()
    (tmp_path / "silero-vad" / "silero_vad.onnx").write_bytes(b"no")
    lines = run("list", "--json", COPILOT_MODELS_DIR=str(tmp_path)).stdout.splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["missing", "corrupt", "missing"]


def test_verify_fails_with_one_line_per_problem(tmp_path: Path) -> None:
    result = run("verify", "--json", "silero-vad", COPILOT_MODELS_DIR=str(tmp_path))
    (problem,) = map(json.loads, result.stdout.splitlines())
    assert result.exit_code == 1
    assert (problem["model"], problem["code"]) == ("silero-vad", "model.missing")
    people = run("verify", COPILOT_MODELS_DIR=str(tmp_path))
    assert people.stdout == ""
    assert "copilot models fetch" in people.stderr


@pytest.mark.models
def test_fetches_from_a_folder_and_then_verifies(tmp_path: Path) -> None:
    environment = {"COPILOT_MODELS_DIR": str(tmp_path), "COPILOT_MODELS_SOURCE": str(SHIPPED)}
    for expected in (True, False):
        result = run("fetch", "--json", "silero-vad", **environment)
        assert result.exit_code == 0
        (line,) = map(json.loads, result.stdout.splitlines())
        assert line == {"model": "silero-vad", "fetched": expected, "folder": str(tmp_path / "silero-vad")}
    assert run("verify", "silero-vad", **environment).exit_code == 0


def test_an_unknown_name_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["models", "verify", "nose"])
    assert stopped.value.code == 2
    assert "model.unknown" in capsys.readouterr().err


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A models folder of our own whose files are links to the real ones."""
    for name in needed(Settings()):
        (tmp_path / name).mkdir()
        for file in (SHIPPED / name).iterdir():
            (tmp_path / name / file.name).symlink_to(file)
    return tmp_path


@pytest.mark.models
def test_verify_accepts_links(linked: Path) -> None:
    assert run("verify", COPILOT_MODELS_DIR=str(linked)).exit_code == 0


@pytest.mark.models
def test_verify_names_the_file_that_changed_and_the_one_that_is_missing(linked: Path) -> None:
    changed, missing = linked / "whisper-base" / "config.json", linked / "sentence-encoder" / "tokenizer.json"
    content = bytearray(changed.read_bytes())
    content[10] ^= 1
    changed.unlink()
    changed.write_bytes(content)
    missing.unlink()
    result = run("verify", "--json", COPILOT_MODELS_DIR=str(linked))
    assert result.exit_code == 1
    problems = {(problem["model"], problem["code"]) for problem in map(json.loads, result.stdout.splitlines())}
    assert problems == {("whisper-base", "model.corrupt"), ("sentence-encoder", "model.missing")}
    people = run("verify", COPILOT_MODELS_DIR=str(linked)).stderr
    assert str(changed) in people
    assert str(missing) in people
