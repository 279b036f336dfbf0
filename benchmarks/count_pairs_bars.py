"""What counting must reach, and whether the last run did."""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np
from measuring import ratio

SCIPY_BAR, SCIPY_GOAL = 40, 60
CEILING_BAR, CEILING_GOAL = 0.26, 0.4
CORES_BAR = 1.7
SLOPE_BAR, SLOPE_MARGIN = 1.0, 0.1
MEMORY_BARS_GIB = {65_536: 2, 262_144: 6}


def bars_table(results: dict[str, Any]) -> str:
    """One row for each bar whose section is there."""
    rows = []
    if "scipy" in results:
        times = results["scipy"]["seconds"]
        faster = ratio(times["scipy A.T @ A"], times["ours"])
        pruned = ratio(times["scipy A.T @ A"], times["ours, pruned"])
        rows.append(row("times as fast as SciPy", faster, f"at least {SCIPY_BAR}", met=faster >= SCIPY_BAR))
        rows.append(row("the same, pruned", pruned, "to be reported"))
    for section in ("ceiling", "wide"):
        if section in results:
            rows += ceiling_rows(results[section], bar=section == "ceiling")
    for job in results.get("memory", []):
        bar = MEMORY_BARS_GIB[job["n_latents"]]
        gib = job["maxrss_kib"] / 2**20
        rows.append(row(f"GiB of memory, {job['n_latents']:,} latents", gib, f"at most {bar}", met=gib <= bar))
    if "scaling" in results:
        for name, fit in fits(results["scaling"]["points"]).items():
            met = abs(fit["slope"] - SLOPE_BAR) <= SLOPE_MARGIN
            bar_text = f"{SLOPE_BAR:.1f} ± {SLOPE_MARGIN}"
            rows.append(
                row(f"slope of log seconds over log increments, {cores(name)}", fit["slope"], bar_text, met=met)
            )
    return "\n".join(["| | measured | bar | |", "|---|---|---|---|", *rows])


def ceiling_rows(part: dict[str, Any], *, bar: bool) -> list[str]:
    """Shares of the ceiling on each number of cores, and the gain from one core to all."""
    share, many = {}, ""
    for name, times in part["seconds"].items():
        tool, many = name.rsplit(", ", 1)
        if tool == "ours":
            done = part["ceiling_increments"] * int(many.split()[0])
            share[many] = part["increments"] / median(times) / (done / median(part["seconds"][f"ceiling, {many}"]))
    rows = [
        row(
            f"of the ceiling, {part['n_latents']:,} latents, {name}",
            value,
            f"at least {CEILING_BAR}, goal {CEILING_GOAL}" if bar else "to be reported",
            met=value >= CEILING_BAR if bar else None,
        )
        for name, value in share.items()
    ]
    if bar and len(share) > 1:
        gain = ratio(part["seconds"]["ours, 1 core"], part["seconds"][f"ours, {many}"])
        rows.append(row(f"times as fast on {many} as on one", gain, f"at least {CORES_BAR}", met=gain >= CORES_BAR))
    return rows


def row(name: str, value: float, bar: str, *, met: bool | None = None) -> str:
    """Name, number, bar, and whether it is met."""
    verdict = "" if met is None else "met" if met else "missed"
    return f"| {name} | {value:.2f} | {bar} | {verdict} |"


def fits(points: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Slope of the logarithms, and seconds = base + rate x increments by least squares of relative errors."""
    found = {}
    for name in points[0]["seconds"]:
        there = [point for point in points if name in point["seconds"]]
        if len(there) > 1:
            increments = np.array([point["increments"] for point in there], float)
            seconds = np.array([median(point["seconds"][name]) for point in there])
            slope = np.polyfit(np.log(increments), np.log(seconds), 1)[0]
            design = np.stack([1 / seconds, increments / seconds], axis=1)
            base, rate = np.linalg.lstsq(design, np.ones(len(there)), rcond=None)[0]
            last = np.diff(np.log(seconds))[-1] / np.diff(np.log(increments))[-1]
            found[name] = {"slope": float(slope), "last": float(last), "base": float(base), "rate": float(rate)}
    return found


def fits_text(points: list[dict[str, Any]]) -> str:
    """The slopes and the base cost in words."""
    lines = [
        f"- {cores(name)}: slope {fit['slope']:.2f}, between the two longest {fit['last']:.2f}; as a line, "
        f"{1e9 * fit['rate']:.2f} ns an increment and {1e3 * fit['base']:.0f} ms whatever the length."
        for name, fit in fits(points).items()
    ]
    return "\n".join([*lines, "", SHORT])


SHORT = """Where a slope is below one, it is the short shards that take more than their increments: on a few ten
thousand tokens millions of pairs of rare latents reach the floor and must be written, on more tokens they no longer
do."""


def cores(name: str) -> str:
    """A column of the scaling's table in words."""
    number, *pruned = name.split(", ")
    return ", ".join([f"{number} core{'s' if number != '1' else ''}", *pruned])


def checked_text(part: dict[str, Any]) -> str:
    """How many counts were compared with bitmaps."""
    checked = part["checked"]
    return (
        f"With {part['n_latents']:,} latents and {part['n_tokens']:,} tokens, {checked['kept']:,} of the pairs kept "
        f"and {checked['drawn']:,} pairs that fire together on a random token, {checked['drawn_reaching']:,} of which "
        "reach the floor, were counted by bitmaps of tokens: every count, and every absence, is equal."
    )
