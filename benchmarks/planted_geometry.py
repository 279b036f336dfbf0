"""Worlds with planted geometry: vectors in R^d, their sparse code, and what is true of it.

A world is one experiment: its own ambient dimension, noise and kind of code, some shapes, twice as many clusters that
are none, and background latents whose rates have a long tail. Documents come one after the other; a group is silent in
most of them. Seeds 0 to 999 were used to tune; results are of other seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from planted_codes import Group, activate, choose_bias, embed_group, fit_scales, read_out
from planted_manifolds import ARCS, BLOBS, MIXTURES
from synthetic_activations import Workload, plan_sources

Array = npt.NDArray[Any]

CODES = ("relu", "jumprelu", "topk")
DIMENSIONS = (64, 128, 256)
ROWS = ("orthogonal", "similar", "negative")
NOISE = 0.2
TRUTHS = {"circle": "circle", "arc": "curve", "line": "curve", "simplex": "simplex", "helix": "helix"}
SHAPES = ("circle", "arc", "simplex", "helix", "line", "circle", "simplex", "arc", "simplex", "circle", "helix", "line")
NEGATIVES = ("blob", "mixture", "blob", "mixture", "blob", "mixture", "sheet", "blob", "mixture")
HARDER = ("noise", "few points", "overlap")
DOCUMENT, AWAKE = 250, 0.4  # tokens of a document; share of documents in which a group is there at all


@dataclass(frozen=True)
class WorldPlan:
    """What a world holds.

    Attributes
    ----------
    number, seed
        Together they decide everything.
    d, code
        Ambient dimension; relu, jumprelu or topk.
    n_tokens, n_background
        Tokens, and latents of one direction each.
    groups
        What is planted.

    """

    number: int
    seed: int
    d: int
    code: str
    n_tokens: int
    n_background: int
    groups: tuple[Group, ...]


class World(NamedTuple):
    """A world's activations.

    Attributes
    ----------
    plan
        What was planted.
    activations
        float16 [n_tokens, n_latents].
    decoder
        float32 [n_latents, d], rows of norm 1.
    members
        int64 arrays: the latents of each group of the plan.

    """

    plan: WorldPlan
    activations: Array
    decoder: Array
    members: list[Array]


class Scene(NamedTuple):
    """Vectors of a world before any code.

    Attributes
    ----------
    vectors
        float32 [n_tokens, d].
    there
        bool [n_tokens] of each source: groups, then background.
    encoder, decoder
        float32 [n_latents, d].
    shares
        float64 [n_latents]: share of its source's tokens on which a latent is to fire.
    source
        int64 [n_latents].

    """

    vectors: Array
    there: list[Array]
    encoder: Array
    decoder: Array
    shares: Array
    source: Array


def plan_world(number: int, *, seed: int, n_tokens: int = 50_000, n_background: int = 150) -> WorldPlan:
    """Nine shapes at moderate noise, two harder ones, and seventeen negatives.

    Codes, dimensions and kinds go round with the number: 24 worlds hold 216 + 48 shapes and 408 negatives. In 64
    dimensions there are three times as many tokens, so that groups meet less often: smaller models hold less at once.
    """
    rng = np.random.default_rng([seed, number, 0])
    code, d = CODES[number % 3], DIMENSIONS[number // 3 % 3]
    groups = [draw_group(SHAPES[(9 * number + place) % len(SHAPES)], "moderate", rng) for place in range(9)]
    for place in (2 * number, 2 * number + 1):
        groups.append(draw_group(SHAPES[place % 5], HARDER[place % 3], rng))
    groups += [draw_group(NEGATIVES[(17 * number + place) % len(NEGATIVES)], "moderate", rng) for place in range(17)]
    return WorldPlan(number, seed, d, code, n_tokens * (3 if d == 64 else 1), n_background, tuple(groups))


def draw_group(kind: str, tier: str, rng: np.random.Generator, **fixed: Any) -> Group:
    """Draw what a group of this kind is like; ``fixed`` fields take the place of what is drawn."""
    rows = str(rng.choice(ROWS))
    n_vertices = int(rng.integers(3, 6)) if kind == "simplex" else 0
    variety = {
        "arc": lambda: f"arc {rng.choice(ARCS):.0f}",
        "blob": lambda: str(rng.choice(list(BLOBS))),
        "mixture": lambda: str(rng.choice(list(MIXTURES))),
        "simplex": lambda: f"simplex {n_vertices}",
    }.get(kind, lambda: kind)()
    low, high = {"circle": (4, 11), "arc": (4, 9), "line": (3, 7), "helix": (12, 21), "blob": (4, 10)}.get(
        kind, (5, 10)
    )
    k = int(rng.integers(low, high))
    if kind == "simplex":
        k = n_vertices + int(rng.integers(0, 3))
    if kind == "sheet":
        k = int(rng.choice([9, 16]))
    if variety == "separate axes":  # more of them have too little in common to be one cluster
        k = int(rng.integers(4, 7)) if rows == "negative" else 3
    drawn = {
        "kind": kind,
        "variety": variety,
        "truth": TRUTHS.get(kind),
        "tier": tier,
        "n_vertices": n_vertices,
        "k": k,
        "width": rng.uniform(0.6, 0.9) if tier == "overlap" else rng.uniform(1.1, 1.7),
        "snr": rng.uniform(2.0, 4.0) if tier == "noise" else float(np.exp(rng.uniform(np.log(5), np.log(12)))),
        "n_points": int(rng.integers(80, 250))
        if tier == "few points"
        else int(np.exp(rng.uniform(np.log(350), np.log(2_000)))),
        "rows": rows,
    }
    return Group(**(drawn | fixed))


def make_world(plan: WorldPlan) -> World:
    """Vectors, then their code."""
    rng = np.random.default_rng([plan.seed, plan.number, 1])
    scene = make_scene(plan, rng)
    encoder, centred = scene.encoder.copy(), scene.vectors - scene.vectors.mean(axis=0)
    scatter = (centred.T @ centred).astype(np.float64)
    for place in range(len(plan.groups)):
        own, there = scene.source == place, scene.there[place]
        without = scatter - (centred[there].T @ centred[there]).astype(np.float64)
        encoder[own] = read_out(encoder[own], without / (~there).sum())
    z = scene.vectors @ encoder.T
    biases = np.array(
        [
            choose_bias(z[:, i], scene.there[source], share)
            for i, (source, share) in enumerate(zip(scene.source, scene.shares, strict=True))
        ]
    )
    places = [np.flatnonzero(scene.source == g) for g in range(len(plan.groups))]
    activations = activate(z, biases, code=plan.code)
    for place, own in enumerate(places):
        there = scene.there[place]
        activations[:, own] *= fit_scales(activations[np.ix_(there, own)], scene.decoder[own], scene.vectors[there])
    return World(plan, activations.astype(np.float16), scene.decoder, places)


def make_scene(plan: WorldPlan, rng: np.random.Generator) -> Scene:
    """The sum of all groups, of background features and of noise, and every latent's encoder and decoder row."""
    n, d = plan.n_tokens, plan.d
    vectors = NOISE * rng.standard_normal((n, d), dtype=np.float32)
    there, encoder, decoder, shares, source = [], [], [], [], []
    for place, group in enumerate(plan.groups):
        present = draw_presence(rng, n, group.n_points / n)
        found = embed_group(group, rng, n=int(present.sum()), d=d, noise=NOISE)
        vectors[present] += found.vectors
        there.append(present)
        encoder.append(found.encoder)
        decoder.append(found.decoder)
        shares.append(found.share)
        source.append(np.full(len(found.encoder), place))
    rates = background_rates(plan.n_background, seed=plan.seed)
    directions = rng.standard_normal((plan.n_background, d), dtype=np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for direction, rate in zip(directions, rates, strict=True):
        present = rng.random(n) < rate
        strength = NOISE * 6 * rng.lognormal(0.0, 0.4, int(present.sum()))
        vectors[present] += strength[:, None].astype(np.float32) * direction
        there.append(present)
    encoder.append(directions)
    decoder.append(directions)
    shares.append(np.full(plan.n_background, 0.95))
    source.append(len(plan.groups) + np.arange(plan.n_background))
    return Scene(vectors, there, *(np.concatenate(part) for part in (encoder, decoder, shares, source)))


def background_rates(n: int, *, seed: int) -> Array:
    """Rates with the long tail of ``synthetic_activations``: a few latents on a third of the tokens, most on few."""
    workload = Workload(n_latents=n, mean_l0=0.008 * n, seed=seed, silent=0.0, grouped=0.0)
    return plan_sources(workload).rates


def draw_presence(rng: np.random.Generator, n: int, rate: float) -> Array:
    """Tokens of a group: it is silent in most documents, and comes at a higher rate in the others."""
    awake = rng.random(-(-n // DOCUMENT)) < max(AWAKE, min(1.0, 2 * rate))
    if not awake.any():
        awake[0] = True
    often = rate / awake.mean()
    return np.asarray((rng.random(n) < often) & np.repeat(awake, DOCUMENT)[:n])
