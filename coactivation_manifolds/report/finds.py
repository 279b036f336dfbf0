"""Finds in words: what a cluster was called, how sure that is, and where it was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from typing import NamedTuple

from coactivation_manifolds.clustering.membership import footer
from coactivation_manifolds.schemas import SHAPE_NAMES
from coactivation_manifolds.storage import PathLike, open_table, read_table

BASIS_WORDS = {"recon": "reconstruction", "act": "activations alone"}


@dataclass(frozen=True)
class Find:
    """One row of ``finds.parquet`` (docs/data_format.md); None where a number is unknown."""

    find_id: int
    shape: str
    basis: str
    n_vertices: int | None
    q_value: float
    effect: float | None
    n_draws: int | None
    n_points: int
    size: int
    members: tuple[int, ...]
    clustering: str
    cluster_id: int
    clusterings: tuple[str, ...]
    separability_bits: float | None
    mixture_index: float | None
    p_connected: float | None
    stability: float | None
    missed_by_cosine: bool | None

    @property
    def folder(self) -> str:
        """The find's folder in the gallery."""
        return f"find={self.find_id:04d}"

    @property
    def cluster(self) -> str:
        """The number of its cluster as in paths."""
        return f"{self.cluster_id:04d}"

    @property
    def name(self) -> str:
        """Its shape in words."""
        return shape_words(self.shape, self.n_vertices)

    @property
    def basis_words(self) -> str:
        """What it was found in."""
        return BASIS_WORDS.get(self.basis, self.basis)

    @property
    def range(self) -> str:
        """Where it lives."""
        return range_words(self.clusterings)


def read_finds(finds_path: PathLike) -> list[Find]:
    """The clusters that were called a shape, in the file's order, best first."""
    names = [field.name for field in fields(Find)]
    rows = read_table(finds_path, columns=names).to_pylist()
    lists = ("members", "clusterings")
    return [Find(**{**row, **{key: tuple(row[key]) for key in lists}}) for row in rows if row["shape"] in SHAPE_NAMES]


@dataclass(frozen=True)
class TestedFamily:
    """Clusters that were tested together, each once over the sweep: those of co-activation, or those of cosine.

    ``smallest_q`` is the smallest q that a single find could have reached; None where nothing was tested.
    """

    graph: str
    n_clusterings: int
    n_tested: int
    smallest_q: float | None

    @property
    def name(self) -> str:
        """The family in words."""
        return {"coactivation": "co-activation", "cosine": "decoder cosine"}[self.graph]


def read_families(finds_path: PathLike) -> list[TestedFamily]:
    """The families of ``finds.parquet`` that had any clustering, from its footer."""
    with open_table(finds_path) as parquet:
        known = footer(parquet.schema_arrow)
    families = []
    for graph in ("coactivation", "cosine"):
        smallest = known.get(f"smallest_q_{graph}")
        n_clusterings, n_tested = (int(known.get(f"n_{what}_{graph}", 0)) for what in ("clusterings", "tested"))
        families.append(TestedFamily(graph, n_clusterings, n_tested, float(smallest) if smallest else None))
    return [family for family in families if family.n_clusterings]


def shape_words(shape: str | None, n_vertices: int | None) -> str:
    """A shape's name, a simplex with its vertices; empty where a cluster was not tested."""
    return f"simplex of {n_vertices} vertices" if shape == "simplex" and n_vertices else shape or ""


def q_words(q: float | None) -> str:
    """A q-value with two digits; empty where there is none."""
    return "" if q is None or q != q else f"{q:.2g}"


def range_words(clusterings: Sequence[str]) -> str:
    """The clusterings in which a cluster lives, of each family the first and the last."""
    parts = []
    for _, group in groupby(clusterings, key=lambda name: name.split("_j")[0].split("_c0")[0]):
        names = list(group)
        parts.append(names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}")
    count = f"{len(clusterings)} clustering{'' if len(clusterings) == 1 else 's'}"
    return f"{count}: {', '.join(parts)}" if parts else "no clustering"


def fact_lines(find: Find) -> list[str]:
    """What a figure says of a find under its title: the call first, then what is known beside it."""
    call = [f"q {q_words(find.q_value)} (any shape)"]
    if find.effect is not None:
        call.append(f"effect {find.effect:.1f}")
    call += [f"found in the {find.basis_words}", f"{find.n_points:,} points"]
    beside = [] if find.stability is None else [f"stability {find.stability:.2f}"]
    if find.missed_by_cosine is not None:
        beside.append("missed by decoder cosine" if find.missed_by_cosine else "found by decoder cosine too")
    beside.append(f"in {find.range}")
    return [" · ".join(call), " · ".join(beside)]


class Part(NamedTuple):
    """A piece of a reading: words, and the latents (with their tokens) that they are about."""

    words: str
    latents: list[tuple[int, str | None]]


def reading_words(parts: Sequence[Part]) -> list[str]:
    """A reading as words to be set in lines: ``17 (Monday), 201 (Tuesday)``."""
    words: list[str] = []
    for part in parts:
        words += part.words.split(" ")
        last = len(part.latents) - 1
        for i, (latent, token) in enumerate(part.latents):
            words.append(f"{latent}{'' if token is None else f' ({token})'}{',' if i < last else ''}")
        words[-1] += ";" if part is not parts[-1] else ""
    return words


def plain_reading(parts: Sequence[Part]) -> str:
    """A reading as one line of text."""
    return " ".join(reading_words(parts))
