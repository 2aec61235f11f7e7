"""Labelled lines: the corpus, lines of others to test on, and talk in which nothing is to be found."""

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path

LABELS = {
    "customer": (
        "objection.price",
        "objection.no_need",
        "objection.have_one",
        "objection.competitor",
        "objection.not_now",
        "objection.trust",
        "objection.authority",
        "objection.send_info",
        "objection.complaint",
        "signal.buying",
        "signal.question",
    ),
    "rep": (
        "opening.intro",
        "opening.recording_notice",
        "opening.permission",
        "rapport.small_talk",
        "discovery.need_question",
        "discovery.budget_question",
        "pitch.value",
        "trial_close.check",
        "objection.handled",
        "close.ask",
        "close.next_step",
        "close.recap",
        "compliance.forbidden",
    ),
}
TURNS_PER_HOUR = 350
"""Utterances in an hour of a customer's own talk (some 10 s each, pauses to the next included)."""
CURATED = "curated"
"""Lines written after looking at errors: they train, but no figure is measured on them."""


@dataclass(frozen=True)
class Line:
    text: str
    language: str
    speaker: str
    author: str
    labels: frozenset[str] = field(default_factory=frozenset)


def read_corpus(folder: Path) -> list[Line]:
    """Every ``<language>/<author>.txt``; raises ValueError naming the file and line of a wrong header."""
    return [line for path in sorted(folder.glob("*/*.txt")) for line in read_author(path)]


def read_author(path: Path) -> list[Line]:
    lines: list[Line] = []
    speaker, labels = "", frozenset[str]()
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = text.strip()  # noqa: PLW2901
        if text.startswith("@"):
            speaker, *names = text[1:].split()
            labels = frozenset(names) - {"none"}
            if speaker not in LABELS or not names or not labels <= set(LABELS[speaker]):
                raise ValueError(f"{path}:{number}: unknown speaker or label: {text}")
        elif text and not text.startswith("#"):
            if not speaker:
                raise ValueError(f"{path}:{number}: a line before the first header")
            lines.append(Line(text, path.parent.name, speaker, path.stem, labels))
    return lines


ACCEPTED = {
    "obj_price": ("objection.price",),
    "obj_no_need": ("objection.no_need",),
    "obj_have_one": ("objection.have_one",),
    "obj_competitor": ("objection.competitor",),
    "obj_not_now": ("objection.not_now",),
    "obj_trust": ("objection.trust",),
    "obj_authority": ("objection.authority",),
    "obj_complaint": ("objection.complaint",),
    "buy_signal": ("signal.buying",),
    "sop_opening": ("opening.intro", "opening.permission"),
    "sop_consent": ("opening.recording_notice", "opening.permission"),
    "sop_discovery": ("discovery.need_question", "discovery.budget_question"),
    "sop_value": ("pitch.value",),
    "sop_trial_close": ("trial_close.check", "close.ask"),
    "sop_objection_handling": ("objection.handled",),
    "sop_closing": ("close.next_step", "close.recap", "close.ask"),
    "forbidden": ("compliance.forbidden",),
}
"""What the labels of the development lines are called here."""


def accepted(name: str) -> tuple[str, ...]:
    """The labels of ours that are right for a line labelled ``name``; none for a line that must stay silent."""
    return ACCEPTED.get(name, (name,) if name in {*LABELS["customer"], *LABELS["rep"]} else ())


def read_lines(path: Path) -> list[Line]:
    """JSON lines ``{text, lang, speaker, label}`` with our labels or those of ``ACCEPTED``; any other label is none."""
    rows = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]
    return [
        Line(
            row["text"],
            row["lang"],
            "customer" if row["speaker"] == "customer" else "rep",
            path.stem,
            frozenset({row["label"]} if accepted(row["label"]) else ()),
        )
        for row in rows
    ]


MEANT = frozenset(
    {
        "agree-donation",
        "ask-donation-amount",
        "ask-donation-procedure",
        "ask-org-info",
        "ask-persuader-donation-intention",
        "confirm-donation",
        "disagree-donation",
        "disagree-donation-more",
        "disputecharge",
        "negative-reaction-to-donation",
        "positive-reaction-to-donation",
        "provide-donation-amount",
        "task-related-inquiry",
    }
)
"""Acts which, by the annotators, refuse, ask about, complain of or agree to what was offered: signals in truth."""


def read_background(folder: Path) -> list[Line]:
    """Turns of unrelated dialogues, one "author" each; a line whose act is in ``MEANT`` says so in its labels."""
    lines = [
        _turn(row["text"], "en", "p4g " + row["dialog_id"], row["label1"])
        for row in _rows(folder / "persuasionforgood_annotated_dev.tsv")
        if row["role"] == "persuadee"
    ]
    lines += [
        _turn(row["utterance"], "en", "multidogo " + row["conversationId"], row["intent"])
        for name in ("finance", "insurance")
        for row in _rows(folder / f"multidogo_{name}_turn_dev.tsv")
    ]
    with (folder / "cped_valid_zh_spoken_background.csv").open(encoding="utf-8-sig", newline="") as file:
        lines += [
            _turn(row["Utterance"], "zh", "cped " + row["Dialogue_ID"], row["DA"]) for row in csv.DictReader(file)
        ]
    return [line for line in lines if line.text]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _turn(text: str, language: str, dialogue: str, act: str) -> Line:
    return Line(text or "", language, "customer", dialogue, frozenset({"meant"} if act in MEANT else ()))
