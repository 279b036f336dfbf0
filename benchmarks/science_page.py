"""docs/validation.md and its figures, from the numbers of the last run of science.py.

.venv/bin/python benchmarks/science_page.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import edge_significance_page
from measuring import put_between, recorded, verdict
from science_bars import bars, bars_table, missed_parts, of_text
from science_figures import (
    CONFUSION,
    IMAGES,
    LIMITS,
    POWER,
    ROC,
    UNITS,
    draw_confusion,
    draw_limits,
    draw_power,
    draw_roc,
)
from science_measures import CALLS, REASONS
from science_text import (
    CALIBRATION,
    CLUSTERINGS,
    COST,
    FALSE_CALLS,
    FAULTS,
    INTRODUCTION,
    LIMITS_TEXT,
    NOT_RIGHT,
    PLANTED,
    POWER_TEXT,
    RIVALS,
    SHIFT,
    TRAINED,
)
from write_page import machine_text

PAGE = Path("docs/validation.md")
SECTIONS = ("planted", "clusterings", "shift", "power", "limits", "trained", "cost")
METHODS = Path("docs/methods.md")
POWER_PLACE = "points that a shape needs"


def main() -> int:
    """Write the page of the sections that are there, and the power curves into docs/methods.md."""
    results, edges = recorded("science"), recorded("edge_significance")
    PAGE.write_text(page(results, edges), encoding="utf-8")
    if "power" in results and not put_between(METHODS, POWER_PLACE, power_part(results["power"])):
        print(f"{METHODS} has no place for {POWER_PLACE}: not written")
    for bar in bars(results, edges):
        print(f"{verdict(bar.met)}: {bar.name}: {bar.found} ({bar.asked})")
    missing = [section for section in SECTIONS if section not in results]
    if missing:
        print(f"not measured yet, so not on the page: {', '.join(missing)}")
    return 0


def page(results: dict[str, Any], edges: dict[str, Any]) -> str:
    """Draw the figures and give the text."""
    found = bars(results, edges)
    parts = [INTRODUCTION, run_text(results, edges)]
    parts += ["## What must be reached", bars_table(found), *missed_parts(found)]
    if "planted" in results:
        parts += planted_parts(results["planted"])
    if "clusterings" in results:
        parts += ["### Other clusterings", CLUSTERINGS, clusterings_table(results["clusterings"])]
    if "shift" in results:
        parts += ["## Circular shifts", SHIFT, shift_text(results["shift"])]
    if "power" in results:
        draw_power(results["power"], IMAGES / POWER)
        parts += ["## Points that a shape needs", power_part(results["power"])]
    if "limits" in results:
        draw_limits(results["limits"], IMAGES / LIMITS)
        parts += ["## Where calls break", LIMITS_TEXT, f"![Calls over what is varied](images/{LIMITS})"]
        parts.append(limits_table(results["limits"]))
    if "trained" in results:
        parts += ["## Codes made by training", TRAINED, *map(trained_text, results["trained"]["runs"])]
    if "cost" in results:
        parts += ["## Cost", COST, cost_text(results["cost"])]
    parts += ["## Deliberate faults", FAULTS]
    if edges:
        parts.append(edge_significance_page.page(edges))
    return "\n\n".join(parts) + "\n"


def run_text(results: dict[str, Any], edges: dict[str, Any]) -> str:
    """Machine, seeds, and how long each section took."""
    seeds = {name: results[name]["seed"] for name in SECTIONS if "seed" in results.get(name, {})}
    minutes = {name: spent / 60 for name, spent in results.get("wall_seconds", {}).items()}
    if "wall_seconds" in edges:
        minutes["edges"] = sum(edges["wall_seconds"].values()) / 60
    parts = [machine_text(results["machine"])] if "machine" in results else []
    if seeds:
        parts.append(f"Seeds: {', '.join(f'{name} {seed}' for name, seed in seeds.items())}.")
    if minutes:
        each = ", ".join(f"{name} {spent:.1f}" for name, spent in minutes.items())
        parts.append(f"Minutes: {each}; {sum(minutes.values()):.0f} in all.")
    return "\n\n".join(parts)


def planted_parts(part: dict[str, Any]) -> list[str]:
    """Recovery, confusion, calibration, ROC and cosine."""
    draw_roc(part, IMAGES / ROC)
    draw_confusion(part, IMAGES / CONFUSION)
    cosine = part["missed_by_cosine"]
    false = part["false_calls"]
    where = ", ".join(f"{kind} {count}" for kind, count in sorted(false["on"].items())) or "none"
    return [
        "## Planted shapes",
        PLANTED.format(**part),
        found_table(part),
        "### Calls",
        f"![Confusion matrix](images/{CONFUSION})",
        confusion_table(part["confusion"]),
        NOT_RIGHT,
        reasons_table(part["not_right"]),
        f"Of the simplices called so, {of_text(part['right_vertices'])} have the right number of vertices.",
        "### Calibration",
        CALIBRATION,
        calibration_table(part["calibration"]),
        FALSE_CALLS.format(where=where, **false),
        "### Beside other rankings",
        RIVALS,
        roc_table(part["roc"]),
        f"![ROC curves](images/{ROC})",
        f"Missed by cosine: the chain's answer is right for {of_text(cosine)} recovered shapes; "
        f"{cosine['missed']} of them are missed.",
    ]


def found_table(part: dict[str, Any]) -> str:
    """Recovered and called right, by kind and by what makes it harder."""
    lines = ["| | recovered | called right |", "|---|---|---|"]
    for kind in part["recovery"]:
        lines.append(f"| {kind} | {of_text(part['recovery'][kind])} | {of_text(part['right'][kind])} |")
    for kind in (name for name in part["right"] if name not in part["recovery"]):
        lines.append(f"| {kind} | | {of_text(part['right'][kind])} |")
    for title, field in (("decoder rows", "by_rows"), ("code", "by_code"), ("dimensions", "by_d")):
        for value, found in part[field].items():
            lines.append(f"| {title}: {value} | {of_text(found['recovered'])} | {of_text(found['right'])} |")
    for tier, found in part["harder"].items():
        lines.append(f"| harder: {tier} | {of_text(found['recovered'])} | {of_text(found['right'])} |")
    return "\n".join(lines)


def confusion_table(table: dict[str, dict[str, int]]) -> str:
    """Planted kind by call."""
    lines = [f"| planted | {' | '.join(CALLS)} |", f"|---|{'---|' * len(CALLS)}"]
    return "\n".join(
        [*lines, *(f"| {kind} | {' | '.join(str(row[c]) for c in CALLS)} |" for kind, row in table.items())]
    )


def reasons_table(table: dict[str, dict[str, int]]) -> str:
    """Why shapes were not called right, by kind."""
    lines = [f"| not called right | {' | '.join(REASONS)} |", f"|---|{'---|' * len(REASONS)}"]
    return "\n".join(
        [*lines, *(f"| {kind} | {' | '.join(str(row[r]) for r in REASONS)} |" for kind, row in table.items())]
    )


def calibration_table(table: dict[str, Any]) -> str:
    """Shares of small p-values by variety."""
    lines = ["| | clusters | p <= 0.05 | at most | p <= 0.01 | at most |", "|---|---|---|---|---|---|"]
    for name, row in table.items():
        cells = [f"{row[level][key]:.3f}" for level in ("0.05", "0.01") for key in ("share", "most")]
        lines.append(f"| {name} | {row['of']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def roc_table(table: dict[str, Any]) -> str:
    """Areas under the curves."""
    lines = [
        "| ranked by | against blobs and mixtures | sheets among the negatives | circles alone |",
        "|---|---|---|---|",
    ]
    for name, row in table.items():
        lines.append(f"| {name} | {row['auc']:.3f} | {row['auc_with_sheets']:.3f} | {row['auc_circles']:.3f} |")
    if "ripser ratio" not in table:
        lines.append("| ripser ratio | not measured: the package ripser is not there | | |")
    return "\n".join(lines)


def clusterings_table(part: dict[str, Any]) -> str:
    """Groups recovered by each clustering: moderate shapes, negatives, and what makes shapes harder."""
    columns = list(dict.fromkeys(["moderate", "negatives", *next(iter(part["recovered"].values()))]))
    titles = ["moderate shapes" if column == "moderate" else column for column in columns]
    lines = [f"| clustering | {' | '.join(titles)} |", f"|---|{'---|' * len(columns)}"]
    for name, found in part["recovered"].items():
        lines.append(f"| `{name}` | {' | '.join('{} of {}'.format(*found[column]) for column in columns)} |")
    return "\n".join(lines)


def shift_text(part: dict[str, Any]) -> str:
    """Sums over the runs."""
    total = {key: sum(run[key] for run in part["runs"]) for key in part["runs"][0]}
    edges = f"{total['edges']:,} edges at q <= 0.05, {total['edges_shifted']:,} after the shift"
    return (
        f"In {len(part['runs'])} runs: {edges} "
        f"({part['share_of_edges']:.2%}; worst run {part['worst']:.2%}); {total['clusters']:,} clusters, "
        f"{total['clusters_shifted']:,} after it: {total['tested_shifted']:,} had points enough to be tested, "
        f"{total['calls_shifted']:,} were called a shape."
    )


def power_part(part: dict[str, Any]) -> str:
    """The same text, figure and table in docs/validation.md and docs/methods.md."""
    text = POWER_TEXT.format(repeats=part["repeats"], seed=part["seed"])
    return "\n\n".join([text, f"![Power curves](images/{POWER})", power_table(part)])


def power_table(part: dict[str, Any]) -> str:
    """Points for 80 % power."""
    shapes = part["shapes"]
    snrs = list(next(iter(shapes.values())))
    lines = [f"| points for 80 % | {' | '.join(f'SNR {snr}' for snr in snrs)} |", f"|---|{'---|' * len(snrs)}"]
    for kind, row in shapes.items():
        cells = [f"{needed:,.0f}" if (needed := row[snr]["points_needed"]) else "more than 1,000" for snr in snrs]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def limits_table(part: dict[str, Any]) -> str:
    """For each value of what is varied, the calls and how often each came."""
    lines = ["| varied | value | calls |", "|---|---|---|"]
    for what, values in part["calls"].items():
        for value in sorted(values, key=float):
            calls = ", ".join(f"{name} {count}" for name, count in sorted(values[value].items(), key=lambda c: -c[1]))
            lines.append(f"| {UNITS[what]} | {value} | {calls} |")
    return "\n".join(lines)


def trained_text(run: dict[str, Any]) -> str:
    """What became of each group in a trained code."""
    head = (
        f"{run['architecture']}: FVU {run['fvu']:.3f}, {run['l0']:.1f} latents on a token, "
        f"{run['latents_firing']} that fire, {run['clusters']} clusters, {run['tested']} tested, {run['calls']} called."
    )
    lines = ["| planted | its latents in the code | best cluster's Jaccard | called | p |", "|---|---|---|---|---|"]
    for row in run["groups"]:
        p = "" if row["p_any"] is None else f"{row['p_any']:.4f}"
        lines.append(f"| {row['variety']} | {row['latents']} | {row['jaccard']:.2f} | {row['call'] or 'none'} | {p} |")
    return "\n".join([head, "", *lines])


def cost_text(part: dict[str, Any]) -> str:
    """Seconds, draws and memory, and how they grow."""
    growth = "; ".join(f"{name}: {seconds:.2f} s" for name, seconds in part["growth"].items())
    return (
        f"{part['clusters']:,} clusters with {part['points']:,} points in all took {part['seconds']:.0f} s and "
        f"{part['draws']:,} draws; {part['calls']} were called a shape. Memory of all processes "
        f"together at most {part['maxrss_kib'] / 2**20:.2f} GiB, of which {part['maxrss_before_kib'] / 2**20:.2f} GiB "
        "before the first test. "
        f"First stage of a blob, processor time: {growth}."
    )


if __name__ == "__main__":
    sys.exit(main())
