from __future__ import annotations

from pathlib import Path

from copilot.review.model import CardLatency
from copilot.review.report import make_report
from copilot.review.wording import FINDINGS, WORDS
from tests.review.calls import ENGLISH, english, info

DOCS = Path(__file__).parents[2] / "docs"


def test_every_measure_and_finding_is_documented_and_has_a_name():
    report = make_report(info(), ENGLISH, english())
    measures = {*report.talk.measures, report.objection_recovery.name}
    measures |= {m.name for m in (report.procedure.coverage, report.procedure.order, report.procedure.timeliness)}
    reference = (DOCS / "reference" / "metrics.md").read_text(encoding="utf-8")
    explanation = (DOCS / "explanation" / "report.md").read_text(encoding="utf-8")
    assert [name for name in (*measures, *CardLatency.__struct_fields__) if f"`{name}`" not in reference] == []
    assert [code for code in FINDINGS if f"`{code}`" not in explanation] == []
    assert {*report.talk.measures, *CardLatency.__struct_fields__} <= set(WORDS)


def test_every_measure_belongs_to_one_group():
    talk = make_report(info(), ENGLISH, english()).talk
    grouped = [*talk.groups.listening, *talk.groups.stating, *talk.groups.asking, *talk.groups.flow]
    assert sorted(grouped) == sorted(talk.measures)
