"""What stands above a cluster's panels: which cluster, how many points, how many members at once, and who they are."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np

from coactivation_manifolds.figures.canvas import Canvas
from coactivation_manifolds.figures.legend import format_share
from coactivation_manifolds.figures.style import INK, MUTED, PALETTE, SMALL, TITLE
from coactivation_manifolds.figures.token_names import drawable
from coactivation_manifolds.geometry.cluster_view import ClusterView
from coactivation_manifolds.geometry.clusters import point_rule
from coactivation_manifolds.geometry.pca import ACTIVATIONS, RECONSTRUCTION

LINE = 0.175
MARGIN = 0.16
FACTS = 1.43
MEMBER_WIDTH = 1.6
HISTOGRAM = 2.5
MAX_LISTED = 60
MAX_BARS = 8
FEW_POINTS = 200
MOSTLY = 0.75

BASES = {
    RECONSTRUCTION: "reconstruction basis: the members' activations times their decoder rows",
    ACTIVATIONS: "activation basis: the members' activations alone",
}


def header_height(view: ClusterView, width: float, *, n_called: int = 0) -> float:
    """Inches that the header takes, with so many lines about a called shape."""
    rows = ceil(min(view.record.size, MAX_LISTED) / members_per_line(width))
    more = view.record.size > MAX_LISTED
    return max(FACTS + LINE * (n_called + rows + more), 1.62) + 0.45


def members_per_line(width: float) -> int:
    """How many members fit beside each other."""
    return max(1, int((width - HISTOGRAM - 2 * MARGIN) / MEMBER_WIDTH))


def draw_header(
    canvas: Canvas, view: ClusterView, strongest: Sequence[str | None], *, basis: str, called: Sequence[str] = ()
) -> None:
    """Write the facts and the members, and draw how many members fire at once.

    ``strongest`` names the token that each member fires on most, None where unknown; ``called`` are lines about the
    shape that the cluster was called.
    """
    write = canvas.write
    write(MARGIN, MARGIN, f"Cluster {view.record.name} of {view.clustering}", size=TITLE, bold=True)
    for line, (text, colour) in enumerate([*((text, INK) for text in called), *fact_lines(view, basis)]):
        write(MARGIN, MARGIN + 0.27 + LINE * line, text, colour=colour, bold=line < len(called))
    facts = FACTS + LINE * len(called)
    known = any(strongest)
    heading = "Members, each with the token on which it fires most often" if known else "Members"
    write(MARGIN, facts - 0.18, heading, bold=True)
    columns = members_per_line(canvas.width)
    listed = list(zip(view.record.members, strongest, strict=True))[:MAX_LISTED]
    for place, (member, token) in enumerate(listed):
        x, y = MARGIN + (place % columns) * MEMBER_WIDTH, facts + 0.02 + LINE * (place // columns)
        digits = f"{member}"
        write(x, y, digits, colour=MUTED, size=SMALL)
        if token is not None:
            write(x + 0.07 + 0.068 * len(digits), y, drawable(token, max_length=16), size=SMALL)
    if view.record.size > MAX_LISTED:
        y = facts + 0.02 + LINE * ceil(MAX_LISTED / columns)
        write(MARGIN, y, f"and {view.record.size - MAX_LISTED:,} more", colour=MUTED, size=SMALL)
    draw_active_histogram(canvas, view)


def fact_lines(view: ClusterView, basis: str) -> list[tuple[str, str]]:
    """The lines under the title, with their colours."""
    record, drawn = view.record, len(view.sample)
    present = f"{record.n_pairs_present:,} of " if record.n_pairs_present < record.n_pairs else ""
    pairs = f"{present}{record.n_pairs:,} pair{'' if record.n_pairs == 1 else 's'}"
    inside = [f"{record.size:,} latents", f"mean Jaccard {_number(record.mean_jaccard)} over {pairs}"]
    inside.append(
        f"mean decoder cosine {_number(record.mean_cosine)}" if record.mean_cosine is not None else "no decoder"
    )
    if record.missed_by_cosine is not None:
        inside.append("missed by decoder cosine" if record.missed_by_cosine else "found by decoder cosine too")
    sample = (
        f"{drawn:,} of them drawn, a random sample with seed {view.settings['seed']}"
        if drawn < view.n_points
        else "all drawn"
    )
    rule = f"{point_rule(view.settings, record.size)} (min_active {view.settings['min_active']})"
    points = f"{view.n_points:,} points, {sample}"
    return [(" · ".join(inside), INK), (points, INK), (f"points: {rule}", INK), (BASES[basis], MUTED)]


def active_shares(view: ClusterView) -> tuple[list[str], list[float]]:
    """Labels 1, 2, ..., ``8+`` and the share of points with so many members firing, from ``min_active`` on."""
    counts = view.active_counts[1:].astype(float) / max(1, view.n_points)
    bars = min(MAX_BARS, len(counts))
    shares = [*counts[: bars - 1], float(counts[bars - 1 :].sum())]
    last = f"{bars}+" if len(counts) > bars else f"{bars}"
    return [*(str(i) for i in range(1, bars)), last], shares


def verdict(view: ClusterView) -> tuple[str, str]:
    """In a few words what the numbers of points and of members at once mean for the figure, and its colour."""
    one = view.active_counts[1] / max(1, view.n_points)
    few, star = view.n_points < FEW_POINTS, one >= MOSTLY
    if few and star:
        return "few points, mostly one member at a time", PALETTE[1]
    if few:
        return "few points: a shape may be chance", PALETTE[1]
    if star:
        return "mostly one member at a time: expect a star", PALETTE[1]
    several = max(2, view.settings["min_active"] + 1)  # min_active members fire on every point
    if several > view.record.size:
        return f"all {view.record.size} on every point", INK
    share = view.active_counts[several:].sum() / max(1, view.n_points)
    return f"{several} or more at once on {format_share(share)} of the points", INK


def draw_active_histogram(canvas: Canvas, view: ClusterView) -> None:
    """Bars: on which share of the points do 1, 2, ... members fire at once."""
    left, bottom, wide, tall = canvas.width - HISTOGRAM + 0.1, 1.4, HISTOGRAM - 0.35, 0.78
    labels, shares = active_shares(view)
    step = wide / len(shares)
    highest = max(shares) * 1.25 or 1.0
    for place, (label, share) in enumerate(zip(labels, shares, strict=True)):
        middle, high = left + (place + 0.5) * step, tall * share / highest
        if share > 0:
            canvas.fill(middle - 0.36 * step, bottom - high, 0.72 * step, high, PALETTE[0])
            text = format_share(share)
            canvas.write(middle, bottom - high, text, size=SMALL - 1.5, colour=MUTED, across="center", up="bottom")
        canvas.write(middle, bottom + 0.03, label, size=SMALL, across="center")
    canvas.fill(left, bottom, wide, 0, MUTED)
    canvas.write(left + wide / 2, bottom + 0.17, "members firing at once", size=SMALL, across="center")
    words, colour = verdict(view)
    canvas.write(left, MARGIN, f"{view.n_points:,} points", size=TITLE, bold=True)
    canvas.write(left, MARGIN + 0.24, words, size=SMALL, colour=colour)


def _number(value: float | None) -> str:
    return "unknown" if value is None or np.isnan(value) else f"{value:.2f}"
