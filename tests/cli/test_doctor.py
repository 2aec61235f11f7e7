import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from copilot.cli import doctor
from copilot.cli.main import copilot
from copilot.config import (
    AccessSettings,
    BusSettings,
    ModelSettings,
    RecogniserSettings,
    ServerSettings,
    Settings,
    StoreSettings,
    Token,
)
from copilot.store.database import DATABASE_FILE
from copilot.store.layout import DataFolder
from copilot.store.schema import connect, migrate


def at(folder: Path, **store: object) -> Settings:
    return Settings(
        store=StoreSettings(data_dir=str(folder), **store),  # type: ignore[arg-type]
        models=ModelSettings(dir=str(folder / "models")),
    )


def listening_at(port: int, folder: Path, host: str = "127.0.0.1") -> Settings:
    return Settings(server=ServerSettings(host=host, port=port), store=StoreSettings(data_dir=str(folder)))


def test_missing_models_say_how_to_get_them(tmp_path: Path) -> None:
    findings = list(doctor.check_models(at(tmp_path)))
    assert [finding.check for finding in findings] == [
        "model whisper-base",
        "model silero-vad",
        "model sentence-encoder",
    ]
    assert {finding.level for finding in findings} == {"problem"}
    assert all("copilot models fetch" in finding.mend for finding in findings)


@pytest.mark.models
def test_fetched_models_are_well() -> None:
    assert {finding.level for finding in doctor.check_models(Settings())} == {"ok"}


def test_a_recogniser_elsewhere_that_does_not_answer_is_a_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    (finding,) = doctor.check_recogniser(Settings(recogniser=RecogniserSettings(backend="openai", url=url)))
    assert (finding.level, "asr.unreachable" in finding.message) == ("problem", True)
    (finding,) = doctor.check_recogniser(Settings(recogniser=RecogniserSettings(backend="openai", url="nowhere")))
    assert "recogniser.url" in finding.message
    assert list(doctor.check_recogniser(Settings())) == []


def test_a_data_directory_that_does_not_exist_yet_is_well(tmp_path: Path) -> None:
    settings = at(tmp_path / "a" / "b", min_free_mb=0)
    findings = [*doctor.check_data_folder(settings), *doctor.check_disk(settings)]
    assert [finding.level for finding in findings] == ["ok", "ok"]
    assert not (tmp_path / "a").exists()


def test_a_data_directory_inside_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (folder,) = doctor.check_data_folder(at(tmp_path / "file" / "data"))
    assert folder.level == "problem"
    assert "COPILOT_DATA_DIR" in folder.mend


def test_a_full_disk_is_a_problem(tmp_path: Path) -> None:
    (disk,) = doctor.check_disk(at(tmp_path, min_free_mb=1 << 40))
    assert disk.level == "problem"
    assert disk.mend


def test_a_database_that_is_not_there_yet_is_well(tmp_path: Path) -> None:
    (database,) = doctor.check_database(at(tmp_path))
    assert database.level == "ok"
    assert not (tmp_path / DATABASE_FILE).exists()


def test_a_database_of_ours_answers(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / DATABASE_FILE}")
    migrate(engine)
    engine.dispose()
    (database,) = doctor.check_database(at(tmp_path))
    assert (database.level, database.message) == ("ok", "sqlite answers")


@pytest.mark.parametrize("url", ["", "nonsense", "postgresql://nobody@127.0.0.1:9/none"])
def test_a_database_that_does_not_answer_is_a_problem(tmp_path: Path, url: str) -> None:
    (tmp_path / DATABASE_FILE).write_bytes(b"this was never a database, and it is long enough to be told apart" * 20)
    (database,) = doctor.check_database(at(tmp_path, database=url))
    assert database.level == "problem"
    assert database.mend


def test_without_redis_there_is_nothing_to_check(tmp_path: Path) -> None:
    assert list(doctor.check_bus(at(tmp_path))) == []


@pytest.mark.parametrize("url", ["redis://127.0.0.1:9", "nonsense"])
def test_a_redis_that_does_not_answer_is_a_problem(url: str) -> None:
    (bus,) = doctor.check_bus(Settings(bus=BusSettings(url=url)))
    assert bus.level == "problem"


def test_a_free_port_is_well(tmp_path: Path) -> None:
    (address,) = doctor.check_address(listening_at(0, tmp_path))
    assert address.level == "ok"


def test_a_taken_port_is_a_problem_unless_our_server_has_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = listening_at(other.getsockname()[1], tmp_path)
        (before,) = doctor.check_address(settings)
        folder = DataFolder.open(settings.store)
        (during,) = doctor.check_address(settings)
        folder.close()
        (after,) = doctor.check_address(settings)
    assert (before.level, during.level, after.level) == ("problem", "ok", "problem")


def test_listening_beyond_this_machine_needs_tokens(tmp_path: Path) -> None:
    (address,) = doctor.check_address(listening_at(0, tmp_path, "0.0.0.0"))  # noqa: S104
    assert "config.exposed" in address.message
    access = AccessSettings(tokens=(Token(token="long and random", role="admin"),))
    allowed = Settings(server=ServerSettings(host="0.0.0.0", port=0), access=access)  # noqa: S104
    assert [finding.level for finding in doctor.check_address(allowed)] == ["ok"]


def test_what_is_optional_is_never_a_problem(tmp_path: Path) -> None:
    for check in (doctor.check_cores, doctor.check_pages, doctor.check_microphone):
        (finding,) = check(at(tmp_path))
        assert finding.level in {"ok", "note"}
        assert bool(finding.mend) == (finding.level == "note")


def test_prints_every_check_and_fails_when_one_is_a_problem(tmp_path: Path) -> None:
    environment = {"COPILOT_MODELS_DIR": str(tmp_path / "models"), "COPILOT_DATA_DIR": str(tmp_path)}
    result = CliRunner().invoke(copilot, ["doctor", "--json"], env=environment)
    findings = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert {finding["check"] for finding in findings} >= {"model whisper-base", "disk", "database", "address"}
    people = CliRunner().invoke(copilot, ["doctor"], env=environment)
    assert people.stdout == ""
    assert all(finding["check"] in people.stderr for finding in findings)
