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


ANSWERS = "knowledge: {when: {signal: objection.price}}\n"
FACTS = {"faq.md": "# How long\n\nTwo days.\n", "价格/表.csv": "项目,价格\n电池,4200\n"}


def test_documents_stay_with_their_version(tmp_path):
    shelf = Shelf(tmp_path)
    plain = shelf.put(PLAYBOOK, "draft", at=AT)
    first = shelf.put(SECOND + ANSWERS, "published", at=AT, documents=FACTS)
    second = shelf.put(THIRD + ANSWERS, "published", at=LATER, documents={"faq.md": "# How long\n\nThree.\n"})
    assert [shelf.documents(each) for each in (plain, first)] == [None, FACTS]
    assert shelf.documents(second) != FACTS
    assert shelf.put(SECOND + ANSWERS, "published", at=LATER, documents=dict(reversed(FACTS.items()))).documents
    assert shelf.documents(shelf.published()["small"]) == FACTS


def test_other_documents_are_another_version(tmp_path):
    shelf = Shelf(tmp_path)
    shelf.put(PLAYBOOK + ANSWERS, "published", at=AT, documents=FACTS)
    for documents in ({}, {"faq.md": "# How long\n\nThree.\n"}):
        with pytest.raises(UsageError, match=r"raise `version`"):
            shelf.put(PLAYBOOK + ANSWERS, "published", at=LATER, documents=documents)
    assert shelf.documents(shelf.published()["small"]) == FACTS


def test_a_version_without_documents_gets_them_once(tmp_path):
    shelf = Shelf(tmp_path)
    old = shelf.put(PLAYBOOK + ANSWERS, "published", at=AT, by="ann")
    kept = shelf.keep(old, FACTS)
    assert (kept.at, kept.by, kept.state) == (AT, "ann", "published")
    assert shelf.keep(old, {}) == kept
    assert shelf.documents(shelf.published()["small"]) == FACTS
    assert shelf.put(PLAYBOOK + ANSWERS, "shadow", at=LATER, documents=FACTS).documents == kept.documents


def test_an_index_of_before_documents_were_kept_is_read(tmp_path):
    shelf = Shelf(tmp_path)
    old = shelf.put(PLAYBOOK, "published", at=AT)
    index = tmp_path / "playbooks" / "index.json"
    index.write_text(index.read_text().replace(',\n      "documents": ""', ""))
    assert '"documents"' not in index.read_text()
    assert shelf.versions() == (old,)


def test_damaged_documents_are_named(tmp_path):
    shelf = Shelf(tmp_path)
    version = shelf.put(PLAYBOOK + ANSWERS, "published", at=AT, documents=FACTS)
    (tmp_path / "playbooks" / "small" / f"{version.documents}.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CopilotError, match=r"storage\.shelf"):
        shelf.documents(version)
