"""docs/validation.md and its figures, from the numbers of the last run of science.py.

.venv/bin/python benchmarks/science_page.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from measuring import recorded, verdict
from science_figures import (
    CONFUSION,
    IMAGES,
    LIMITS,
    POWER,
    ROC,
    draw_confusion,
    draw_limits,
    draw_power,
    draw_roc,
)
from science_measures import CALLS
from science_text import (
    CALIBRATION,
    COST,
    FALSE_CALLS,
    INTRODUCTION,
    LIMITS_TEXT,
    PLANTED,
    POWER_TEXT,
    RIVALS,
    SHIFT,
    TRAINED,
)
from write_page import machine_text

PAGE = Path("docs/validation.md")
LEAST_RECOVERY, LEAST_RIGHT, LEAST_AUC, LEAST_COSINE, MOST_SHIFTED = 0.95, 0.9, 0.97, 0.95, 0.05
MOST_MINUTES, MOST_GIB = 10, 4


def main() -> int:
    """Write the page of the sections that are there."""
    PAGE.write_text(page(recorded("science")), encoding="utf-8")
    return 0


def page(results: dict[str, Any]) -> str:
    """Draw the figures and give the text."""
    parts = [INTRODUCTION]
    if "machine" in results:
        parts.append(machine_text(results["machine"]))
    parts += ["## What must be reached", bars_table(results)]
    if "planted" in results:
        parts += planted_parts(results["planted"])
    if "shift" in results:
        parts += ["## Circular shifts", SHIFT, shift_text(results["shift"])]
    if "power" in results:
        draw_power(results["power"], IMAGES / POWER)
        parts += ["## Points that a shape needs", POWER_TEXT, f"![Power curves](images/{POWER})"]
        parts.append(power_table(results["power"]))
    if "limits" in results:
        draw_limits(results["limits"], IMAGES / LIMITS)
        parts += ["## Where calls break", LIMITS_TEXT, f"![Calls over what is varied](images/{LIMITS})"]
    if "trained" in results:
        parts += ["## Codes made by training", TRAINED, *map(trained_text, results["trained"]["runs"])]
    if "cost" in results:
        parts += ["## Cost", COST, cost_text(results["cost"])]
    return "\n\n".join(parts) + "\n"


def bars_table(results: dict[str, Any]) -> str:
    """Every bar, what was found, and whether it is met."""
    rows: list[tuple[str, str, str, bool]] = []
    if planted := results.get("planted"):
        for name, key, least in (
            ("planted shapes recovered (Jaccard of members at least 0.8)", "recovery", LEAST_RECOVERY),
            ("planted shapes called right", "right", LEAST_RIGHT),
        ):
            found = planted[key]["moderate"]
            rows.append((f"{name}, moderate noise", f"at least {least:.0%}", of_text(found), found["share"] >= least))
        chance = planted["calibration"]["all"]
        for level in ("0.05", "0.01"):
            share, most = chance[level]["share"], chance[level]["most"]
            rows.append((f"blobs and mixtures with p <= {level}", f"at most {most:.3f}", f"{share:.3f}", share <= most))
        false = planted["false_calls"]
        rows.append(
            (
                "false calls among calls at q <= 0.05",
                f"at most {false['most']:.3f}",
                f"{false['share']:.3f} ({false['false']} of {false['calls']})",
                false["share"] <= false["most"],
            )
        )
        auc = planted["roc"]["ours"]["auc"]
        rows.append(("area under the ROC curve", f"at least {LEAST_AUC}", f"{auc:.3f}", auc >= LEAST_AUC))
        cosine = planted["missed_by_cosine"]
        rows.append(
            (
                "`missed_by_cosine` right",
                f"at least {LEAST_COSINE:.0%}",
                of_text(cosine),
                cosine["share"] >= LEAST_COSINE,
            )
        )
    if shift := results.get("shift"):
        share = shift["share_of_edges"]
        rows.append(
            (
                f"edges at q <= 0.05 after a shift, {len(shift['runs'])} runs",
                f"at most {MOST_SHIFTED:.0%} of the real ones",
                f"{share:.2%}, worst run {shift['worst']:.2%}",
                share <= MOST_SHIFTED,
            )
        )
    if cost := results.get("cost"):
        minutes, gib = cost["seconds"] / 60, cost["maxrss_kib"] / 2**20
        full = cost["clusters"] >= 1_000
        rows.append(
            (
                f"tests and nulls of {cost['clusters']:,} clusters",
                f"at most {MOST_MINUTES} minutes, {MOST_GIB} GiB",
                f"{minutes:.1f} minutes, {gib:.1f} GiB",
                full and minutes <= MOST_MINUTES and gib < MOST_GIB,
            )
        )
    lines = ["| | bar | found | |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {bar} | {found} | {verdict(met)} |" for name, bar, found, met in rows)])


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


def power_table(part: dict[str, Any]) -> str:
    """Points for 80 % power."""
    shapes = part["shapes"]
    snrs = list(next(iter(shapes.values())))
    lines = [f"| points for 80 % | {' | '.join(f'SNR {snr}' for snr in snrs)} |", f"|---|{'---|' * len(snrs)}"]
    for kind, row in shapes.items():
        cells = [f"{needed:,.0f}" if (needed := row[snr]["points_needed"]) else "more than 1,000" for snr in snrs]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
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
        f"{part['draws']:,} draws; {part['calls']} were called a shape. Largest memory of a process "
        f"{part['maxrss_kib'] / 2**20:.2f} GiB, {part['maxrss_before_kib'] / 2**20:.2f} GiB of them before. "
        f"First stage of a blob, processor time: {growth}."
    )


def of_text(found: dict[str, float]) -> str:
    """98 of 100 (98 %)."""
    return f"{found['count']} of {found['of']} ({found['share']:.1%})"


if __name__ == "__main__":
    sys.exit(main())
