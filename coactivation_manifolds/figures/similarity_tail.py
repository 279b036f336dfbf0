"""How rare similar pairs are: the share of all pairs at or above each Jaccard, with the sweep's thresholds marked.

The share is out of the pairs of latents that pass ``similarity.min_firings`` and ``max_density``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from coactivation_manifolds.clustering.spec import parse_spec
from coactivation_manifolds.figures.style import (
    INK,
    MUTED,
    PALETTE,
    SMALL,
    TITLE,
    figure_style,
    new_figure,
    save_figure,
)
from coactivation_manifolds.schemas import SIMILARITY_TAIL, require_columns
from coactivation_manifolds.storage import PathLike, read_table

JACCARD_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def plot_similarity_tail(tail_path: PathLike, *, clusterings: Sequence[str], figure_path: PathLike) -> None:
    """Draw ``similarity/tail.parquet``, log-log.

    Parameters
    ----------
    tail_path
        jaccard, n_pairs at or above it, share_of_pairs.
    clusterings
        The names in the sweep; the thresholds of those made from co-activation are marked.
    figure_path
        The PNG to write.

    """
    tail = read_table(tail_path)
    require_columns(tail, SIMILARITY_TAIL, str(tail_path))
    with figure_style():
        figure = draw_similarity_tail(tail, thresholds=swept_thresholds(clusterings))
        save_figure(figure, figure_path, metadata={"clusterings": " ".join(clusterings)})


def swept_thresholds(clusterings: Sequence[str]) -> list[float]:
    """The Jaccard thresholds that the clusterings' names give, ascending, each once."""
    specs = [parse_spec(name) for name in clusterings]
    return sorted({float(spec.threshold) for spec in specs if spec.graph == "coactivation" and not spec.automatic})


def draw_similarity_tail(tail: pa.Table, *, thresholds: Sequence[float]) -> Figure:
    """The figure, to be saved within ``figure_style``."""
    figure, axes = new_figure(width=6.5, height=4.9)
    panel = axes[0, 0]
    figure.subplots_adjust(left=0.125, right=0.965, top=0.765, bottom=0.11)
    columns = {name: tail[name].to_numpy() for name in SIMILARITY_TAIL.names}
    shown = (columns["n_pairs"] > 0) & (columns["jaccard"] > 0) & (columns["share_of_pairs"] > 0)
    jaccard, pairs, share = (columns[name][shown] for name in ("jaccard", "n_pairs", "share_of_pairs"))
    order = np.argsort(jaccard, kind="stable")
    jaccard, pairs, share = jaccard[order], pairs[order], share[order]
    figure.text(0.022, 0.972, "How rare similar pairs are", fontsize=TITLE, va="top", color=INK)
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlabel("Jaccard similarity")
    panel.set_ylabel("share of the pairs of latents at or above it")
    if not len(jaccard):
        panel.text(0.5, 0.5, "No pair reaches the floor.", ha="center", transform=panel.transAxes, color=MUTED)
        panel.set_xticks([])
        panel.set_yticks([])
        return figure
    panel.plot(jaccard, share, color=PALETTE[0])
    left = min(float(jaccard[0]), *thresholds) if thresholds else float(jaccard[0])
    panel.set_xlim(left / 1.08, 1.06)
    ticks = [t for t in JACCARD_TICKS if left / 1.08 <= t]
    panel.set_xticks(ticks, [f"{t:g}" for t in ticks])
    panel.xaxis.set_minor_formatter(NullFormatter())
    few_decades = float(share.max()) < 100 * float(share.min())
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few_decades else (1,)))
    panel.yaxis.set_major_formatter(FuncFormatter(_share_text))
    panel.yaxis.set_minor_formatter(NullFormatter())
    for threshold in thresholds:
        panel.axvline(threshold, color=MUTED, linewidth=0.8, linestyle="--", zorder=1)
        panel.annotate(
            f"{threshold:.2f}: {_pairs_at(threshold, jaccard, pairs):,}",
            (threshold, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            rotation=90,
            ha="center",
            va="bottom",
            fontsize=SMALL,
            color=MUTED,
        )
    if thresholds:
        panel.annotate(
            "threshold:\npairs",
            (0, 1),
            xycoords="axes fraction",
            xytext=(-6, 3),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=SMALL,
            color=MUTED,
        )
    return figure


def _pairs_at(threshold: float, jaccard: np.ndarray, pairs: np.ndarray) -> int:
    """Pairs at or above a threshold: the table's row at it, else the next above (the number can only be smaller)."""
    place = int(np.searchsorted(jaccard, threshold - 1e-12))
    return int(pairs[place]) if place < len(pairs) else 0


def _share_text(share: float, _: object) -> str:
    """0.001 as 0.1 %, and so on; tiny shares as a power of ten."""
    return f"{share * 100:g} %" if share >= 1e-6 else f"{share * 100:.0e} %"
