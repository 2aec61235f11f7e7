"""Versions stay what they were; one is published at a time."""

from __future__ import annotations

import pytest

from copilot.errors import CopilotError, NotFoundError, PlaybookError, UsageError
from copilot.store.shelf import Shelf
from tests.call.rig import PLAYBOOK

AT, LATER = "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"
SECOND = PLAYBOOK.replace("version: 1.0.0", "version: 1.1.0")
THIRD = PLAYBOOK.replace("version: 1.0.0", "version: 2.0.0")


def states(shelf: Shelf) -> dict[str, str]:
    return {version.version: version.state for version in shelf.versions("small")}


def test_publishing_retires_the_one_before(tmp_path):
    shelf = Shelf(tmp_path)
    first = shelf.put(PLAYBOOK, "published", at=AT, by="ann")
    shelf.put(SECOND, "shadow", at=AT)
    assert states(shelf) == {"1.0.0": "published", "1.1.0": "shadow"}
    shelf.put(THIRD, "published", at=LATER)
    assert states(shelf) == {"1.0.0": "retired", "1.1.0": "shadow", "2.0.0": "published"}
    assert Shelf(tmp_path).published()["small"].version == "2.0.0"
    assert shelf.text(first) == PLAYBOOK
    shelf.put(PLAYBOOK, "published", at=LATER)
    assert states(shelf) == {"1.0.0": "published", "1.1.0": "shadow", "2.0.0": "retired"}


def test_a_version_never_changes(tmp_path):
    shelf = Shelf(tmp_path)
    shelf.put(PLAYBOOK, "draft", at=AT)
    with pytest.raises(UsageError, match=r"playbook\.version_taken"):
        shelf.put(PLAYBOOK + "# another text\n", "published", at=LATER)
    assert states(shelf) == {"1.0.0": "draft"}


def test_a_broken_playbook_leaves_everything_as_it_was(tmp_path):
    shelf = Shelf(tmp_path)
    shelf.put(PLAYBOOK, "published", at=AT)
    with pytest.raises(PlaybookError) as caught:
        shelf.put(SECOND.replace("kind: sop", "kind: soup"), "published", at=LATER, file="mine.yaml")
    assert (caught.value.file, caught.value.path) == ("mine.yaml", "$.cues[2].kind")
    assert caught.value.line > 0
    assert states(shelf) == {"1.0.0": "published"}


def test_a_version_is_found_by_number_or_digest_and_retired(tmp_path):
    shelf = Shelf(tmp_path)
    version = shelf.put(PLAYBOOK, "published", at=AT)
    assert shelf.find("small", "1.0.0") == shelf.find("small", version.digest[:6]) == version
    assert shelf.retire("small", "1.0.0", at=LATER).state == "retired"
    assert shelf.published() == {}
    with pytest.raises(NotFoundError, match=r"playbook\.no_version"):
        shelf.find("small", "9.9.9")


@pytest.mark.parametrize("damage", ["index.json", "text"])
def test_damage_is_named(tmp_path, damage):
    shelf = Shelf(tmp_path)
    version = shelf.put(PLAYBOOK, "published", at=AT)
    folder = tmp_path / "playbooks"
    path = folder / damage if damage == "index.json" else folder / "small" / f"{version.digest}.yaml"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(CopilotError, match=r"storage\.shelf"):
        shelf.text(shelf.versions()[0])
