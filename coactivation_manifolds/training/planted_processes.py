"""Hidden Markov processes whose exact beliefs are known: a ring, a simplex, and plain word chains as background.

Each process emits one word a step from its hidden state and then moves on. The belief of a perfect observer (the
posterior over hidden states given the words so far) follows from Bayes' rule; it is what a language model trained on
the words has to carry in its residual stream to predict the next one (Shai et al. 2024, "Transformers represent belief
state geometry in their residual stream").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

WIND_WORDS = (
    "north",
    "north-north-east",
    "north-east",
    "east-north-east",
    "east",
    "east-south-east",
    "south-east",
    "south-south-east",
    "south",
    "south-south-west",
    "south-west",
    "west-south-west",
    "west",
    "west-north-west",
    "north-west",
    "north-north-west",
)
MOOD_WORDS = ("calm", "content", "cheerful", "joyful", "excited", "restless", "angry", "grumpy", "tired")
MESS3_WORDS = ("calm", "joyful", "angry")
BACKGROUND_WORDS = {
    "kitchen": "bread butter kettle spoon plate salt pepper oven flour sugar soup onion garlic pan bowl cup",
    "garden": "rose soil spade seed fence lawn hedge tulip worm rake bucket ivy moss pond bench shed",
    "street": "bus tram lamp kerb shop sign bicycle bridge corner crossing taxi bakery poster gate window square",
    "school": "pencil paper chalk desk ruler lesson bell book teacher pupil map globe sum essay exam recess",
}


@dataclass(frozen=True, kw_only=True)
class HiddenMarkovProcess:
    """A hidden Markov process over words.

    Attributes
    ----------
    name
        Name of the process.
    words
        The words it emits.
    initial
        Probability of each hidden state at the first word, float64 [n_states].
    transition
        Probability of the next state (column) given the present one (row), float64 [n_states, n_states].
    emission
        Probability of each word given the state that emits it, float64 [n_states, n_words].

    """

    name: str
    words: tuple[str, ...]
    initial: FloatArray
    transition: FloatArray
    emission: FloatArray

    @property
    def n_states(self) -> int:
        """Number of hidden states."""
        return len(self.initial)


def ring_process(*, n_angles: int = 24, concentration: float = 3.0, stay: float = 0.5) -> HiddenMarkovProcess:
    """A hidden angle that drifts round the compass: "wind".

    The angle starts anywhere, stays with probability ``stay`` and else moves one of ``n_angles`` steps either way. A
    compass word at angle phi is emitted with probability proportional to exp(concentration cos(theta - phi)), so
    likelihoods add as vectors in the plane and the exact belief (E cos, E sin) lies near a circle.
    """
    angles = ring_angles(n_angles)
    step = np.eye(n_angles)
    side = (1.0 - stay) / 2.0
    transition = stay * step + side * np.roll(step, 1, axis=1) + side * np.roll(step, -1, axis=1)
    return HiddenMarkovProcess(
        name="wind",
        words=WIND_WORDS,
        initial=np.full(n_angles, 1.0 / n_angles),
        transition=transition,
        emission=_von_mises(angles, ring_angles(len(WIND_WORDS)), concentration),
    )


def ring_angles(n_angles: int) -> FloatArray:
    """``n_angles`` equally spaced angles in radians, from 0, float64 [n_angles]."""
    return 2.0 * np.pi * np.arange(n_angles) / n_angles


def filled_simplex_process(*, change: float = 0.04, concentration: float = 1.3) -> HiddenMarkovProcess:
    """Three hidden moods whose beliefs fill the triangle: "mood".

    ``change`` is the probability of moving to each of the other two states at a step. Nine words stand round a circle
    with the states at 0, 3 and 6; each is emitted with probability proportional to exp(concentration cos(distance)).
    """
    return HiddenMarkovProcess(
        name="mood",
        words=MOOD_WORDS,
        initial=np.full(3, 1.0 / 3.0),
        transition=_three_states(change),
        emission=_von_mises(ring_angles(3), ring_angles(len(MOOD_WORDS)), concentration),
    )


def mess3_process(*, change: float = 0.05, clarity: float = 0.85) -> HiddenMarkovProcess:
    """Mess3, the three-state process whose beliefs form a fractal in the triangle (Marzen and Crutchfield 2017).

    ``change`` is x and ``clarity`` is alpha of the usual notation: a state emits its own word with probability alpha,
    each other word with (1 - alpha) / 2. The entropy rate at x = 0.05, alpha = 0.85 is 1.145 bits.
    """
    other = (1.0 - clarity) / 2.0
    return HiddenMarkovProcess(
        name="mood",
        words=MESS3_WORDS,
        initial=np.full(3, 1.0 / 3.0),
        transition=_three_states(change),
        emission=np.full((3, 3), other) + (clarity - other) * np.eye(3),
    )


def word_chain(
    name: str, words: Sequence[str], *, seed: int, n_successors: int = 4, uniform: float = 0.05
) -> HiddenMarkovProcess:
    """A Markov chain over words with nothing hidden: the background.

    Each word has ``n_successors`` successors with Dirichlet(1) probabilities, mixed with a share ``uniform`` of all
    words.
    """
    rng = np.random.default_rng(seed)
    n_words = len(words)
    transition = np.full((n_words, n_words), uniform / n_words)
    for word in range(n_words):
        successors = rng.choice(n_words, size=n_successors, replace=False)
        transition[word, successors] += (1.0 - uniform) * rng.dirichlet(np.ones(n_successors))
    return HiddenMarkovProcess(
        name=name,
        words=tuple(words),
        initial=np.full(n_words, 1.0 / n_words),
        transition=transition,
        emission=np.eye(n_words),
    )


def sample_words(process: HiddenMarkovProcess, *, n_documents: int, n_words: int, seed: Sequence[int]) -> IntArray:
    """Draw documents: indices into ``process.words``, int64 [n_documents, n_words]."""
    rng = np.random.default_rng(seed)
    cumulative_transition = np.cumsum(process.transition, axis=1)
    cumulative_emission = np.cumsum(process.emission, axis=1)
    documents = np.empty((n_documents, n_words), dtype=np.int64)
    state = _draw(np.broadcast_to(np.cumsum(process.initial), (n_documents, process.n_states)), rng)
    for position in range(n_words):
        if position:
            state = _draw(cumulative_transition[state], rng)
        documents[:, position] = _draw(cumulative_emission[state], rng)
    return documents


def filter_beliefs(process: HiddenMarkovProcess, documents: IntArray) -> tuple[FloatArray, FloatArray]:
    """The exact Bayes filter over documents of one process.

    Parameters
    ----------
    process
        The process that the documents come from.
    documents
        Indices into ``process.words``, int64 [n_documents, n_words].

    Returns
    -------
    beliefs
        P(state at word t | words 0..t), float64 [n_documents, n_words, n_states].
    losses
        -ln P(word t | words 0..t-1), in nats, float64 [n_documents, n_words]: no model can predict better on average.

    """
    n_documents, n_words = documents.shape
    beliefs = np.empty((n_documents, n_words, process.n_states))
    losses = np.empty((n_documents, n_words))
    prior = np.broadcast_to(process.initial, (n_documents, process.n_states))
    for position in range(n_words):
        if position:
            prior = beliefs[:, position - 1] @ process.transition
        joint = prior * process.emission[:, documents[:, position]].T
        evidence = joint.sum(axis=1)
        beliefs[:, position] = joint / evidence[:, None]
        losses[:, position] = -np.log(evidence)
    return beliefs, losses


def plane_belief(beliefs: FloatArray) -> FloatArray:
    """(E cos, E sin) of the hidden angle under beliefs over equally spaced angles: [..., n_states] to [..., 2]."""
    angles = ring_angles(beliefs.shape[-1])
    return np.stack([beliefs @ np.cos(angles), beliefs @ np.sin(angles)], axis=-1)


def _three_states(change: float) -> FloatArray:
    return np.full((3, 3), change) + (1.0 - 3.0 * change) * np.eye(3)


def _von_mises(states: FloatArray, words: FloatArray, concentration: float) -> FloatArray:
    weights = np.exp(concentration * np.cos(states[:, None] - words[None, :]))
    return weights / weights.sum(axis=1, keepdims=True)


def _draw(cumulative: FloatArray, rng: np.random.Generator) -> IntArray:
    """One draw from each row of cumulative probabilities."""
    uniform = rng.random(len(cumulative))[:, None] * cumulative[:, -1:]
    return np.minimum((cumulative <= uniform).sum(axis=1), cumulative.shape[1] - 1)
