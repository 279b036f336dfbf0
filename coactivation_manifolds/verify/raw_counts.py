"""Counts derived anew from the activations themselves, one part at a time, in the plainest way.

This shares no code with the counting of the workflow, so that a fault of either is seen by the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.activations.activation_reader import read_listed_part, read_manifest
from coactivation_manifolds.activations.token_rows import TokenRows

Counts = npt.NDArray[np.int64]


@dataclass
class RawCounts:
    """What a set of tokens adds up to.

    Attributes
    ----------
    sample
        The latents whose partners are counted.
    fired
        int64 [n_latents], tokens on which each latent fires, all tokens.
    n_all_tokens, n_all_entries
        All tokens and their firing latents.
    marginals
        The same as ``fired`` within the window of positions.
    joint
        int64 [len(sample), n_latents], tokens within the window on which both fire.
    n_tokens, n_entries, tokens_by_k
        Within the window; tokens by the number of latents that fire.

    """

    sample: Counts
    fired: Counts
    marginals: Counts
    joint: Counts
    n_all_tokens: int = 0
    n_all_entries: int = 0
    n_tokens: int = 0
    n_entries: int = 0
    tokens_by_k: dict[int, int] = field(default_factory=dict)

    @classmethod
    def empty(cls, sample: Counts, n_latents: int) -> RawCounts:
        """Nothing counted yet."""
        zeros = np.zeros(n_latents, np.int64)
        return cls(sample, zeros.copy(), zeros.copy(), np.zeros((len(sample), n_latents), np.int64))

    def add_rows(self, rows: TokenRows, positions: Sequence[int] | None) -> None:
        """Count the tokens of a part."""
        self.fired += np.bincount(rows.feature_ids, minlength=len(self.fired))
        self.n_all_tokens += rows.n_tokens
        self.n_all_entries += rows.n_entries
        inside = rows.in_positions(positions)
        self.marginals += np.bincount(inside.feature_ids, minlength=len(self.fired))
        self.n_tokens += inside.n_tokens
        self.n_entries += inside.n_entries
        for k, tokens in enumerate(np.bincount(inside.latents_per_token).tolist()):
            if tokens:
                self.tokens_by_k[k] = self.tokens_by_k.get(k, 0) + tokens
        lengths, row_of = inside.latents_per_token, inside.row_of_entries()
        for place, latent in enumerate(self.sample.tolist()):
            fires = np.zeros(inside.n_tokens, bool)
            fires[row_of[inside.feature_ids == latent]] = True
            self.joint[place] += np.bincount(inside.feature_ids[np.repeat(fires, lengths)], minlength=len(self.fired))

    def add(self, other: RawCounts) -> None:
        """Add up two sets of tokens."""
        for name in ("fired", "marginals", "joint", "n_all_tokens", "n_all_entries", "n_tokens", "n_entries"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for k, tokens in other.tokens_by_k.items():
            self.tokens_by_k[k] = self.tokens_by_k.get(k, 0) + tokens


@dataclass
class TokensOfMembers:
    """A number of tokens that a table states of a cluster, and the same number derived anew.

    Attributes
    ----------
    path, column, cluster
        Where it is stated.
    members
        The cluster's latents.
    stated
        What the table says.
    min_active
        How many members must fire on a token.
    positions
        The window that tokens must lie in; None is all.
    found
        Tokens so far.

    """

    path: Path
    column: str
    cluster: int
    members: Sequence[int]
    stated: int
    min_active: int = 1
    positions: Sequence[int] | None = None
    found: int = 0

    def add_rows(self, rows: TokenRows) -> None:
        """Count the tokens of a part."""
        inside = rows.in_positions(self.positions)
        member = np.zeros(inside.n_latents, bool)
        member[[each for each in self.members if each < inside.n_latents]] = True
        firing = np.bincount(inside.row_of_entries()[member[inside.feature_ids]], minlength=inside.n_tokens)
        self.found += int((firing >= self.min_active).sum())


def raw_parts(manifest: Path) -> Iterator[TokenRows]:
    """The rows of a shard, part by part; hashes are compared elsewhere."""
    content = read_manifest(manifest)
    for part in content["parts"]:
        yield read_listed_part(manifest, part, n_latents=content["n_latents"], verify=False)
