"""What was really said in a synthetic call: the JSON file beside the recording. Times are seconds of media time."""

from __future__ import annotations

from pathlib import Path

import msgspec

SPEAKERS = {"agent": "rep", "customer": "customer"}
"""The files' names for speakers, and ours."""
CUES = ("objection", "compliance")
NOT_A_CUE = "objection.handled"
"""A step of the rep."""


class Phrase(msgspec.Struct, frozen=True):
    start: float
    end: float
    labels: list[str] = []
    speaker: str = ""
    text: str = ""
    hard_negative_for: list[str] = []


class Utterance(msgspec.Struct, frozen=True):
    speaker: str
    start: float
    end: float
    text: str
    phrases: list[Phrase] = []
    backchannel: bool = False


class Truth(msgspec.Struct, frozen=True):
    lang: str
    duration_s: float
    utterances: list[Utterance]
    sop: dict[str, float | None] = {}

    @property
    def speech_s(self) -> float:
        """Seconds of speech, both speakers."""
        return sum(utterance.end - utterance.start for utterance in self.utterances)

    @property
    def labelled(self) -> list[Phrase]:
        """Phrases that a cue or step may come from."""
        return [
            msgspec.structs.replace(phrase, speaker=utterance.speaker)
            for utterance in self.utterances
            for phrase in utterance.phrases
            if phrase.labels
        ]

    @property
    def cues(self) -> set[str]:
        """Labels for which a card is wanted."""
        labels = {label for phrase in self.labelled for label in phrase.labels}
        return {label for label in labels if label.split(".")[0] in CUES} - {NOT_A_CUE}

    @property
    def steps(self) -> set[str]:
        """Steps that were done."""
        return {step for step, end in self.sop.items() if end is not None}

    def said_by(self, speaker: str) -> str:
        return "\n".join(utterance.text for utterance in self.utterances if utterance.speaker == speaker)

    def until(self, seconds: float) -> Truth:
        """What was over by then."""
        return msgspec.structs.replace(
            self,
            duration_s=min(self.duration_s, seconds),
            utterances=[utterance for utterance in self.utterances if utterance.end <= seconds],
            sop={step: end if end is not None and end <= seconds else None for step, end in self.sop.items()},
        )


def load_truth(path: Path) -> Truth:
    """Speakers come out under our names. Raises msgspec.ValidationError for a file that is something else."""
    truth = msgspec.json.decode(path.read_bytes(), type=Truth)
    utterances = [
        msgspec.structs.replace(utterance, speaker=SPEAKERS.get(utterance.speaker, utterance.speaker))
        for utterance in truth.utterances
    ]
    return msgspec.structs.replace(truth, utterances=utterances)
