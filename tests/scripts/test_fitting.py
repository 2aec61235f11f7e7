"""The training of the intents: shortcuts give what the long way gives, and thresholds keep their budget."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from scripts.training import fitting
from scripts.training.corpus import Line, accepted

AUTHORS = ("ann", "bob", "cid")


@pytest.fixture(scope="module")
def texts() -> fitting.Texts:
    """Thirty lines of three authors; every second line has a clause of its own."""
    rng = np.random.default_rng(3)
    lines = [Line(f"line {at}", "en", "customer", AUTHORS[at % 3]) for at in range(30)]
    owner = np.repeat(np.arange(30), [1 + at % 2 for at in range(30)])
    runs = scipy.sparse.csr_matrix(rng.random((len(owner), 12)).astype(np.float32))
    waves = rng.standard_normal((len(owner), 8)).astype(np.float32)
    return fitting.Texts(lines, owner, np.searchsorted(owner, np.arange(30)), waves, runs)


def test_leaving_an_author_out_is_training_without_their_lines(texts: fitting.Texts) -> None:
    wanted = (np.random.default_rng(4).random((30, 2)) < 0.4).astype(np.float32)
    scores = fitting.left_out_scores(texts, wanted, AUTHORS)
    names = np.array([line.author for line in texts.lines])
    kernel = fitting.likeness(texts, np.arange(len(texts.owner)), texts.first)
    for author in AUTHORS:
        rest = names != author
        ridge = kernel[np.ix_(texts.first[rest], np.flatnonzero(rest))] + fitting.RIDGE * np.eye(rest.sum())
        alone = kernel[:, np.flatnonzero(rest)] @ np.linalg.solve(ridge, wanted[rest] * 2 - 1)
        assert scores[~rest] == pytest.approx(texts.best(alone)[~rest], abs=1e-3)


def test_the_shipped_form_scores_like_the_kernel(texts: fitting.Texts) -> None:
    wanted = (np.random.default_rng(5).random((30, 2)) < 0.4).astype(np.float32)
    kernel = fitting.likeness(texts, np.arange(len(texts.owner)), texts.first)
    dual = kernel @ (fitting.inverse(kernel[texts.first]) @ (wanted * 2 - 1))
    assert fitting.fit(texts, wanted).score(texts) == pytest.approx(texts.best(dual), abs=1e-3)


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
