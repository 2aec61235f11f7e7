from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from copilot.errors import UsageError
from copilot.review.markdown import escaped
from copilot.review.page import policy, render_html, render_markdown
from copilot.review.report import make_report
from copilot.review.wording import FINDINGS, LABELS, WORDS, clock, length, severity_rank, word
from copilot.wire import messages as wire
from tests.review.calls import CHINESE, ENGLISH, Log, chinese, english, hostile, info

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Outline(HTMLParser):
    """Checks that tags are balanced; keeps ids, links and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.stack.pop()

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag


CALLS = {"solar": (ENGLISH, english), "gym": (CHINESE, chinese), "hostile": (ENGLISH, hostile)}


def page(name: str, language: str = "en", audio_url: str = "") -> str:
    playbook, call = CALLS[name]
    return render_html(make_report(info(rep_id="<i>"), playbook, call()), language=language, audio_url=audio_url)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_pages_are_well_formed_and_run_nothing(name, language):
    outline = Outline(page(name, language, "/v1/calls/x/audio"))
    assert not outline.tags & {"script", "img", "iframe", "object", "form", "link", "i"}
    assert not {name for name in outline.attributes if name.startswith("on") or name == "style"}
    assert len(outline.ids) == len(set(outline.ids))
    inside = {link.removeprefix("#") for link in outline.links if link.startswith("#")}
    assert inside
    assert inside <= set(outline.ids)


def test_with_audio_every_line_plays_from_its_start():
    report = make_report(info(), ENGLISH, english())
    links = Outline(render_html(report, language="en", audio_url="a.flac?x=1&y=2#old")).links
    assert "a.flac?x=1&y=2#old" in links
    assert {f"a.flac?x=1&y=2#t={line.start_ms / 1000:.1f}" for line in report.transcript} <= set(links)
    assert "<audio" not in render_html(report, language="en")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "JaVaScRiPt:x",
        "http://a;script-src *",
        "http://a;b/",
        "a b",
        "a\nb",
        "//a'b/",
    ],
)
def test_an_audio_url_that_could_do_harm_is_refused(url):
    with pytest.raises(UsageError) as caught:
        page("solar", audio_url=url)
    assert caught.value.code == "report.audio_url"


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("", None),
        ("/audio.flac", "'self'"),
        ("https://h.example:8/a", "https://h.example:8"),
        ("//h.example/a", "h.example"),
        ("blob:https://x/1", "blob:"),
    ],
)
def test_the_policy_lets_in_the_audio_and_nothing_else(url, source):
    rules = policy(url).split("; ")
    assert rules[0] == "default-src 'none'"
    assert [rule for rule in rules if rule.startswith("media-src")] == ([f"media-src {source}"] if source else [])
    assert "unsafe" not in policy(url)


def test_markdown_cannot_be_forged():
    report = make_report(info(), ENGLISH, hostile())
    text = render_markdown(report, "en")
    assert "<" not in text.replace("\\<", "")
    assert "**too**" not in text
    assert escaped("a|b\n# c") == "a\\|b \\# c"


def test_the_name_of_a_stage_too_short_to_hold_it_is_left_to_its_tooltip():
    log = Log()
    log.stage("opening", at_s=0)
    log.stage("rapport", at_s=1)
    text = render_html(make_report(info(), ENGLISH, log.end(100)), language="en")
    assert text.count('class="stage"') == 2
    assert text.count('class="stagename"') == 1


def test_a_card_used_but_not_acted_on_is_not_counted_as_acted_on():
    assert "0 acted on" in page("solar")
    assert "1 acted on" in page("gym")


def test_held_back_cards_and_long_evidence_fold_away():
    assert "Held back (2)" in page("solar")
    assert re.search(r"<summary>\+ \d+</summary>", page("solar"))


def test_steps_ticked_by_hand_and_notes_without_words_are_shown():
    log = Log()
    log.rep(0, 1, "Hello there.")
    log.step("opening.intro", "done", by="ann")
    log.put(wire.MarkSet, label="", set_by="ann")
    text = render_html(make_report(info(), ENGLISH, log.end(2)), language="en")
    assert "ticked by ann" in text
    assert "<div>Mark</div>" in text


def test_every_text_exists_in_both_languages_with_the_same_blanks():
    def blanks(text):
        return set(re.findall(r"\{(\w+)\}", text))

    for en, zh in (*WORDS.values(), *LABELS.values()):
        assert all((en, zh))
        assert blanks(en) == blanks(zh)
    for title_en, title_zh, advice_en, advice_zh in FINDINGS.values():
        assert blanks(title_en) == blanks(title_zh)
        assert blanks(advice_en) == blanks(advice_zh)


@pytest.mark.parametrize(
    ("ms", "shown"), [(0, "0:00"), (7_999, "0:07"), (754_000, "12:34"), (3_723_000, "1:02:03"), (14_400_000, "4:00:00")]
)
def test_moments(ms, shown):
    assert clock(ms) == shown


@pytest.mark.parametrize(
    ("ms", "en", "zh"), [(340, "340 ms", "340 毫秒"), (8_200, "8.2 s", "8.2 秒"), (80_400, "1 min 20 s", "1 分 20 秒")]
)
def test_lengths(ms, en, zh):
    assert (length(ms, "en"), length(ms, "zh")) == (en, zh)


def test_words_outside_the_table_stand_for_themselves():
    assert word("house.rule", "zh") == "house.rule"
    assert [severity_rank(name) for name in ("high", "medium", "low")] == [0, 1, 2]
