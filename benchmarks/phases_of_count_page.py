"""The part of docs/benchmarks.md on where the time of a count goes."""

from __future__ import annotations

from statistics import median
from typing import Any

PHASES = """Transposition renumbers the latents and makes the postings; counting raises, reads and clears counters and
packs the pairs that reach the floor; sorting puts those into order and takes them apart. Against SciPy, the shard is so
short that millions of pairs of rare latents reach the floor, and their share of the time is not that of increments.

Tried on that shard, on a busy machine (smallest thread time of counting on one core, every increment counted): lines
of cache touched by a loop of loads before each 64 visits, and the mask's counters taken apart one by one, 0.35 s;
masks compared 64 at a time, silent latents left out, 0.23 s; three lines touched instead of two, 0.21 s; prefetch
instructions some visits ahead, 0.16 s, kept. Before that, scanning the counters of nearly all rare latents took 0.35
s where listing those raised took 0.23 s, and listing only counters that come to the smallest count of the row made
no difference."""

CLASSES = """Counting alone, on one core, by the firings of the rarer latent of a pair. A visit is one firing: it reads
the token's more frequent latents and raises their counters."""

CAUSE = """What explains it: the firings of a rare latent lie far apart in the tokens' records, which are larger than
the caches, so that a visit waits for lines of memory, and counters raised are listed and read back one by one. A
frequent latent goes through the records nearly in order, and its counters are compared many at a time. The more latents
there are, the rarer is a mean one, so more firings are of the first kind and more pairs must be packed and sorted. That
is the rest of the ceiling, whose loop has neither visits nor results."""

RARELY, OFTEN = 100, 10_000
"""Firings of the latents that are set against one another."""


def phases_text(parts: list[dict[str, Any]], ceilings: dict[int, float]) -> str:
    """Phases and classes of each shard, and what follows from them.

    ``ceilings``: increments a second that one core can reach, as measured beside each number of latents.
    """
    texts = [PHASES, phases_table(parts)]
    with_classes = [part for part in parts if "classes" in part]
    if with_classes:
        texts += [CLASSES, classes_table(with_classes)]
        longest = max(part["n_tokens"] for part in with_classes)
        texts += [rest_text(part, ceilings) for part in with_classes if part["n_tokens"] == longest]
        texts.append(CAUSE)
    return "\n\n".join(texts)


def phases_table(parts: list[dict[str, Any]]) -> str:
    """Median seconds and share of each phase."""
    lines = [
        "| latents | tokens | pairs kept | cores | transposition | counting | sorting of the pairs kept |",
        "|---|---|---|---|---|---|---|",
    ]
    for part in parts:
        for name, runs in part["phases"].items():
            seconds = phases(runs)
            shares = " | ".join(f"{s:.3f} s ({100 * s / sum(seconds.values()):.0f} %)" for s in seconds.values())
            sizes = f"{part['n_latents']:,} | {part['n_tokens']:,} | {part['pairs']:,}"
            lines.append(f"| {sizes} | {name} | {shares} |")
    return "\n".join(lines)


def phases(runs: list[dict[str, float]]) -> dict[str, float]:
    """Median seconds of each phase."""
    return {phase: median(run[phase] for run in runs) for phase in ("transposition", "counting", "sorting")}


def classes_table(parts: list[dict[str, Any]]) -> str:
    """One row for each class of latents."""
    lines = [
        "| latents | tokens | firings | so many | visits | increments a visit | pairs kept | seconds | ns a visit |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for part in parts:
        for group in part["classes"]:
            low, high = group["firings"]
            run = "by masks" if group["masked"] else f"{group['run_increments'] / max(1, group['visits']):.0f}"
            seconds = median(group["seconds"])
            lines.append(
                f"| {part['n_latents']:,} | {part['n_tokens']:,} | {low:,} to {high:,} | {group['latents']:,} "
                f"| {group['visits'] / 1e6:.1f} million | {run} | {group['pairs']:,} | {seconds:.3f} "
                f"| {1e9 * seconds / max(1, group['visits']):.0f} |"
            )
    return "\n".join(lines)


def rest_text(part: dict[str, Any], ceilings: dict[int, float]) -> str:
    """Where the rest of the ceiling goes."""
    one = phases(part["phases"]["1"])
    whole = sum(one.values())
    said = f"With {part['n_latents']:,} latents and {part['n_tokens']:,} tokens"
    if part["n_latents"] in ceilings:
        free = part["increments"] / ceilings[part["n_latents"]]
        said += f", the ceiling would take {free:.2f} s on one core and ours takes {whole:.2f}"
    said += (
        f": transposition is {share(one['transposition'], whole)} of the time on one core, "
        f"sorting {share(one['sorting'], whole)}."
    )
    counting = sum(median(group["seconds"]) for group in part["classes"])
    rare = [group for group in part["classes"] if group["firings"][1] <= RARELY and not group["masked"]]
    often = [group for group in part["classes"] if group["firings"][1] > OFTEN]
    if not rare or not often:
        return said
    seconds, visits, runs, pairs = (total(rare, of) for of in ("seconds", "visits", "run_increments", "pairs"))
    return (
        f"{said} Of counting, latents that fire at most {RARELY} times take {share(seconds, counting)}, with "
        f"{share(visits, total(part['classes'], 'visits'))} of the visits, {share(runs, part['increments'])} of the "
        f"increments and {share(pairs, part['pairs'])} of the pairs kept: a visit of theirs takes "
        f"{1e9 * seconds / visits:.0f} ns, one of the most frequent "
        f"{1e9 * total(often, 'seconds') / total(often, 'visits'):.0f}."
    )


def total(groups: list[dict[str, Any]], of: str) -> float:
    """Sum over classes; of seconds the sum of medians."""
    return float(sum(median(group[of]) if of == "seconds" else group[of] for group in groups))


def share(part: float, whole: float) -> str:
    """In per cent."""
    return f"{100 * part / max(whole, 1e-12):.0f} %"
