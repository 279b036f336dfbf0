"""docs/benchmarks.md and its figures, from the numbers of the last runs (docs/benchmarks/*.json).

.venv/bin/python benchmarks/write_page.py
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
from measuring import recorded, verdict
from synthetic_activations import Workload, plan_sources

PAGE = Path("docs/benchmarks.md")
BENCHMARKS = (
    "count_pairs",
    "merge_shards",
    "read_write",
    "draw_figures",
    "harvest",
    "plan_workflow",
    "check_estimate",
    "full_run",
)
"""In the order of the page; the text of each is made by ``{name}_page.py``."""

FULL_RUN = "full_run"
"""The one that ``make bench`` leaves out."""

MOST_MINUTES = 20


def main() -> int:
    """Join the parts whose numbers are there."""
    parts = [INTRODUCTION, marginals_text()]
    machines, minutes = {}, {}
    for name in BENCHMARKS:
        results = recorded(name)
        if results:
            machines[machine_text(results["machine"])] = None
            if "wall_seconds" in results and name != FULL_RUN:
                minutes[name] = sum(results["wall_seconds"].values()) / 60
            parts.append(importlib.import_module(f"{name}_page").page(results))
    parts[2:2] = [*machines, *([duration_text(minutes)] if len(minutes) == len(BENCHMARKS) - 1 else [])]
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return 0


INTRODUCTION = """# Benchmarks

Made by `make bench` and `make bench-full`, or by running their parts one by one, on a machine that should do nothing
else meanwhile. Tools take turns in one run; numbers are medians, in brackets the smallest and the largest. What is
compared is also checked to be equal.

The activations are synthetic (`benchmarks/synthetic_activations.py`): a few latents fire on 20 to 60 % of the tokens,
most on less than 0.1 %, 10 % never; the number of latents on a token varies around its mean; rare latents come in
bursts within a document; 8 % of the latents are in groups of 3 to 50 that fire together."""


def marginals_text() -> str:
    """How often the latents of the standard workload fire, beside what is published of real ones."""
    workload = Workload()
    rates = plan_sources(workload).rates
    often = rates > 0.1
    low, middle, high = np.quantile(rates[rates > 0], [0.05, 0.5, 0.95])
    return (
        f"With {workload.n_latents:,} latents of which {workload.mean_l0:.0f} fire on a mean token, "
        f"{(rates > 0.2).sum()} latents fire on more than 20 % of the tokens, {often.sum()} on more than 10 % "
        f"({rates[often].sum() / rates.sum():.0%} of all firings), {(rates < 0.001).mean():.0%} on less than 0.1 %; "
        f"of those that fire, the median fires on {middle:.2%}, nine in ten between {low:.3%} and {high:.2%}. "
    ) + PUBLISHED


PUBLISHED = """No real SAE was at hand to measure. Published histograms have these traits too: densities that spread
over several powers of ten below 1 % (Bricken et al., *Towards Monosemanticity*, 2023); a few dense latents on more
than a tenth of the tokens, in Gemma Scope's JumpReLU SAEs too (Sun et al., *Dense SAE Latents Are Features, Not
Bugs*, 2025); latents that never fire, and a number of latents that varies from token to token (Lieberum et al.,
*Gemma Scope*, 2024). Real ones differ from layer to layer, and also hold latents much rarer than ours."""


def duration_text(minutes: dict[str, float]) -> str:
    """How long the parts of ``make bench`` took."""
    each = ", ".join(f"{name} {spent:.1f}" for name, spent in minutes.items())
    whole = sum(minutes.values())
    said = verdict(whole <= MOST_MINUTES)
    return f"Minutes of each part of `make bench`: {each}; {whole:.1f} in all (at most {MOST_MINUTES}: {said})."


def machine_text(machine: dict[str, Any]) -> str:
    """Machine and versions."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    size = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB"
    return f"Machine: {size}; {machine['threads']} threads where nothing else is said. Versions: {versions}."


if __name__ == "__main__":
    sys.exit(main())
