"""What the planted truth must reach: each bar, what was found, and what is known of those that are missed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from edge_significance_page import BAR as MOST_EDGE_ERROR
from measuring import verdict
from science_text import MISSED, NOT_LOOKED_INTO

__all__ = ["bars", "bars_table", "missed_parts", "of_text"]

LEAST_RECOVERY, LEAST_RIGHT, LEAST_AUC, LEAST_COSINE, MOST_SHIFTED = 0.95, 0.9, 0.97, 0.95, 0.05
MOST_MINUTES, MOST_GIB, COST_CLUSTERS = 10, 4, 1_000
LEAST_SHAPES, LEAST_NEGATIVES, SHIFT_RUNS = 200, 400, 20

Results = dict[str, Any]


class Bar(NamedTuple):
    """One thing asked: its key among the texts, name, what is asked, what was found, and whether that is enough."""

    key: str
    name: str
    asked: str
    found: str
    met: bool


def bars(results: Results, edges: Results) -> list[Bar]:
    """The bars of the sections that are there, of science.json and edge_significance.json."""
    found: list[Bar] = []
    if "planted" in results:
        found += planted_bars(results["planted"])
    if "shift" in results:
        found.append(shift_bar(results["shift"]))
    if "cost" in results:
        found.append(cost_bar(results["cost"]))
    if "sampled" in edges:
        found.append(edge_bar(edges["sampled"]))
    return found


def bars_table(found: list[Bar]) -> str:
    """One row a bar."""
    lines = ["| | bar | found | |", "|---|---|---|---|"]
    lines += [f"| {bar.name} | {bar.asked} | {bar.found} | {verdict(bar.met)} |" for bar in found]
    return "\n".join(lines)


def missed_parts(found: list[Bar]) -> list[str]:
    """What is known of each missed bar: its cause and what was tried."""
    missed = [bar for bar in found if not bar.met]
    if not missed:
        return []
    return [
        "### Missed",
        *(f"**{bar.name}** ({bar.found}). {MISSED.get(bar.key) or NOT_LOOKED_INTO}" for bar in missed),
    ]


def planted_bars(planted: Results) -> Iterator[Bar]:
    """Enough of both, recovery, calls, calibration, false calls, ROC, cosine."""
    shapes, negatives = planted["n_moderate"], planted["n_negatives"]
    yield Bar(
        "enough",
        "moderate planted shapes, and negatives",
        f"at least {LEAST_SHAPES} and {LEAST_NEGATIVES}",
        f"{shapes} and {negatives}",
        shapes >= LEAST_SHAPES and negatives >= LEAST_NEGATIVES,
    )
    for key, name, least in (
        ("recovery", "planted shapes recovered (Jaccard of members at least 0.8)", LEAST_RECOVERY),
        ("right", "planted shapes called right", LEAST_RIGHT),
    ):
        share = planted[key]["moderate"]
        name = f"{name}, moderate noise"
        yield Bar(key, name, f"at least {least:.0%}", of_text(share), share["share"] >= least)
    chance = planted["calibration"]["all"]
    for level in ("0.05", "0.01"):
        share, most = chance[level]["share"], chance[level]["most"]
        name = f"blobs and mixtures with p <= {level}"
        yield Bar(f"p {level}", name, f"at most {most:.3f}", f"{share:.3f} of {chance['of']}", share <= most)
    false = planted["false_calls"]
    yield Bar(
        "false calls",
        "false calls among calls at q <= 0.05",
        f"at most {false['most']:.3f}",
        f"{false['share']:.3f} ({false['false']} of {false['calls']})",
        false["share"] <= false["most"],
    )
    auc = planted["roc"]["ours"]["auc"]
    yield Bar("roc", "area under the ROC curve", f"at least {LEAST_AUC}", f"{auc:.3f}", auc >= LEAST_AUC)
    cosine = planted["missed_by_cosine"]
    met = cosine["share"] >= LEAST_COSINE
    yield Bar("cosine", "`missed_by_cosine` right", f"at least {LEAST_COSINE:.0%}", of_text(cosine), met)


def shift_bar(shift: Results) -> Bar:
    """Edges that chance makes."""
    share, runs = shift["share_of_edges"], len(shift["runs"])
    return Bar(
        "shift",
        f"edges at q <= 0.05 after a shift, {runs} runs",
        f"at most {MOST_SHIFTED:.0%} of the real ones, {SHIFT_RUNS} runs",
        f"{share:.2%}, worst run {shift['worst']:.2%}",
        share <= MOST_SHIFTED and runs >= SHIFT_RUNS,
    )


def cost_bar(cost: Results) -> Bar:
    """Minutes and memory of all tests and nulls; a smaller number of clusters meets no bar."""
    minutes, gib = cost["seconds"] / 60, cost["maxrss_kib"] / 2**20
    return Bar(
        "cost",
        f"tests and nulls of {cost['clusters']:,} clusters",
        f"{COST_CLUSTERS:,} in at most {MOST_MINUTES} minutes, {MOST_GIB} GiB",
        f"{minutes:.1f} minutes, {gib:.1f} GiB",
        cost["clusters"] >= COST_CLUSTERS and minutes <= MOST_MINUTES and gib < MOST_GIB,
    )


def edge_bar(sampled: Results) -> Bar:
    """The worst error of the null's variance over all kinds of pairs and cases."""
    worst = max(abs(kind["variance"] - 1) for case in sampled["cases"] for kind in case["kinds"])
    return Bar(
        "edges",
        "null of edges: error of the variance, worst kind of pair",
        f"at most {MOST_EDGE_ERROR:.0%}",
        f"{worst:.1%}",
        worst <= MOST_EDGE_ERROR,
    )


def of_text(found: dict[str, float]) -> str:
    """98 of 100 (98.0%)."""
    return f"{found['count']} of {found['of']} ({found['share']:.1%})"
