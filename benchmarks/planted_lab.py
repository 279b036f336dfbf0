"""One planted group alone: how many points a shape needs against noise, and where calls break.

Vectors hold the group, noise and nothing else, and go through the same code as in a world; the cluster is taken as
planted, so that only the tests are measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from planted_codes import Group, activate, choose_bias, embed_group, fit_scales
from planted_geometry import NOISE, draw_group
from science_chain import points_of
from shape_calls import Cluster, first_outcome

Array = npt.NDArray[Any]

DIMENSION, ELSEWHERE = 128, 20_000  # of the vectors; tokens without the group
MAX_P = 0.01
LOOKS = (50, 200)
POWER_SHAPES = {"circle": "circle", "simplex": "simplex", "helix": "helix", "line": "curve", "arc": "curve"}
POWER_POINTS = (64, 125, 250, 500, 1_000)
POWER_SNR = (3.0, 5.0, 10.0)
WANTED_POWER = 0.8


def lone_cluster(group: Group, *, seed: int, code: str = "relu") -> Cluster:
    """A group's points as a code sees them, without any other group."""
    rng = np.random.default_rng([seed, 2])
    there = np.arange(group.n_points + ELSEWHERE) < group.n_points
    vectors = NOISE * rng.standard_normal((len(there), DIMENSION), dtype=np.float32)
    found = embed_group(group, rng, n=group.n_points, d=DIMENSION, noise=NOISE)
    vectors[there] += found.vectors
    z = vectors @ found.encoder.T
    biases = np.array([choose_bias(z[:, i], there, share) for i, share in enumerate(found.share)])
    activations = activate(z, biases, code=code)
    activations *= fit_scales(activations[there], found.decoder, vectors[there])
    return Cluster(points_of(activations, np.arange(len(biases))), found.decoder, seed)


def call_alone(group: Group, seed: int) -> str | None:
    """What the group is called at p <= 0.01 of at most 200 draws."""
    outcome = first_outcome(lone_cluster(group, seed=seed), looks=LOOKS)
    return outcome.candidate if outcome.p_any <= MAX_P else None


def call_drawn(kind: str, seed: int, fixed: dict[str, Any]) -> str | None:
    """Draw a group of a kind, some of its fields fixed, and call it."""
    group = draw_group(kind, "moderate", np.random.default_rng([seed, 3]), **fixed)
    return call_alone(group, seed)


def power_jobs(seed: int, repeats: int) -> list[tuple[str, int, dict[str, Any]]]:
    """Arguments of ``call_drawn`` for every shape, signal to noise and number of points."""
    return [
        (kind, 10_000 * seed + number, {"snr": snr, "n_points": n})
        for kind in POWER_SHAPES
        for snr in POWER_SNR
        for n in POWER_POINTS
        for number in range(repeats)
    ]


def summarize_power(
    jobs: Sequence[tuple[str, int, dict[str, Any]]], calls: Sequence[str | None]
) -> dict[str, dict[str, Any]]:
    """Share of right calls by number of points, and the points at which the share reaches 80 %."""
    found: dict[str, dict[str, Any]] = {}
    for kind, truth in POWER_SHAPES.items():
        found[kind] = {}
        for snr in POWER_SNR:
            shares = [
                float(
                    np.mean(
                        [
                            call == truth
                            for (job_kind, _, fixed), call in zip(jobs, calls, strict=True)
                            if job_kind == kind and fixed == {"snr": snr, "n_points": n}
                        ]
                    )
                )
                for n in POWER_POINTS
            ]
            found[kind][f"{snr:g}"] = {"shares": shares, "points_needed": points_needed(shares)}
    return found


def points_needed(shares: Sequence[float]) -> float | None:
    """Points at which the share of right calls passes 80 %, on a logarithmic line between the measured numbers."""
    logs = np.log(POWER_POINTS)
    for place, share in enumerate(shares):
        if share >= WANTED_POWER and min(shares[place:]) >= WANTED_POWER - 0.1:
            if place == 0:
                return float(POWER_POINTS[0])
            before = shares[place - 1]
            part = (WANTED_POWER - before) / (share - before) if share > before else 1.0
            return float(round(np.exp(logs[place - 1] + max(0.0, part) * (logs[place] - logs[place - 1]))))
    return None


def limit_jobs(seed: int, repeats: int) -> list[tuple[str, str, tuple[str, int, dict[str, Any]]]]:
    """What is varied, its value, and the arguments of ``call_drawn``: overlap of tiles, arcs, tiles of a ring."""
    jobs = []
    for number in range(repeats):
        one = 20_000 * seed + number
        for width in (0.5, 0.6, 0.75, 1.0, 1.5, 2.0):
            jobs.append(("overlap", f"{width:g}", ("circle", one, {"width": width, "n_points": 800, "k": 8})))
        for degrees in (180, 240, 270, 300, 330, 345, 360):
            name = {"variety": f"arc {degrees}", "n_points": 800, "k": 8}
            jobs.append(("arc", f"{degrees}", ("arc", one, name)))
        for k in (3, 4, 5, 6, 8, 12, 20):
            jobs.append(("tiles", f"{k}", ("circle", one, {"k": k, "n_points": 800})))
        for snr in (1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0):
            jobs.append(("noise", f"{snr:g}", ("circle", one, {"snr": snr, "n_points": 800})))
    return jobs
