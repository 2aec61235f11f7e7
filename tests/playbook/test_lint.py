"""Lint names what is legal but hardly meant."""

import numpy as np
import pytest

from copilot.errors import PlaybookError
from copilot.playbook.documents import documents_of, folder_of, with_texts
from copilot.playbook.lint import lint
from copilot.playbook.load import find_source, interpret, shipped_packs
from copilot.playbook.source import Source
from tests.playbook.samples import FULL, changed


def codes(text, **kwargs):
    source = Source(text)
    return {(finding.code, finding.path): finding for finding in lint(interpret(source), source, **kwargs)}


@pytest.mark.parametrize("name", shipped_packs())
def test_the_packs_are_clean(name):
    source = find_source(name)
    assert lint(interpret(source), source) == []


CASES = [
    ("[bye]", "[bye，see you]", "phrase.several", "$.ending.phrase.any[0]"),
    ("[bye]", "[再见、拜拜]", "phrase.several", "$.ending.phrase.any[0]"),
    ("[bye]", "['... !']", "phrase.empty", "$.ending.phrase.any[0]"),
    ("product: [Fibre]", "product: [Fibre, 光猫；路由器]", "phrase.several", "$.lexicons.product[1]"),
    ("headline: Value first", "headline: “先讲价值”", "card.quoted", "$.cues[0].card.headline"),
    ("lines: [Ask what", "lines: [“问一句”, Ask what", "card.quoted", "$.cues[0].card.lines[0]"),
    (
        "  - {id: close, title: Close}",
        "  - {id: limbo, title: Limbo}\n  - {id: close, title: Close}",
        "stage.unreachable",
        "$.stages[2]",
    ),
    ("title: Sample", "title: Sample", "step.untested", "$.steps[1]"),
    ("{metric: {name: talk_ratio, above: 0.6}}", "{signal: price}", "cue.untested", "$.cues[1]"),
    (
        "Value first",
        "one two three four five six seven eight nine ten eleven twelve thirteen",
        "cue.headline_long",
        "$.cues[0].card.headline",
    ),
    ("Value first", "这个标题写得实在是太长了客户一眼看不完", "cue.headline_long", "$.cues[0].card.headline"),
    ("{signal: price, interim: true}", "{signal: price, speaker: rep}", "trigger.dead", "$.cues[0].when"),
    ("{signal: price, interim: true}", "{signal: price, language: zh}", "trigger.dead", "$.cues[0].when"),
    ("{any: [bye]}", "{any: [bye], match: pinyin}", "phrase.match", "$.ending.phrase.match"),
    ("{any: [bye]}", "{any: [bye], exclude: [bye]}", "phrase.excluded", "$.ending.phrase.exclude"),
    (
        "  - id: greeting\n    when",
        "  - {id: idle, when: {regex: x}}\n  - id: greeting\n    when",
        "signal.unused",
        "$.signals[1]",
    ),
]


@pytest.mark.parametrize(("old", "new", "code", "path"), CASES)
def test_each_finding(old, new, code, path):
    finding = codes(changed(old, new))[code, path]
    assert finding.line > 0
    assert finding.message


def test_a_file_is_called_as_its_playbook():
    for file, found in (("other.yaml", True), ("/books/sample.yaml", False), ("", False)):
        source = Source(FULL, file)
        assert any(finding.code == "id.file" for finding in lint(interpret(source), source)) is found


def test_cues_that_crowd_each_other():
    extra = "".join(
        f"  - {{id: c{i}, kind: info, when: {{signal: price, interim: true}}, card: {{headline: x}}}}\n" for i in (1, 2)
    )
    crowded = changed("ending:", extra + "ending:")
    assert ("attention.crowded", "$.cues[0].when") in codes(crowded)
    assert ("attention.crowded", "$.cues[0].when") not in codes(FULL)
    grouped = crowded.replace("    kind: objection", "    kind: objection\n    group: price")
    assert ("attention.crowded", "$.cues[0].when") not in codes(grouped)


def test_examples_far_from_each_other():
    def encode(texts):
        return np.eye(4, dtype=np.float32)[: len(texts)]

    lonely = changed("like: [I see what you mean]", "like: [I see what you mean, quite right]")
    assert ("examples.lonely", "$.steps[1].done_when.any[1].examples.like[0]") in codes(lonely, encode=encode)
    assert not any(code == "examples.lonely" for code, _ in codes(FULL, encode=encode))
    close = {code for code, _ in codes(lonely, encode=lambda texts: np.ones((len(texts), 1), np.float32))}
    assert "examples.lonely" not in close


def test_without_a_source_lines_are_unknown():
    assert {finding.line for finding in lint(interpret(Source(FULL)))} == {0}


def with_documents_in(folder):
    text = f"{FULL}\nknowledge: {{folder: facts, when: {{signal: price}}}}\n" if "\nknowledge:" not in FULL else FULL
    bare = interpret(Source(text))
    return lint(with_texts(bare, documents_of(bare, folder)), Source(text), documents=folder_of(bare, folder))


def test_documents_are_read_by_lint(tmp_path):
    facts = tmp_path / "facts"
    facts.mkdir()
    (facts / "empty.md").write_text("# A heading and nothing else\n")
    (facts / "prices.pdf").write_bytes(b"%PDF")
    found = {(each.code, each.severity) for each in with_documents_in(tmp_path) if each.path == "$.knowledge"}
    assert found == {("knowledge.empty", "warning"), ("knowledge.unread", "info")}
    (facts / "empty.md").write_text("# Warranty\n\n25 years\n")
    found = {each.code for each in with_documents_in(tmp_path) if each.path == "$.knowledge"}
    assert found == {"knowledge.unread"}


def test_a_missing_folder_of_documents_is_an_error(tmp_path):
    with pytest.raises(PlaybookError, match="no such folder") as error:
        with_documents_in(tmp_path)
    assert (error.value.code, error.value.path) == ("playbook.knowledge", "$.knowledge.folder")
