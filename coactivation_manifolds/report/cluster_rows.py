"""A cluster as a row of a page's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coactivation_manifolds.figures.token_names import TokenNames, readable
from coactivation_manifolds.geometry.clusters import ClusterRecord

MEMBERS_LISTED = 12
TOKEN_LENGTH = 24


@dataclass(frozen=True)
class ClusterTableRow:
    """What a table says of one cluster; None where unknown, links and images empty where there are none.

    ``members`` holds (latent, token) of the first members, ``n_more`` says how many are left out. ``plane`` is the
    share of the variance in the first two components. ``reason`` says why the cluster is not drawn. ``called`` is what
    it was called with this ``q``, both unknown where it was not tested.
    """

    record: ClusterRecord
    members: list[tuple[int, str | None]]
    n_more: int
    n_points: int | None
    plane: float | None
    reason: str | None
    page: str = ""
    figure: str = ""
    thumbnail: str = ""
    called: str = ""
    q: float | None = None


def member_tokens(record: ClusterRecord, names: TokenNames) -> tuple[list[tuple[int, str | None]], int]:
    """The first members with the token on which each fires most often, and how many members are left out."""
    listed = record.members[:MEMBERS_LISTED]
    tokens = [
        readable(token, max_length=TOKEN_LENGTH) if token is not None else None for token in names.strongest(listed)
    ]
    return list(zip(listed, tokens, strict=True)), record.size - len(listed)


def plane_share(scores: Mapping[str, Any]) -> float | None:
    """Share of the variance in the first two components, in the basis of ``pca.png``."""
    basis = "recon" if scores.get("evr_recon_pc1") is not None else "act"
    first = scores.get(f"evr_{basis}_pc1")
    return None if first is None else float(first + (scores.get(f"evr_{basis}_pc2") or 0.0))
