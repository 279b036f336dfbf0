"""The table of docs/demo.md: the planted check and the calls of each seed, and in how many seeds all is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from demo_calls import MAX_Q, is_right
from measuring import verdict

__all__ = ["BOUNDS", "bars", "markdown_table", "missed_bars"]

BOUNDS = {"ring": 0.95, "simplex": 0.90}
MIN_PURITY, MIN_COVERAGE = 0.90, 0.85
LEAST_SHARE = 0.9  # of the seeds, in which a planted shape must be called right

Row = Mapping[str, Any]
Results = Mapping[int, Row]


def bars(results: Results) -> list[tuple[str, str, bool]]:
    """What is asked of the seeds together: the words, what was seen, and whether it is met."""
    of = len(results)
    read = [within_bounds(result) for result in results.values()]
    right = {key: [is_right(result["calls"], key) for result in results.values()] for key in BOUNDS}
    background = sum(result["calls"]["others"]["background"] for result in results.values())
    least = f"at least {LEAST_SHARE:.0%} of the seeds"
    return [
        ("both shapes read well, purely and whole, in every seed", f"{sum(read)} of {of}", all(read)),
        (
            f"the ring called a circle, q <= {MAX_Q}, its latents in the order of the compass, in {least}",
            f"{sum(right['ring'])} of {of}",
            sum(right["ring"]) >= LEAST_SHARE * of,
        ),
        (
            f"the triangle called a simplex of 3 vertices, q <= {MAX_Q}, in {least}",
            f"{sum(right['simplex'])} of {of}",
            sum(right["simplex"]) >= LEAST_SHARE * of,
        ),
        ("nothing called on the background", f"{background} calls in all", background == 0),
    ]


def missed_bars(results: Results) -> list[str]:
    """The words of the bars that are missed."""
    return [f"{words}: {seen}" for words, seen, met in bars(results) if not met]


def within_bounds(result: Row) -> bool:
    """Whether both planted shapes are read well, purely and whole."""
    return all(
        result[key] is not None
        and (result[key]["r2"] or 0) >= bound
        and result[key]["purity"] >= MIN_PURITY
        and result[key]["coverage"] >= MIN_COVERAGE
        for key, bound in BOUNDS.items()
    )


def markdown_table(results: Results) -> str:
    """One column a seed, and the bars below.

    Parameters
    ----------
    results
        By seed, ``planted/check.json`` with ``sae`` (``trained/sae_losses.json``) and ``calls``
        (``demo_calls.read_calls``).

    """
    seeds = sorted(results)
    lines = [f"| seed | {' | '.join(map(str, seeds))} |", f"|---|{'---|' * len(seeds)}"]

    def row(title: str, value: Callable[[Row], str]) -> None:
        lines.append(f"| {title} | {' | '.join(value(results[seed]) for seed in seeds)} |")

    for key in BOUNDS:
        planted_rows(key, row)
    row("ring: radius CV, largest gap", lambda r: ring_shape(r["ring"]))
    row(
        "other calls on the ring, the triangle, the background",
        lambda r: ", ".join(str(r["calls"]["others"][key]) for key in ("ring", "simplex", "background")),
    )
    row("clusters tested", lambda r: str(r["calls"]["n_tested"]))
    row("smallest q that one find could have had", lambda r: f"{r['calls']['smallest_q']:.4f}")
    row("clusters missed by cosine", lambda r: f"{r['n_missed_by_cosine']} of {r['n_clusters']}")
    row("loss above the perfect observer, ring", lambda r: f"{r['losses']['ring']['gap']:.4f}")
    row("the same, simplex", lambda r: f"{r['losses']['simplex']['gap']:.4f}")
    row("SAE: FVU, L0", lambda r: f"{r['sae']['fvu']:.4f}, {r['sae']['l0']:.2f}")
    row("SAE: latents that never fire", lambda r: f"{r['sae']['n_dead']} of {r['sae']['n_latents']}")
    lines += ["", f"| bar, over {len(seeds)} seeds | seen | |", "|---|---|---|"]
    lines += [f"| {words} | {seen} | {verdict(met)} |" for words, seen, met in bars(results)]
    return "\n".join(lines)


def planted_rows(key: str, row: Callable[[str, Callable[[Row], str]], None]) -> None:
    """The rows of one planted shape."""
    row(f"{key}: cluster, latents", lambda r: cluster_name(r[key]))
    row(f"{key}: called", lambda r: call_name(r["calls"][key]))
    if key == "ring":
        row("ring: latents in the order of the compass", lambda r: order_name(r["calls"][key]))
    for number in ("r2", "purity", "coverage"):
        row(f"{key}: {number.replace('r2', 'R²')}", lambda r, n=number: shown(r[key], n))
    row(f"{key}: R² over all its tokens", lambda r: shown(r[key], "r2_all_tokens"))
    for control in ("random", "matched"):
        row(
            f"{key}: the same of {control} sets, mean (largest)",
            lambda r, c=control: shown_control(r, key, c),
        )
    row(f"{key}: missed by cosine", lambda r: "-" if r[key] is None else str(r[key]["missed_by_cosine"]).lower())


def call_name(call: Row | None) -> str:
    """What a planted cluster is called, or would be if its q were small enough, with its q."""
    if call is None:
        return "not tested"
    of = f" of {call['n_vertices']}" if call["shape"] == "simplex" else ""
    return f"{call['shape']}{of}, q {call['q_value']:.4f}"


def order_name(call: Row | None) -> str:
    """Whether the latents stand in order; of a circle only."""
    if call is None or call.get("in_order") is None:
        return "-"
    return "yes" if call["in_order"] else "no"


def cluster_name(cluster: Row | None) -> str:
    """Number and size of a cluster."""
    return "-" if cluster is None else f"{cluster['cluster_id']:04d}, {cluster['size']}"


def shown(cluster: Row | None, number: str) -> str:
    """One number of a cluster."""
    return "-" if cluster is None or cluster[number] is None else f"{cluster[number]:.3f}"


def shown_control(result: Row, key: str, control: str) -> str:
    """Reading of control sets over all tokens of the process."""
    if result["controls"][key] is None:
        return "-"
    reading = result["controls"][key][control]["r2_all_tokens"]
    return f"{reading['mean']:.2f} ({reading['max']:.2f})"


def ring_shape(cluster: Row | None) -> str:
    """How round the ring is."""
    if cluster is None or cluster["radius_cv"] is None:
        return "-"
    return f"{cluster['radius_cv']:.2f}, {cluster['largest_gap_degrees']:.0f}°"
