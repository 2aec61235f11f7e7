"""Versions of playbooks in the data directory: what was published stays as it was, byte for byte.

    <data>/playbooks/index.json               which version is in which state
    <data>/playbooks/<playbook id>/<digest>.yaml
    <data>/playbooks/<playbook id>/<digest>.json   its documents, if it answers from any: text by name

A version is named by the digest of its text; its documents lie under the digest of theirs. ``draft`` is only kept;
``shadow`` is tried on stored calls beside the published one; ``published`` is what new calls use, one per playbook;
``retired`` was one of these. Several processes may read and write: a change appears whole or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from filelock import FileLock

from copilot.errors import NotFoundError, StorageError, UsageError
from copilot.events import Frozen
from copilot.playbook.documents import Documents, with_texts
from copilot.playbook.load import parse_playbook
from copilot.store.disk import disk_error, replacing

SHELF_FOLDER = "playbooks"
INDEX = "index.json"
DIGEST_CHARACTERS = 16
LOCK_TIMEOUT_S = 10.0

State = Literal["draft", "shadow", "published", "retired"]
PutState = Literal["draft", "shadow", "published"]


class Version(Frozen, frozen=True, kw_only=True):
    """One version of a playbook. ``at`` (RFC 3339) and ``by``: when it came into this state, and who put it there.

    ``digest`` is that of its text, ``documents`` that of the documents kept with it (empty: none are).
    """

    playbook: str
    version: str
    digest: str
    state: State
    at: str = ""
    by: str = ""
    documents: str = ""


class _Index(Frozen, frozen=True, kw_only=True):
    versions: tuple[Version, ...] = ()
    format: Literal[1] = 1


class Shelf:
    """The versions under ``root``, a data directory. Every method may wait for the disk."""

    def __init__(self, root: Path) -> None:
        self._folder = root / SHELF_FOLDER

    def versions(self, playbook: str = "") -> tuple[Version, ...]:
        """Of one playbook or of all, in the order they came. StorageError ``storage.shelf``."""
        return tuple(each for each in self._read().versions if playbook in ("", each.playbook))

    def published(self) -> dict[str, Version]:
        """What new calls use, by playbook."""
        return {each.playbook: each for each in self._read().versions if each.state == "published"}

    def text(self, version: Version) -> str:
        """What was put on the shelf. StorageError ``storage.shelf`` when it is not that any more."""
        return self._kept(version.playbook, version.digest, ".yaml").decode("utf-8")

    def documents(self, version: Version) -> Documents | None:
        """The documents kept with it, None when none were. StorageError ``storage.shelf`` when they changed."""
        if not version.documents:
            return None
        return msgspec.json.decode(self._kept(version.playbook, version.documents, ".json"), type=Documents)

    def find(self, playbook: str, digest: str) -> Version:
        """A version by the beginning of its digest, or by its number. NotFoundError ``playbook.no_version``."""
        found = [v for v in self.versions(playbook) if digest and (v.digest.startswith(digest) or v.version == digest)]
        if len(found) != 1:
            raise NotFoundError(
                "playbook.no_version",
                f"there is {'more than one' if found else 'no'} version {digest!r} of {playbook!r}",
                hint="`copilot playbook versions` lists them.",
            )
        return found[0]

    def put(
        self, text: str, state: PutState, *, at: str, by: str = "", file: str = "", documents: Documents | None = None
    ) -> Version:
        """Check ``text`` and put it on the shelf, or move it there to ``state``; ``file`` is only for messages.

        ``documents`` are kept with it, None for a playbook without any. The version that was published or in shadow
        before is retired. Raises PlaybookError, leaving everything as it was; UsageError ``playbook.version_taken``
        when other text or other documents have the same version number.
        """
        book = with_texts(parse_playbook(text, file), documents)
        body, kept = text.encode("utf-8"), _packed(documents)
        new = Version(
            playbook=book.id,
            version=book.version,
            digest=_digest(body),
            state=state,
            at=at,
            by=by,
            documents=_digest(kept) if kept else "",
        )
        with self._locked():
            versions = self._read().versions
            _refuse_taken(new, versions)
            _write(self._path(book.id, new.digest, ".yaml"), body)
            if kept:
                _write(self._path(book.id, new.documents, ".json"), kept)
            self._write([*(_outdone(each, new) for each in versions if not _is_same(each, new)), new])
        return new

    def keep(self, version: Version, documents: Documents) -> Version:
        """Keep documents with a version that was put here before they were kept; a second time changes nothing."""
        kept = _packed(documents)
        with self._locked():
            old = self.find(version.playbook, version.digest)
            if old.documents:
                return old
            new = msgspec.structs.replace(old, documents=_digest(kept))
            _write(self._path(new.playbook, new.documents, ".json"), kept)
            self._write([new if each == old else each for each in self._read().versions])
        return new

    def retire(self, playbook: str, digest: str, *, at: str, by: str = "") -> Version:
        """Take a version out of use. Without a published version, the file or shipped pack of that name is used."""
        with self._locked():
            old = self.find(playbook, digest)
            new = msgspec.structs.replace(old, state="retired", at=at, by=by)
            self._write([new if each == old else each for each in self._read().versions])
        return new

    def _path(self, playbook: str, digest: str, suffix: str) -> Path:
        return self._folder / playbook / f"{digest}{suffix}"

    def _kept(self, playbook: str, digest: str, suffix: str) -> bytes:
        path = self._path(playbook, digest, suffix)
        try:
            body = path.read_bytes()
        except OSError as error:
            raise _broken(f"cannot read {path.name}: {error.strerror}") from error
        if _digest(body) != digest:
            raise _broken(f"{path.name} was changed after it was put here")
        return body

    def _locked(self) -> FileLock:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise disk_error(error) from error
        return FileLock(self._folder / ".lock", timeout=LOCK_TIMEOUT_S)

    def _read(self) -> _Index:
        path = self._folder / INDEX
        try:
            return msgspec.json.decode(path.read_bytes(), type=_Index)
        except FileNotFoundError:
            return _Index()
        except (OSError, msgspec.DecodeError) as error:
            raise _broken(f"cannot read {path}: {type(error).__name__}") from error

    def _write(self, versions: list[Version]) -> None:
        _write(self._folder / INDEX, msgspec.json.format(msgspec.json.encode(_Index(versions=tuple(versions)))))


def _is_same(one: Version, other: Version) -> bool:
    return (one.playbook, one.digest) == (other.playbook, other.digest)


def _refuse_taken(new: Version, versions: Sequence[Version]) -> None:
    """A version number stands for one text and the documents it had then."""
    for each in versions:
        same_text = _is_same(each, new)
        if same_text and each.documents in {"", new.documents}:  # it may be of a time when no documents were kept
            continue
        if same_text or (each.playbook, each.version) == (new.playbook, new.version):
            what = "other documents" if same_text else "another text"
            raise UsageError(
                "playbook.version_taken",
                f"version {new.version} of {new.playbook!r} was kept already, with {what}",
                hint="What was kept never changes: raise `version`.",
            )


def _packed(documents: Documents | None) -> bytes:
    return b"" if documents is None else msgspec.json.encode(documents, order="sorted")


def _outdone(old: Version, new: Version) -> Version:
    """There is one published and one shadow version of a playbook at a time."""
    if old.playbook == new.playbook and old.state == new.state != "draft":
        return msgspec.structs.replace(old, state="retired", at=new.at, by=new.by)
    return old


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:DIGEST_CHARACTERS]


def _write(path: Path, body: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with replacing(path) as temporary:
            temporary.write_bytes(body)
    except OSError as error:
        raise disk_error(error) from error


def _broken(what: str) -> StorageError:
    return StorageError("storage.shelf", what, hint="Restore `playbooks` in the data directory from a backup.")
