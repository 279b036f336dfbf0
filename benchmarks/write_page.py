"""docs/benchmarks.md and its figures, from the numbers of the last runs (docs/benchmarks/*.json).

.venv/bin/python benchmarks/write_page.py
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from measuring import recorded

PAGE = Path("docs/benchmarks.md")
BENCHMARKS = ("count_pairs", "merge_shards")
"""In the order of the page; the text of each is made by ``{name}_page.py``."""


def main() -> int:
    """Join the parts whose numbers are there."""
    parts = [INTRODUCTION]
    machines = {}
    for name in BENCHMARKS:
        results = recorded(name)
        if results:
            machines[machine_text(results["machine"])] = None
            parts.append(importlib.import_module(f"{name}_page").page(results))
    parts[1:1] = machines
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return 0


INTRODUCTION = """# Benchmarks

Made by `make bench`, on a machine that did nothing else. Tools take turns in one run; numbers are medians, in brackets
the smallest and the largest. What is compared is also checked to be equal.

The activations are synthetic (`benchmarks/synthetic_activations.py`): a few latents fire on 20 to 60 % of the tokens,
most on less than 0.1 %, 10 % never; the number of latents on a token varies around its mean; rare latents come in
bursts within a document; 8 % of the latents are in groups of 3 to 50 that fire together."""


def machine_text(machine: dict[str, Any]) -> str:
    """Machine and versions."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    size = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB"
    return f"Machine: {size}; {machine['threads']} threads where nothing else is said. Versions: {versions}."


if __name__ == "__main__":
    sys.exit(main())
