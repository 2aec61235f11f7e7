"""Small playbooks for the listener's tests, and an encoder made of word counts."""

import numpy as np

from copilot.events import Utterance
from copilot.playbook.compile import compile_playbook
from copilot.playbook.load import parse_playbook
from copilot.signals.listener import Listener, prepare

HEAD = """
schema: 1
id: test
version: 1.0.0
title: Test
language: {language}
stages: [{{id: opening, title: Opening}}, {{id: close, title: Close}}]
"""


def plan(rest, language="en"):
    return compile_playbook(parse_playbook(HEAD.format(language=language) + rest))


def encode(texts):
    """A bag of words hashed into 512 places: enough of a meaning for tests."""
    vectors = np.zeros((len(texts), 512), np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().replace(",", " ").replace(".", " ").split():
            vectors[row, sum(map(ord, word)) * 31 % 512] += 1
    return vectors


def listener(rest, language="en", encoder=None, intents=None, **context):
    made = plan(rest, language)
    return Listener(made, prepare(made, encoder, intents), context=context)


def said(text, id_="u1", speaker="customer", is_final=True):
    return Utterance(id=id_, speaker=speaker, start_ms=0, end_ms=2000, text=text, is_final=is_final)


def labels(ear, text, stage="opening", **kwargs):
    return [signal.label for signal in ear.hear(said(text, **kwargs), stage=stage).signals]
