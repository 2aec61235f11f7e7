"""Two hundred spoilt playbooks: each is refused with its line, or is a playbook; none is a traceback."""

from __future__ import annotations

import random

import pytest

from copilot.backtest.runs import Bench
from copilot.errors import CopilotError, PlaybookError
from copilot.playbook.lint import lint
from copilot.playbook.load import find_source, interpret
from copilot.playbook.source import Source
from copilot.store.shelf import Shelf
from tests.call.rig import PLAYBOOK, run, talk
from tests.playbook.samples import FULL

JUNK = [
    "{",
    "]",
    ": :",
    "- -",
    "null",
    "9e99",
    "-1",
    "'",
    "!!python/object:os.system x",
    "&a *a",
    "\t",
    "\x00",
    "表",
    "{any: []}",
]


def spoilt(text: str, chance: random.Random) -> str:
    """``text`` with one to three things wrong with it."""
    lines = text.splitlines()
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(lines))
        lines[at] = chance.choice(HARM)(lines[at], chance, lines)
    return "\n".join(lines)


HARM = [
    lambda here, chance, lines: "",
    lambda here, chance, lines: here + "\n" + here,
    lambda here, chance, lines: " " * chance.randint(0, 9) + here.lstrip(),
    lambda here, chance, lines: here.partition(":")[0] + ": " + chance.choice(JUNK),
    lambda here, chance, lines: here.replace("a", chance.choice("ezx_"), 1),
    lambda here, chance, lines: here[: chance.randint(0, len(here))],
    lambda here, chance, lines: here + chance.choice(JUNK),
    lambda here, chance, lines: lines[chance.randrange(len(lines))],
    lambda here, chance, lines: here.replace(": {", ": [", 1),
]
BASES = {"everything": FULL, "small": PLAYBOOK, "shipped": find_source("outbound-zh").text}


@pytest.mark.parametrize(("base", "number"), [("everything", 120), ("small", 60), ("shipped", 20)])
def test_a_spoilt_playbook_says_where_it_is_wrong(base, number):
    refused = []
    for seed in range(number):
        text = spoilt(BASES[base], random.Random(f"{base}{seed}"))
        try:
            source = Source(text, "spoilt.yaml")
            book = interpret(source)
        except PlaybookError as error:
            refused.append(error)
            continue
        assert all(finding.line >= 1 for finding in lint(book, source))
        Bench(None).setup(book)
    assert len(refused) > number // 4
    for error in (each for first in refused for each in first.all):
        assert error.file == "spoilt.yaml"
        assert error.line >= 1, str(error)
        assert error.path.startswith("$") or error.code == "playbook.syntax", str(error)


def test_a_broken_playbook_published_meanwhile_disturbs_nothing(tmp_path):
    """The call goes on, and the one published before stays published."""
    shelf = Shelf(tmp_path)
    good = shelf.put(PLAYBOOK, "published", at="2026-01-01T00:00:00.000Z")

    def script():
        for number, (at, event) in enumerate(talk([(1.0, None), (3.0, 1), (4.0, None)])):
            if number % 50 == 0:
                with pytest.raises(CopilotError):
                    shelf.put(spoilt(PLAYBOOK, random.Random(1)) + "\n: [", "published", at="2026-01-01T00:00:01.000Z")
            yield at, event

    undisturbed, _ = run(talk([(1.0, None), (3.0, 1), (4.0, None)]), {1: ["that is too expensive"]})
    messages, _ = run(script(), {1: ["that is too expensive"]})
    assert messages == undisturbed
    assert shelf.versions() == (good,)
    assert shelf.text(good) == PLAYBOOK
