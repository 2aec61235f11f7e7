"""A playbook that is wrong: the call is refused, and the operator can read why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
import structlog
from numpy.typing import NDArray

from copilot.config import Settings
from copilot.errors import PlaybookError
from copilot.events import Language
from copilot.playbook.model import Playbook
from copilot.server.playbooks import Library
from tests.call.rig import PLAYBOOK
from tests.server.node import settings

AT = "2026-03-01T00:00:00.000Z"


def with_folder(settings: Settings, folder: Path) -> Settings:
    return msgspec.structs.replace(settings, playbooks=msgspec.structs.replace(settings.playbooks, folder=str(folder)))


def nothing(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.zeros((len(texts), 512), np.float32)


async def test_the_log_says_which_playbook_is_wrong_and_where(tmp_path: Path) -> None:
    library = Library(with_folder(settings(tmp_path / "data"), tmp_path), encode=nothing)
    file = tmp_path / "mine.yaml"
    file.write_text(PLAYBOOK.replace("kind: sop", "kind: soup"), encoding="utf-8")
    with structlog.testing.capture_logs() as logs, pytest.raises(PlaybookError):
        await library.setup("mine", "en")
    (said,) = logs
    assert (said["event"], said["playbook"], said["code"]) == ("playbook.unusable", "mine", "playbook.invalid")
    assert (said["file"], said["line"]) == (str(file), PLAYBOOK[: PLAYBOOK.index("kind: sop")].count("\n") + 1)


async def test_a_version_whose_documents_went_away_names_the_line(tmp_path: Path) -> None:
    library = Library(with_folder(settings(tmp_path / "data"), tmp_path), encode=nothing)
    text = PLAYBOOK + "knowledge: {folder: gone, when: {signal: objection.price}}\n"
    library.shelf.put(text, "published", at=AT)
    with structlog.testing.capture_logs() as logs, pytest.raises(PlaybookError, match="no such folder"):
        await library.setup("small", "en")
    assert (logs[0]["file"], logs[0]["line"]) == ("small@1.0.0", PLAYBOOK.count("\n") + 1)


ANSWERS = "knowledge: {folder: facts, when: {signal: objection.price}}\n"


def answers(playbook: Playbook) -> list[str]:
    assert playbook.knowledge
    return [passage.text for passage in playbook.knowledge.passages]


async def test_a_call_gets_the_documents_its_version_was_published_with(tmp_path: Path) -> None:
    given = with_folder(settings(tmp_path / "data"), tmp_path)
    library = Library(given, encode=nothing)
    facts = tmp_path / "facts" / "faq.md"
    facts.parent.mkdir()
    facts.write_text("# How long\n\nTwo days.\n", encoding="utf-8")
    library.shelf.put(PLAYBOOK + ANSWERS, "published", at=AT, documents=library.read(PLAYBOOK + ANSWERS)[1])
    facts.write_text("# How long\n\nThree weeks.\n", encoding="utf-8")
    assert answers((await library.setup("small", "en"))[0]) == ["Two days."]
    newer = (PLAYBOOK + ANSWERS).replace("version: 1.0.0", "version: 1.1.0")
    library.shelf.put(newer, "published", at=AT, documents=library.read(newer)[1])
    facts.unlink()
    facts.parent.rmdir()
    assert answers((await Library(given, encode=nothing).setup("small", "en"))[0]) == ["Three weeks."]


async def test_a_server_keeps_the_documents_of_older_versions_when_it_starts(tmp_path: Path) -> None:
    library = Library(with_folder(settings(tmp_path / "data"), tmp_path), encode=nothing)
    library.shelf.put(PLAYBOOK + ANSWERS, "published", at=AT)
    gone = PLAYBOOK.replace("id: small", "id: gone") + ANSWERS.replace("facts", "gone")
    library.shelf.put(gone, "published", at=AT)
    facts = tmp_path / "facts" / "faq.md"
    facts.parent.mkdir()
    facts.write_text("# How long\n\nTwo days.\n", encoding="utf-8")
    with structlog.testing.capture_logs() as logs:
        await library.warm()
    assert [(said["event"], said["playbook"], said["code"]) for said in logs] == [
        ("playbook.documents_not_kept", "gone", "playbook.knowledge")
    ]
    facts.unlink()
    assert answers((await library.setup("small", "en"))[0]) == ["Two days."]


WANTED = [("en", "outbound-en"), ("zh", "outbound-zh"), ("auto", "outbound-zh")]


@pytest.mark.parametrize(("language", "wanted"), WANTED)
async def test_a_call_that_names_no_playbook_gets_the_default_of_its_language(
    tmp_path: Path, language: Language, wanted: str
) -> None:
    given = settings(tmp_path / "data")
    books = msgspec.structs.replace(given.playbooks, default_en="", default_zh="", default_auto="outbound-zh")
    library = Library(msgspec.structs.replace(given, playbooks=books), encode=nothing)
    playbook, _ = await library.setup("", language)
    assert playbook.id == wanted
