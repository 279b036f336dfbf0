"""The reading of a fitted shape that a person needs: its latents in order, with the tokens that they fire on."""

from __future__ import annotations

from collections.abc import Sequence

from coactivation_manifolds.figures.token_names import SPACE, TokenNames, readable
from coactivation_manifolds.geometry.cluster_view import ClusterView
from coactivation_manifolds.geometry.fitted_shape import FittedShape, latent_places
from coactivation_manifolds.report.finds import Part

TOKEN_LENGTH = 24
TOKENS_AT_VERTEX = 3


def read_shape(
    view: ClusterView, shape: FittedShape, names: TokenNames, *, vertex_tokens: Sequence[Sequence[int]] = ()
) -> list[Part]:
    """The latents in the shape's order; for a simplex by vertex, with the tokens of the points nearest it.

    ``vertex_tokens`` holds the token ids of each vertex, most frequent first, where any are known (``shapes.json``).
    """
    order, places = latent_places(shape)
    members = [view.record.members[column] for column in order.tolist()]
    named = list(zip(members, [_plain(token) for token in names.strongest(members)], strict=True))
    if shape.kind == "simplex":
        vertices = places[order].astype(int).tolist()
        ids = [*vertex_tokens, *([] for _ in range(shape.n_vertices - len(vertex_tokens)))]
        tokens = [[_plain(name) or "" for name in names.names(each[:TOKENS_AT_VERTEX])] for each in ids]
        return [
            _at_vertex(v, tokens[v], [latent for latent, at in zip(named, vertices, strict=True) if at == v])
            for v in range(shape.n_vertices)
        ]
    if shape.kind == "circle":
        first = "latents in order round the ring, anticlockwise from the left:"
    elif shape.kind == "helix":
        first = f"{shape.fit.turns:.1f} turns of period {shape.fit.period:.3g} along the axis; latents in order:"
    else:
        first = "latents in order along the curve:"
    return [Part(first, named)]


def _at_vertex(vertex: int, tokens: Sequence[str], latents: list[tuple[int, str | None]]) -> Part:
    near = f" (near it the tokens {', '.join(tokens)})" if tokens else ""
    return Part(f"vertex {vertex + 1}{near}:" if latents else f"vertex {vertex + 1}{near}: no latent", latents)


def _plain(token: str | None) -> str | None:
    """A token within a sentence: without the marks of spaces at its ends, unless it is nothing else."""
    if token is None:
        return None
    return readable(token.strip(SPACE) or token, max_length=TOKEN_LENGTH)
