"""Documents become passages of plain text; a folder that cannot be used says why."""

from __future__ import annotations

import pytest

from copilot.errors import PlaybookError
from copilot.playbook.documents import (
    MAX_BYTES,
    MAX_FILE_BYTES,
    MAX_LINE,
    MAX_PASSAGES,
    MAX_TEXT,
    passages_of,
    read_texts,
    split,
)
from copilot.playbook.load import find_playbook, load_playbook, parse_playbook

PLAYBOOK = """
schema: 1
id: solar
version: 1.0.0
title: Solar
language: en
stages: [{id: opening, title: Opening}]
signals:
  - {id: signal.question, speaker: customer, when: {regex: '\\?'}}
cues:
  - id: price
    kind: objection
    when: {phrase: {any: [too expensive]}}
    card: {headline: Compare over ten years, material: MATERIAL}
knowledge: KNOWLEDGE
"""


def playbook(knowledge="{folder: faq}", material="''"):
    return PLAYBOOK.replace("KNOWLEDGE", knowledge).replace("MATERIAL", material)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "faq").mkdir()
    (tmp_path / "faq" / "a.md").write_text("# Warranty\n\nTwenty-five years.\n", encoding="utf-8")
    (tmp_path / "faq" / "prices.csv").write_text("item,price\nBattery,4200\n", encoding="utf-8")
    (tmp_path / "faq" / "notes.docx").write_bytes(b"PK\x03\x04")
    (tmp_path / "solar.yaml").write_text(playbook(), encoding="utf-8")
    return tmp_path


def test_markdown_is_split_at_headings_into_plain_text():
    text = (
        "Before **all**.\n\n# Care & *cleaning*\n\n- Rain [does](http://x) it\n- `no` service\n\nNever <b>bleach</b>.\n"
    )
    assert [(p.heading, p.text, p.source) for p in split(text, "faq/care.md")] == [
        ("care", "Before all.", "faq/care.md#care"),
        ("Care & cleaning", "Rain does it\nno service\nNever <b>bleach</b>.", "faq/care.md#care-cleaning"),
    ]


def test_a_table_is_a_line_for_each_row():
    text = "# Prices\n\n| item | price |\n|---|---|\n| Battery | 4,200 |\n| Wallbox | 790 |\n"
    assert split(text, "p.md")[0].text == "Battery, 4,200\nWallbox, 790"


def test_a_csv_is_a_passage_for_each_row():
    rows = split("套餐;价格;块数\n家庭套餐;42,700元;14\n;1;2\n空套餐;;\n", "价格.csv")
    assert [(p.heading, p.text, p.source) for p in rows] == [
        ("家庭套餐", "价格: 42,700元\n块数: 14", "价格.csv#家庭套餐")
    ]
    assert split('question,answer\n"How, then?","So.\nYes."\n', "faq.csv")[0].text == "So. Yes."
    assert split("", "empty.csv") == split("", "empty.md") == split("# Only\n", "a.md") == []


@pytest.mark.parametrize("sentence", ["word " * 40 + ". ", "字" * 90 + "。", "x" * 5_000])
def test_long_sections_are_cut(sentence):
    parts = split(f"# Long\n\n{sentence * 20}", "a.md")
    assert len(parts) > 1
    assert all(len(p.text) <= MAX_TEXT + 1 and max(map(len, p.text.split("\n"))) <= MAX_LINE for p in parts)
    assert "".join(p.text for p in parts).replace("\n", "").replace(" ", "") == (sentence * 20).replace(" ", "")


def test_a_playbook_brings_its_documents(folder):
    book = load_playbook(folder / "solar.yaml")
    assert [p.source for p in book.knowledge.passages] == ["a.md#warranty", "prices.csv#battery"]
    assert find_playbook("solar", str(folder)) == book


def test_documents_may_lie_where_the_operator_says(folder):
    (folder / "documents").mkdir()
    (folder / "faq").rename(folder / "documents" / "solar")
    (folder / "solar.yaml").write_text(playbook("{}"), encoding="utf-8")
    assert find_playbook("solar", str(folder)).knowledge.passages == ()
    assert len(find_playbook("solar", str(folder), knowledge=str(folder / "documents")).knowledge.passages) == 2


def test_passages_can_be_written_in_the_playbook():
    book = parse_playbook(playbook("{passages: [{heading: Warranty, text: 25 years}]}"))
    assert book.knowledge.passages[0].text == "25 years"


@pytest.mark.parametrize("material", ["'a.md#warranty'", "'https://x/a.md#w'", "leaflet", "''"])
def test_a_card_may_point_at_a_passage(folder, material):
    (folder / "solar.yaml").write_text(playbook(material=material), encoding="utf-8")
    load_playbook(folder / "solar.yaml")


def test_a_card_that_points_nowhere_is_an_error(folder):
    (folder / "solar.yaml").write_text(playbook(material="'a.md#waranty'"), encoding="utf-8")
    with pytest.raises(PlaybookError, match=r"a\.md#warranty") as refused:
        load_playbook(folder / "solar.yaml")
    assert refused.value.code == "playbook.unknown_reference"
    assert refused.value.path == "$.cues[0].card.material"


@pytest.mark.parametrize("where", ["../other", "/etc", "missing"])
def test_a_playbook_opens_no_other_folder(folder, where):
    (folder.parent / "other").mkdir(exist_ok=True)
    (folder / "solar.yaml").write_text(playbook(f"{{folder: {where}}}"), encoding="utf-8")
    with pytest.raises(PlaybookError) as refused:
        load_playbook(folder / "solar.yaml")
    assert refused.value.code == "playbook.knowledge"


def test_files_that_cannot_be_used(folder):
    (folder / "faq" / "big.csv").write_text("a,b\n" + "x,y\n" * (MAX_PASSAGES + 1), encoding="utf-8")
    with pytest.raises(PlaybookError, match="passages"):
        passages_of(read_texts(folder / "faq"))
    (folder / "faq" / "big.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlaybookError, match="UTF-8"):
        read_texts(folder / "faq")
    (folder / "faq" / "big.csv").unlink()
    (folder / "faq" / "out.md").symlink_to("/etc/hostname")
    with pytest.raises(PlaybookError, match="link"):
        read_texts(folder / "faq")


def test_questions_need_a_signal_that_exists():
    with pytest.raises(PlaybookError) as refused:
        parse_playbook(playbook("{when: {signal: signal.queston}}"))
    assert refused.value.code == "playbook.unknown_reference"
    assert refused.value.path.startswith("$.knowledge.when")


def test_documents_are_not_too_large_together(folder):
    for number in range(MAX_BYTES // MAX_FILE_BYTES):
        (folder / "faq" / f"b{number}.md").write_text("x" * MAX_FILE_BYTES, encoding="utf-8")
    with pytest.raises(PlaybookError, match="8 MB together") as refused:
        load_playbook(folder / "solar.yaml")
    assert (refused.value.code, refused.value.path) == ("playbook.knowledge", "$.knowledge.folder")


def test_a_cell_no_table_holds(folder):
    (folder / "faq" / "prices.csv").write_text(f'item,price\n"{"x" * 200_000}",1\n', encoding="utf-8")
    with pytest.raises(PlaybookError, match="not a table") as refused:
        load_playbook(folder / "solar.yaml")
    assert refused.value.line > 0


def test_every_card_that_points_nowhere_is_named(folder):
    second = "  - {id: other, kind: info, when: {regex: x}, card: {headline: Other, material: 'b.md#no'}}\nknowledge:"
    text = playbook(material="'a.md#waranty'").replace("knowledge:", second)
    (folder / "solar.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(PlaybookError) as refused:
        load_playbook(folder / "solar.yaml")
    lines = text.splitlines()
    assert [lines[each.line - 1].count("material") for each in refused.value.all] == [1, 1]
