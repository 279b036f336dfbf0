"""Hidden Markov processes and their exact beliefs, against enumeration of all hidden paths."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds.training.planted_processes import (
    BACKGROUND_WORDS,
    MESS3_WORDS,
    MOOD_WORDS,
    WIND_WORDS,
    HiddenMarkovProcess,
    filled_simplex_process,
    filter_beliefs,
    mess3_process,
    plane_belief,
    ring_angles,
    ring_process,
    sample_words,
    word_chain,
)

PROCESSES = [
    ring_process(),
    filled_simplex_process(),
    mess3_process(),
    word_chain("kitchen", BACKGROUND_WORDS["kitchen"].split(), seed=3),
]


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
def test_probabilities_add_up(process):
    assert process.initial.sum() == pytest.approx(1)
    np.testing.assert_allclose(process.transition.sum(axis=1), 1)
    np.testing.assert_allclose(process.emission.sum(axis=1), 1)
    assert process.emission.shape == (process.n_states, len(process.words))


def test_no_word_belongs_to_two_processes():
    words = [*WIND_WORDS, *MOOD_WORDS, *" ".join(BACKGROUND_WORDS.values()).split()]
    assert len(set(words)) == len(words)
    assert set(MESS3_WORDS) <= set(MOOD_WORDS)
    assert all(len(text.split()) == 16 for text in BACKGROUND_WORDS.values())


def random_process(rng, n_states, n_words):
    return HiddenMarkovProcess(
        name="random",
        words=tuple(f"w{number}" for number in range(n_words)),
        initial=rng.dirichlet(np.ones(n_states)),
        transition=rng.dirichlet(np.ones(n_states), n_states),
        emission=rng.dirichlet(np.ones(n_words), n_states),
    )


def path_weights(process, words):
    """P(path, words) of every hidden path: the filter's brute-force twin."""
    weights = {}
    for path in product(range(process.n_states), repeat=len(words)):
        weight = process.initial[path[0]] * process.emission[path[0], words[0]]
        for before, state, word in zip(path[:-1], path[1:], words[1:], strict=True):
            weight *= process.transition[before, state] * process.emission[state, word]
        weights[path] = weight
    return weights


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(2, 3), st.integers(2, 4), st.integers(1, 4))
def test_the_filter_is_bayes_rule(seed, n_states, n_words, length):
    rng = np.random.default_rng(seed)
    process = random_process(rng, n_states, n_words)
    words = rng.integers(0, n_words, size=length)
    beliefs, losses = filter_beliefs(process, words[None])
    weights = path_weights(process, words.tolist())
    total = sum(weights.values())
    last = np.array([sum(w for path, w in weights.items() if path[-1] == state) for state in range(n_states)])
    np.testing.assert_allclose(beliefs[0, -1], last / total, rtol=1e-9)
    assert losses[0].sum() == pytest.approx(-np.log(total))


def test_mess3_has_its_entropy_rate():
    process = mess3_process(change=0.05, clarity=0.85)
    words = sample_words(process, n_documents=400, n_words=400, seed=[1])
    losses = filter_beliefs(process, words)[1][:, 50:]
    assert losses.mean() / np.log(2) == pytest.approx(1.145, abs=0.01)
    other = mess3_process(change=0.15, clarity=0.6)
    words = sample_words(other, n_documents=400, n_words=400, seed=[1])
    assert filter_beliefs(other, words)[1][:, 50:].mean() / np.log(2) == pytest.approx(1.571, abs=0.005)


def test_sampling_follows_the_probabilities_and_the_seed():
    process = word_chain("garden", BACKGROUND_WORDS["garden"].split(), seed=5)
    words = sample_words(process, n_documents=500, n_words=200, seed=[7])
    np.testing.assert_array_equal(words, sample_words(process, n_documents=500, n_words=200, seed=[7]))
    assert not np.array_equal(words, sample_words(process, n_documents=500, n_words=200, seed=[8]))
    counts = np.zeros((16, 16))
    np.add.at(counts, (words[:, :-1].ravel(), words[:, 1:].ravel()), 1)
    np.testing.assert_allclose(counts / counts.sum(axis=1, keepdims=True), process.transition, atol=0.03)


def test_a_word_chain_has_four_successors_and_a_uniform_rest():
    process = word_chain("street", BACKGROUND_WORDS["street"].split(), seed=2)
    assert ((process.transition > 0.05 / 16 + 1e-12).sum(axis=1) <= 4).all()
    assert process.transition.min() == pytest.approx(0.05 / 16)


def test_beliefs_of_the_ring_point_where_the_angle_is():
    process = ring_process()
    words = np.repeat(np.arange(16)[:, None], 30, axis=1)
    beliefs = plane_belief(filter_beliefs(process, words)[0])[:, -1]
    np.testing.assert_allclose(np.arctan2(beliefs[:, 1], beliefs[:, 0]) % (2 * np.pi), ring_angles(16), atol=1e-6)
    assert (np.hypot(*beliefs.T) > 0.8).all()
