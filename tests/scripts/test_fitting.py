"""The training of the intents: shortcuts give what the long way gives, and thresholds keep their budget."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from scripts.training import fitting
from scripts.training.corpus import Line, accepted
from tests.fakes import FakeIntents
from tests.signals.plans import encode, listener, said

AUTHORS = ("ann", "bob", "cid")


@pytest.fixture(scope="module")
def texts() -> fitting.Texts:
    """Thirty lines of three authors. Half have a clause besides; of the last six only that is heard."""
    rng = np.random.default_rng(3)
    lines = [Line(f"line {at}", "en", "customer", AUTHORS[at % 3]) for at in range(30)]
    clauses = np.arange(30, 45)
    owner = np.concatenate([np.arange(24), np.arange(15, 30)])
    runs = scipy.sparse.csr_matrix(rng.random((45, 12)).astype(np.float32))
    waves = rng.standard_normal((45, 8)).astype(np.float32)
    return fitting.Texts(lines, np.arange(30), np.concatenate([np.arange(24), clauses]), owner, waves, runs)


LINES = [
    ("en", "That's too dear. Thanks, bye!"),
    ("en", "Scam?"),
    ("en", "Um, uh."),
    ("en", "Look, I have been with them for years now, they know me, and honestly the price they ask is fair enough."),
    ("zh", "嗯，太贵了吧？我再考虑考虑。"),
    ("zh", "我们家这个保险买了好多年了，一直都是老张帮我弄的，说实话我也不想再折腾了，你就别打了。"),
    ("zh", "嗯嗯。"),
]


@pytest.mark.parametrize(("language", "text"), LINES)
def test_a_line_is_scored_by_what_the_listener_asks_about(language: str, text: str) -> None:
    ear = listener("signals: [{id: x, when: {intent: {label: objection.price}}}]", language, encode, FakeIntents({}))
    line = Line(text, language, "customer", "ann")
    assert fitting.heard(line) == list(ear.hear(said(text), stage="opening").embed)


def test_what_is_not_heard_gives_no_score(texts: fitting.Texts) -> None:
    scores = np.arange(45, dtype=np.float32)[:, None]
    assert texts.best(scores)[:, 0].tolist() == [*range(15), *range(30, 45)]
    scores[24:30] = 100
    assert texts.best(scores).max() == 44


def test_leaving_an_author_out_is_training_without_their_lines(texts: fitting.Texts) -> None:
    wanted = (np.random.default_rng(4).random((30, 2)) < 0.4).astype(np.float32)
    scores = fitting.Ridge.solve(texts, wanted).left_out_scores(AUTHORS)
    names = np.array([line.author for line in texts.lines])
    kernel = fitting.likeness(texts, np.arange(45), texts.whole)
    for author in AUTHORS:
        rest = names != author
        ridge = kernel[np.ix_(texts.whole[rest], np.flatnonzero(rest))] + fitting.RIDGE * np.eye(rest.sum())
        alone = kernel[:, np.flatnonzero(rest)] @ np.linalg.solve(ridge, wanted[rest] * 2 - 1)
        assert scores[~rest] == pytest.approx(texts.best(alone)[~rest], abs=1e-3)


def test_the_shipped_form_scores_like_the_kernel(texts: fitting.Texts) -> None:
    wanted = (np.random.default_rng(5).random((30, 2)) < 0.4).astype(np.float32)
    kernel = fitting.likeness(texts, np.arange(45), texts.whole)
    dual = kernel @ (fitting.inverse(kernel[texts.whole]) @ (wanted * 2 - 1))
    shipped = fitting.Linear.of(fitting.Ridge.solve(texts, wanted))
    assert shipped.score(texts) == pytest.approx(texts.best(dual), abs=1e-3)


@given(budget=st.floats(1.0, 60.0), seed=st.integers(0, 50))
def test_thresholds_keep_the_budget(budget: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wanted = (rng.random((200, 3)) < 0.3).astype(np.float32)
    chances = np.clip(0.6 * wanted + 0.4 * rng.random((200, 3)), 0, 1).astype(np.float32)
    background = (rng.random((300, 3)) ** 3).astype(np.float32)
    at = fitting.operate(chances, wanted, background, hours=10.0, budget=budget)
    assert np.isin(at, fitting.GRID.astype(np.float32)).all()
    if not np.allclose(at, fitting.GRID[-1]):  # nothing stricter is left
        assert fitting.firing(background, at).max(axis=1).sum() / 10.0 <= budget + 1e-6


def test_lines_of_others_may_have_our_labels_or_their_own() -> None:
    assert accepted("objection.price") == accepted("obj_price") == ("objection.price",)
    assert accepted("neutral_agent") == accepted("none") == ()
