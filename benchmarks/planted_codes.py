"""From planted manifolds to vectors, and from vectors to a sparse code with a decoder.

A group lives in a subspace of its own, random in R^d, so that different groups' subspaces are not orthogonal. On tokens
where it is there it adds amplitude x (offset along a shared direction + the manifold + the tiles' heights, each along
a direction of its own). The code sees the sum of all groups, background and noise: latent i fires where
w_i x - b_i passes its threshold. Nothing is copied from the plan into the activations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from planted_manifolds import BLOBS, MIXTURES, Manifold, circle, helix, line, sheet, simplex

Array = npt.NDArray[Any]

OFFSET = 2.0  # length of the shared direction's part, in mean radii of the manifold
OFFSET_READ = 0.8  # how much of it an encoder row reads, beside 1 of the tile's place
FLAT_READ = 0.4  # of a tile's place, where the manifold is flat
OWN_PART = {"orthogonal": 2.0, "similar": 0.5, "negative": 0.5}  # of a tile's own direction, in the decoder's row
SHARED_PART = 0.7  # of the shared direction, in the rows that are similar
SHARED_OF_CORNERS = 1.2  # the same where tiles lie opposite one another: vertices, axes
MOST_FALSE = 0.03  # firings on tokens without the group, over those with it, that a bias allows
JUMP = 0.25  # JumpReLU's threshold over a latent's 99 % quantile


@dataclass(frozen=True)
class Group:
    """What is planted once.

    Attributes
    ----------
    kind
        circle, arc, simplex, helix, line, sheet, blob or mixture.
    variety
        Which of its kind: ``arc 270``, ``gated blob``.
    truth
        The call that is right: circle, simplex, helix, curve, or None.
    tier
        ``moderate``, or what makes it harder: noise, few points, overlap.
    n_vertices
        Of a simplex, else 0.
    k
        Latents that tile it (one more where ``rows`` is negative: the group's presence).
    width
        Half the width of a tile, in steps between tiles.
    snr
        Root mean square radius of the manifold, in its own span, over the noise's standard deviation along one
        direction.
    n_points
        Tokens on which it is there, in expectation.
    rows
        Members' decoder rows: orthogonal, similar or negative.

    """

    kind: str
    variety: str
    truth: str | None
    tier: str
    n_vertices: int
    k: int
    width: float
    snr: float
    n_points: int
    rows: str

    @property
    def n_latents(self) -> int:
        """Members of the planted cluster."""
        return self.k + (self.rows == "negative")


class Embedded(NamedTuple):
    """A group in R^d.

    Attributes
    ----------
    vectors
        float32 [n, d]: what it adds on its tokens, noise not included.
    encoder, decoder
        float32 [members, d], rows of norm 1.
    share
        float64 [members]: share of the group's tokens on which each is to fire.

    """

    vectors: Array
    encoder: Array
    decoder: Array
    share: Array


def embed_group(group: Group, rng: np.random.Generator, *, n: int, d: int, noise: float) -> Embedded:
    """Draw n points of a group and its latents.

    Parameters
    ----------
    group
        What to plant.
    rng
        Draws everything.
    n
        Points.
    d
        Ambient dimension.
    noise
        Standard deviation of the noise along one direction, which sets the group's size.

    """
    own = OWN_PART[group.rows]
    shared = 0.0
    if group.rows == "similar":
        shared = SHARED_OF_CORNERS if group.kind in ("simplex", "blob", "mixture") else SHARED_PART
    if group.kind in ("blob", "mixture"):
        heights = (BLOBS | MIXTURES)[group.variety](rng, n, group.k)
        heights = heights / np.sqrt(((heights - heights.mean(axis=0)) ** 2).sum(axis=1).mean())
        corners = np.eye(group.k) - 1 / group.k
        manifold = Manifold(np.zeros((n, group.k)), corners, heights, 0.0)
        shares = (heights > 0).mean(axis=0)
        own = 1.0 if group.rows == "similar" else 2.0 * (group.rows == "orthogonal")
    else:
        manifold = make_manifold(group, rng, n)
        shares = np.full(group.k, manifold.share)
    k, c = manifold.tiles.shape
    parts = np.hstack([np.full((n, 1), OFFSET), manifold.points, manifold.heights])
    far = np.maximum(np.linalg.norm(manifold.tiles, axis=1, keepdims=True), 1.0)
    # a flat manifold's places differ little in direction: its latents read their own direction rather
    read = FLAT_READ if group.kind in ("line", "sheet") else 1.0
    encoder = np.hstack([np.full((k, 1), OFFSET_READ), read * manifold.tiles / far, np.eye(k)])
    if not manifold.points.any():
        encoder[:, 1 : 1 + c] = 0.0
    decoder = np.hstack([np.full((k, 1), shared), manifold.tiles, own * np.eye(k)])
    if group.rows == "negative":
        presence = np.eye(1, 1 + c + k)
        encoder, decoder = np.vstack([encoder, presence]), np.vstack([decoder, presence])
        shares = np.append(shares, 1.0)
    basis = np.linalg.qr(rng.normal(size=(d, 1 + c + k)))[0].T.astype(np.float32)
    parts *= noise * group.snr * rng.lognormal(0.0, 0.05, (n, 1))
    return Embedded(
        (parts @ basis).astype(np.float32), _unit_rows(encoder @ basis), _unit_rows(decoder @ basis), shares
    )


def make_manifold(group: Group, rng: np.random.Generator, n: int) -> Manifold:
    """The points and tiles of a group that is a manifold."""
    if group.kind == "arc":
        return circle(rng, n, group.k, group.width, float(group.variety.split()[1]))
    if group.kind == "simplex":
        return simplex(rng, n, group.n_vertices, group.k)
    return {"circle": circle, "helix": helix, "line": line, "sheet": sheet}[group.kind](rng, n, group.k, group.width)


def read_out(encoder: Array, covariance: Array) -> Array:
    """Encoder rows that hear as little as possible of all else: C^-1 w.

    Fisher's discriminant. An SAE's encoder differs from its decoder for the same reason.

    Parameters
    ----------
    encoder
        float32 [members, d]: the directions that the group itself would be read along.
    covariance
        float64 [d, d], of the vectors of tokens without the group.

    """
    turned = np.linalg.solve(covariance, encoder.T.astype(np.float64)).T
    # as strong on the group's own direction as before
    length = (encoder**2).sum(axis=1, keepdims=True) / (turned * encoder).sum(axis=1, keepdims=True)
    return np.asarray(turned * length, dtype=np.float32)


def choose_bias(z: Array, there: Array, share: float) -> float:
    """The bias at which a latent fires on a share of its group's tokens, or fewer: noise is not to make it fire.

    Training an SAE finds such a bias from what an error costs. Here it is read off: at most 3 % as many firings
    elsewhere as on the group's tokens.

    Parameters
    ----------
    z
        float32 [n_tokens]: w x of the latent.
    there
        bool [n_tokens]: the group's tokens.
    share
        Wanted share.

    """
    own = np.sort(z[there])
    if not len(own):
        return float(z.max())
    wanted = own[min(len(own) - 1, int((1 - share) * len(own)))]
    allowed = max(1, int(MOST_FALSE * share * len(own)))
    elsewhere = z[~there]
    quiet = np.partition(elsewhere, len(elsewhere) - allowed)[len(elsewhere) - allowed]
    return float(max(wanted, quiet))


def activate(z: Array, biases: Array, *, code: str) -> Array:
    """Activations of all latents, float32 [n_tokens, n_latents], before they are scaled.

    Parameters
    ----------
    z
        float32 [n_tokens, n_latents]: w_i x; overwritten.
    biases
        float64 [n_latents].
    code
        ``relu``: w x - b where positive. ``jumprelu``: the same and a quarter of the latent's 99 % quantile more, so
        that a latent never fires weakly. ``topk``: relu, of the K largest of a token, K the 95 % quantile of how many
        are positive.

    """
    z -= biases.astype(np.float32)
    np.maximum(z, 0.0, out=z)
    if code == "jumprelu":
        high = np.array([np.quantile(column[column > 0], 0.99) if column.any() else 0.0 for column in z.T])
        z += (z > 0) * (JUMP * high).astype(np.float32)
    if code == "topk":
        k = max(1, int(np.quantile((z > 0).sum(axis=1), 0.95)))
        least = np.partition(z, z.shape[1] - k, axis=1)[:, z.shape[1] - k]
        z[z < least[:, None]] = 0.0
    return z


def fit_scales(activations: Array, decoder: Array, vectors: Array) -> Array:
    """A scale for each latent, with which activations times decoder rows are nearest to the vectors, mean left out.

    Least squares over the group's tokens, within a factor of four of the median: what training does to scales.

    Parameters
    ----------
    activations
        float32 [n, members].
    decoder
        float32 [members, d].
    vectors
        float32 [n, d].

    """
    own = activations - activations.mean(axis=0)
    gram = (own.T @ own) * (decoder @ decoder.T)
    right = ((own.T @ (vectors - vectors.mean(axis=0))) * decoder).sum(axis=1)
    ridge = 0.01 * max(float(np.trace(gram)) / len(gram), 1e-9)
    scales = np.linalg.solve(gram.astype(np.float64) + ridge * np.eye(len(gram)), right)
    middle = float(np.median(scales[scales > 0])) if (scales > 0).any() else 1.0
    return np.clip(scales, middle / 4, middle * 4)


def _unit_rows(rows: Array) -> Array:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
