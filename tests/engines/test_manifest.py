from pathlib import Path

import pytest

from copilot.config import ModelSettings, load_settings
from copilot.engines.manifest import CHECKOUT, Manifest, load_manifest, locate, models_dir, verify
from copilot.errors import ModelError, UsageError
from tests.engines.packages import JOINED, make_manifest, put

WHOLE = {"model.bin": JOINED, "config.json": b"{}"}


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return make_manifest(tmp_path / "shelf")


@pytest.fixture
def settings(tmp_path: Path) -> ModelSettings:
    return ModelSettings(dir=str(tmp_path / "models"))


def test_the_shipped_manifest_is_consistent() -> None:
    manifest = load_manifest()
    assert {model.name for model in manifest.models} == {"whisper-base", "silero-vad", "sentence-encoder"}
    packages = {package.name for package in manifest.packages}
    for model in manifest.models:
        assert {part.package for part in model.parts} <= packages
        assert all(file.parts or model.builder for file in model.files)
        assert model.licence in {"MIT", "Apache-2.0"}
    assert packages == {part.package for model in manifest.models for part in model.parts}


def test_names_no_registry() -> None:
    assert "://" not in (CHECKOUT / "models" / "manifest.toml").read_text(encoding="utf-8")


def test_a_checkout_keeps_models_beside_the_manifest(tmp_path: Path) -> None:
    assert models_dir(ModelSettings()) == CHECKOUT / "models"
    assert models_dir(ModelSettings(dir=str(tmp_path))) == tmp_path


def test_variables_set_the_folders() -> None:
    models = load_settings(None, {"COPILOT_MODELS_DIR": "/here", "COPILOT_MODELS_SOURCE": "/there"}).models
    assert (models.dir, models.source) == ("/here", "/there")


def test_locates_a_whole_model(tmp_path: Path, manifest: Manifest, settings: ModelSettings) -> None:
    put(tmp_path / "models" / "ear", WHOLE)
    assert locate("ear", settings, manifest=manifest) == tmp_path / "models" / "ear"


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({}, "model.missing"),
        ({"model.bin": JOINED}, "model.missing"),
        ({**WHOLE, "model.bin": JOINED[:-1]}, "model.corrupt"),
        ({**WHOLE, "model.bin": b"F" + JOINED[1:]}, "model.corrupt"),
    ],
)
def test_says_what_is_wrong(
    tmp_path: Path, manifest: Manifest, settings: ModelSettings, files: dict[str, bytes], code: str
) -> None:
    put(tmp_path / "models" / "ear", files)
    with pytest.raises(ModelError) as caught:
        locate("ear", settings, manifest=manifest)
    assert caught.value.code == code
    assert "copilot models fetch" in caught.value.hint


def test_locates_a_folder_of_the_operators(tmp_path: Path, manifest: Manifest, settings: ModelSettings) -> None:
    own = tmp_path / "fine-tuned"
    put(own, {"model.bin": b"anything"})
    assert locate(str(own), settings, manifest=manifest) == own


def test_locates_a_model_fetched_from_a_hub(tmp_path: Path, manifest: Manifest, settings: ModelSettings) -> None:
    put(tmp_path / "models" / "Systran--faster-whisper-small", {"model.bin": b"anything"})
    found = locate("Systran/faster-whisper-small", settings, manifest=manifest)
    assert found == tmp_path / "models" / "Systran--faster-whisper-small"


def test_an_unknown_model_is_missing(manifest: Manifest, settings: ModelSettings) -> None:
    with pytest.raises(ModelError, match="no model called nose") as caught:
        locate("nose", settings, manifest=manifest)
    assert caught.value.code == "model.missing"
    assert "copilot models fetch nose" in caught.value.hint


def test_verify_lists_every_bad_file(tmp_path: Path, manifest: Manifest, settings: ModelSettings) -> None:
    put(tmp_path / "models" / "ear", {"config.json": b"[]"})
    problems = verify((), settings, manifest=manifest)
    assert [(problem.file, problem.code) for problem in problems] == [
        ("model.bin", "model.missing"),
        ("config.json", "model.corrupt"),
    ]
    put(tmp_path / "models" / "ear", WHOLE)
    assert verify(("ear",), settings, manifest=manifest) == []


def test_verify_refuses_a_name_it_does_not_know(manifest: Manifest, settings: ModelSettings) -> None:
    with pytest.raises(UsageError) as caught:
        verify(("nose",), settings, manifest=manifest)
    assert caught.value.code == "model.unknown"
    assert "ear" in caught.value.hint
