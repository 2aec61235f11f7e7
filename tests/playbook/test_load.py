"""A wrong playbook says what is wrong, where, and what to do. It never ends in a traceback."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from copilot.errors import PlaybookError
from copilot.playbook.load import find_playbook, find_source, load_playbook, parse_playbook, shipped_packs
from copilot.playbook.source import MAX_CHARS, Source
from tests.playbook.samples import FULL, changed

NINES = "[" * 60 + "]" * 60

WRONG = [
    # what is written instead of what, code, line, path, a word of the message or hint
    ("stages:", "stages: [", "playbook.syntax", 7, "", ""),
    ("title: Sample", "title: Sample\ntitle: Again", "playbook.syntax", None, "$.title", "twice"),
    ("title: Sample", "title: &x Sample", "playbook.syntax", None, "$.title", "anchors"),
    ("title: Sample", "title: *x", "playbook.syntax", None, "$.title", "anchors"),
    ("title: Sample", "title: !!str Sample", "playbook.syntax", None, "$.title", "tags"),
    ("title: Sample", "title: Sample\n&k key: 1", "playbook.syntax", None, "$", "anchors"),
    ("title: Sample", "title: Sample\n[a]: 1", "playbook.syntax", None, "$", "key"),
    ("schema: 1", "a: 1\n---\nschema: 1", "playbook.syntax", None, "", "second"),
    ("title: Sample", "title: Sa\x07mple", "playbook.syntax", 4, "", "character"),
    ("title: Sample", f"title: {NINES}", "playbook.too_large", 4, "", "levels"),
    ("kind: objection", "kidn: objection", "playbook.unknown_key", None, "$.cues[0].kidn", "'kind'"),
    ("title: Greet", "xyzzy: Greet", "playbook.unknown_key", None, "$.steps[0].xyzzy", "Known here"),
    (
        "{regex: two",
        "{regexp: two",
        "playbook.unknown_key",
        None,
        "$.cues[1].when.all[0].seq.of[1].not.regexp",
        "'regex'",
    ),
    ("title: Sample", "title: 5", "playbook.invalid", None, "$.title", "quotes"),
    ("schema: 1", "schema: 2", "playbook.invalid", None, "$.schema", "2"),
    ("{tier: gold}", "{tier: 1}", "playbook.invalid", None, "$.scenarios[0].context[...]", "text"),
    ("id: sample\n", "", "playbook.invalid", 1, "$", "missing"),
    (
        "threshold: 0.7",
        "threshold: 7",
        "playbook.invalid",
        None,
        "$.steps[1].done_when.any[1].examples.threshold",
        "from 0 to 1",
    ),
    ("kind: info", "kind: nonsense", "playbook.invalid", None, "$.cues[1].kind", "nonsense"),
    ("{phrase: {any: [bye]}}", "{phrase: {}}", "playbook.invalid", None, "$.ending.phrase", "any"),
    ("above: 0.6", "above: 0.6, below: 0.2", "playbook.invalid", None, "$.cues[1].when.all[6].metric", "either"),
    (", above: 0.6", "", "playbook.invalid", None, "$.cues[1].when.all[6].metric", "either"),
    (", one_of: [gold]", "", "playbook.invalid", None, "$.cues[1].when.all[8].context", "one of"),
    (", at_s: 10", "", "playbook.invalid", None, "$.cues[1].when.all[7].event", "at_s"),
    (
        "{rep: hello there}",
        "{rep: hello, customer: x}",
        "playbook.invalid",
        None,
        "$.scenarios[0].turns[0]",
        "two turns",
    ),
    ("after_turn: 2", "after_turn: 3", "playbook.invalid", None, "$.scenarios[0].expect[0].after_turn", "turn"),
    ("id: close, title", "id: opening, title", "playbook.duplicate_id", None, "$.stages[2].id", "'opening'"),
    ("- id: greeting\n    when", "- id: price\n    when", "playbook.duplicate_id", None, "$.signals[1].id", "'price'"),
    ("- id: ask", "- id: answer", "playbook.duplicate_id", None, "$.steps[2].id", "'answer'"),
    ("- id: everything", "- id: price", "playbook.duplicate_id", None, "$.cues[1].id", "'price'"),
    (
        "done_when: {signal: greeting}",
        "done_when: {regex: hi}",
        "playbook.duplicate_id",
        19,
        "$.steps[0].id",
        "signal: greeting",
    ),
    ("stage: opening", "stage: openin", "playbook.unknown_reference", None, "$.steps[0].stage", "'opening'"),
    ("requires: [greeting]", "requires: [zzz]", "playbook.unknown_reference", None, "$.steps[1].requires[0]", "Known"),
    (
        "enter_when: {signal: price}",
        "enter_when: {signal: prise}",
        "playbook.unknown_reference",
        None,
        "$.stages[1].enter_when.signal",
        "'price'",
    ),
    ("stage: [close]", "stage: [end]", "playbook.unknown_reference", None, "$.cues[1].when.all[9].stage", "end"),
    ("stage: close}}", "stage: end}}", "playbook.unknown_reference", None, "", "end"),
    ("is: step_done, step: answer", "is: step_done, step: answr", "playbook.unknown_reference", None, "", "'answer'"),
    ("'stage:objection'", "'stage:end'", "playbook.unknown_reference", None, "$.steps[1].due.after", "end"),
    ("'step:answer'", "'step:end'", "playbook.unknown_reference", None, "$.steps[2].due.after", "end"),
    ("'step:answer'", "later", "playbook.unknown_reference", None, "$.steps[2].due.after", "call_start"),
    (
        "before_stage: close",
        "before_stage: end",
        "playbook.unknown_reference",
        None,
        "$.steps[0].due.before_stage",
        "end",
    ),
    ("{card: price,", "{card: prize,", "playbook.unknown_reference", None, "$.scenarios[0].expect[0].card", "'price'"),
    (
        "no_signal: answer",
        "no_signal: end",
        "playbook.unknown_reference",
        None,
        "$.scenarios[0].expect[3].no_signal",
        "end",
    ),
    ("warn_s: 5", "warn_s: 20", "playbook.impossible_deadline", None, "$.steps[0].due.warn_s", "smaller"),
    ("within_s: 20, warn_s: 5", "warn_s: 5", "playbook.impossible_deadline", None, "$.steps[0].due.warn_s", "warning"),
    (", before_end: true}", "}", "playbook.impossible_deadline", None, "$.steps[2].due", "never"),
    (
        "before_stage: close",
        "before_stage: opening",
        "playbook.impossible_deadline",
        None,
        "$.steps[0].due.before_stage",
        "later",
    ),
    (
        "{within_s: 20, warn_s: 5,",
        "{after: 'stage:close', within_s: 20,",
        "playbook.impossible_deadline",
        None,
        "$.steps[0].due.after",
        "late",
    ),
    (
        "{signal: price, interim: true}",
        "{signal: price, regex: x}",
        "playbook.trigger",
        None,
        "$.cues[0].when",
        "found regex, signal",
    ),
    ("{phrase: {any: [bye]}}", "{speaker: rep}", "playbook.trigger", None, "$.ending", "none"),
    ("{phrase: {any: [bye]}}", "{event: {is: ending}}", "playbook.trigger", None, "$.ending", "utterance"),
    ("{phrase: {any: [bye]}}", "{any: []}", "playbook.trigger", None, "$.ending", "empty"),
    ("{phrase: {any: [bye]}}", "{regex: '(?=x)'}", "playbook.regex", None, "$.ending.regex", "linear"),
    ("{phrase: {any: [bye]}}", "{regex: '(((x{99}){99}){99})'}", "playbook.regex", None, "$.ending.regex", ""),
    (
        "label: objection.price",
        "label: objection.prize",
        "playbook.unknown_reference",
        None,
        "$.cues[1].when.all[13].intent.label",
        "'objection.price'",
    ),
    ("above: 0.8", "above: 8", "playbook.invalid", None, "$.cues[1].when.all[13].intent.above", "from 0 to 1"),
    ("kind: product", "kind: produce", "playbook.unknown_reference", None, "$.cues[1].when.all[12].entity.kind", ""),
    ("[Acme]", "[Acne]", "playbook.unknown_reference", None, "$.cues[1].when.all[11].entity.any[0]", "'Acme'"),
    ("kind: price, above", "kind: date, above", "playbook.invalid", None, "$.cues[1].when.all[10].entity", "only"),
    ("below: 20", "below: 10", "playbook.invalid", None, "$.cues[1].when.all[10].entity", "above and below"),
    ("product: [Fibre]", "price: [Fibre]", "playbook.duplicate_id", None, "$.lexicons.price", "kind"),
    ("product: [Fibre]", "product: []", "playbook.invalid", None, "$.lexicons[...]", "a list of 1 or more"),
    ("product: [Fibre]", "Product: [Fibre]", "playbook.invalid", None, "$.lexicons", "lower-case"),
    ("requires: [greeting]", "requires: [ask]", "playbook.cycle", 24, "", "->"),
    (
        "{any: [{phrase: {any: [understand]}}",
        "{any: [{signal: answer}",
        "playbook.cycle",
        24,
        "$.steps[1]",
        "answer -> answer",
    ),
]

WRONG += [
    # what is there, what belongs there, and what to do, in plain words
    ("kind: info", "kind: Info", "playbook.invalid", None, "$.cues[1].kind", "Did you mean 'info'?"),
    ("speaker: customer", "speaker: 客户", "playbook.invalid", None, "$.signals[0].speaker", "one of customer, rep"),
    ("- id: price\n    kind", "- id: 嫌贵\n    kind", "playbook.invalid", None, "$.cues[0].id", "go into `title`"),
    ("id: sample", "id: my_team", "playbook.invalid", None, "$.id", "digits and `-`"),
    ("version: 1.0.0", "version: 1.0", "playbook.invalid", None, "$.version", "Put it in quotes"),
    ("language: en\n", "", "playbook.invalid", 1, "$", "`language` is missing"),
    ("    kind: info\n", "", "playbook.invalid", 44, "$.cues[1]", "Add `kind:` with one of"),
    ("{any: [bye]}", "bye", "playbook.invalid", None, "$.ending.phrase", "Write `phrase: {any: ...}`"),
    ("{any: [bye]}", "{any: bye}", "playbook.invalid", None, "$.ending.phrase.any", "`any: [first, second]`"),
    ("{any: [bye]}", "{any: 【bye】}", "playbook.invalid", None, "$.ending.phrase.any", "Write `[`"),
    ("{any: [bye]}", "{any：[bye]}", "playbook.syntax", None, "", "Write `: `"),
    ("[{rep: hello there}", "{rep: hello there}", "playbook.syntax", None, "", ""),
    ("within_s: 20, warn_s", "within_s: 20s, warn_s", "playbook.invalid", None, "$.steps[0].due.within_s", "a unit"),
    ("title: Sample", "title:", "playbook.invalid", None, "$.title", "nothing is not text"),
    (
        "{rep: hello there}",
        "{rep: hello, there}",
        "playbook.unknown_key",
        None,
        "",
        "put text that holds one in quotes",
    ),
    ("interim: true, any: [{", "interim: yes, any: [{", "playbook.invalid", None, "$.signals[0].when.interim", "true"),
    (
        "signal: price, stage: objection",
        "within_s: 2",
        "playbook.invalid",
        None,
        "$.scenarios[0].expect[1]",
        "nothing is",
    ),
    ("no_signal: answer", "no_signal: answer, state: done", "playbook.invalid", None, "", "Name the `step`"),
    # what is not YAML
    ("title: Sample", "title：样板", "playbook.syntax", 4, "", "Write `: `"),
    ("title: Sample", "＃ 说明", "playbook.syntax", 4, "", "`＃` means nothing"),
    ("  - {id: close, t", "\t- {id: close, t", "playbook.syntax", None, "", "a tab"),
    ("  - {id: close, t", "　　- {id: close, t", "playbook.syntax", None, "", "a full-width space"),
    ("  - {id: close, t", "  －{id: close, t", "playbook.syntax", None, "", "Write `- `"),
    ("title: Sample", 'title: "\\d"', "playbook.syntax", 4, "", "single quotes"),
    ("title: Sample", "title: Sales: a sample", "playbook.syntax", 4, "", "in quotes"),
    ("title: Sample", "title: Sample\ntitle: Again", "playbook.syntax", None, "", "line 4"),
    ("    stage: close", "   stage: close", "playbook.syntax", None, "", "same column"),
]


def test_the_sample_is_right():
    playbook = parse_playbook(FULL)
    assert [step.id for step in playbook.steps] == ["greeting", "answer", "ask"]


@pytest.mark.parametrize(("old", "new", "code", "line", "path", "word"), WRONG)
def test_each_mistake_has_its_code_line_and_path(old, new, code, line, path, word):
    with pytest.raises(PlaybookError) as caught:
        parse_playbook(changed(old, new), "book.yaml")
    error = caught.value
    assert error.code == code
    assert error.file == "book.yaml"
    assert error.line in (lines_of(old, new) if line is None else (line,))
    assert path in ("", error.path)
    assert word in str(error)
    assert error.hint or code == "playbook.too_large"


def test_a_quote_that_is_never_closed_is_on_the_line_where_it_opens():
    with pytest.raises(PlaybookError, match="never closed") as caught:
        parse_playbook("a: b\nc: 'd\ne: f\n")
    assert caught.value.line == 2


def test_a_key_that_is_no_word_in_chinese():
    with pytest.raises(PlaybookError, match="Write `: `") as caught:
        parse_playbook(changed("{headline: Value first", "{headline：先讲价值"))
    assert caught.value.code == "playbook.unknown_key"


def lines_of(old, new):
    """The lines on which the change was made."""
    first = FULL[: FULL.index(old)].count("\n") + 1
    return range(first, first + new.count("\n") + 1)


@pytest.mark.parametrize(
    "text", ["", "# only a comment\n", "just words", "[1, 2]", "null", "\ud800", "a: 'x", "- - - ["]
)
def test_no_playbook_at_all(text):
    with pytest.raises(PlaybookError) as caught:
        parse_playbook(text)
    assert caught.value.code in ("playbook.syntax", "playbook.invalid")


def test_too_long_and_too_many():
    for text in ("#" * (MAX_CHARS + 1), "[" + "1," * 100_001 + "1]"):
        with pytest.raises(PlaybookError) as caught:
            parse_playbook(text)
        assert caught.value.code == "playbook.too_large"


def test_what_is_not_written_is_on_the_line_of_what_holds_it():
    source = Source(FULL)
    assert source.line("$.cues[0].ttl_s[3].x") == source.line("$.cues[0]")
    assert source.line("$.nothing") == 1


def test_unquoted_words_stay_words():
    playbook = parse_playbook(changed("[too expensive,", "[no, yes, on, 12:30, 2026-01-01, .nan, 1e3, too expensive,"))
    assert playbook.signals[0].when.any[0].phrase.any[:7] == ("no", "yes", "on", "12:30", "2026-01-01", ".nan", "1e3")


def test_files(tmp_path):
    good = tmp_path / "mine.yaml"
    good.write_text(FULL, encoding="utf-8")
    (tmp_path / "broken.yml").write_bytes(b"\xff\xfe\x00")
    assert load_playbook(good).id == "sample"
    assert find_playbook(str(good)).id == "sample"
    assert find_playbook("mine", str(tmp_path)).id == "sample"
    for name, folder in (
        ("broken", str(tmp_path)),
        (str(tmp_path / "none.yaml"), ""),
        ("mine\0.yaml", ""),
        ("outbound-e", ""),
    ):
        with pytest.raises(PlaybookError) as caught:
            find_playbook(name, folder)
        assert caught.value.code == "playbook.unreadable"
        assert caught.value.hint


def test_a_file_wins_over_a_pack_of_the_same_name(tmp_path):
    (tmp_path / "outbound-en.yaml").write_text(FULL, encoding="utf-8")
    assert find_playbook("outbound-en", str(tmp_path)).id == "sample"
    assert find_playbook("outbound-zh", str(tmp_path)).id == "outbound-zh"


def test_packs_are_found_by_name_and_language():
    assert shipped_packs() == ("outbound-en", "outbound-zh")
    assert find_playbook("", "", "zh").id == "outbound-zh"
    assert find_playbook("", "", "auto").id == "outbound-en"
    assert find_source("outbound-zh").line("$.stages[0].title") == 11
    with pytest.raises(PlaybookError, match="outbound-en"):
        find_playbook("nothing-like-it")


MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, len(FULL)), st.integers(0, 12), st.text(alphabet=" \n-:{}[]'\"&*!|>#,ab1%@?é\t", max_size=6)
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(MUTATIONS)
def test_any_mutation_is_a_playbook_or_a_playbook_error(mutations):
    text = FULL
    for at, removed, added in mutations:
        text = text[:at] + added + text[at + removed :]
    with contextlib.suppress(PlaybookError):
        assert parse_playbook(text, "x.yaml").schema == 1


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_playbook_error(text):
    with pytest.raises(PlaybookError):
        parse_playbook(text)
