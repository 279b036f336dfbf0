"""The part of docs/benchmarks.md on the harvest."""

from __future__ import annotations

from statistics import median
from typing import Any

from harvest import ENCODE, FORWARD, GUARD_RAILS, HARVEST
from measuring import ratio

BAR = 0.85
"""Share of the speed of forward and encode that a harvest on a GPU is to reach."""


def page(results: dict[str, Any]) -> str:
    """Give the text, of the sections that are there."""
    parts = [INTRODUCTION]
    if "gpu" in results:
        parts += ["### Harvest on a GPU", gpu_text(results["gpu"])]
    if "cpu" in results:
        parts += ["### Harvest on the CPU", CPU, measured(results["cpu"])]
    return "\n\n".join(parts)


SHARD = 250_000
"""Tokens of a shard by default."""

INTRODUCTION = f"""## Harvest

`benchmarks/harvest.py`: tokens a second of the harvest of one shard (files and manifest; loading left out), beside what
it can't do without: the forward pass up to the hook, alone and with the SAE's encoder, nothing taken out of it. All run
on the same batches, in turns. The last row adds what comes once in a shard, its guard rails, which are measured by
themselves, to the harvest of a shard of {SHARD:,} tokens at that speed. Weights and tokens are random, the model is
laid out as Gemma 2, and the SAE is a JumpReLU one with its threshold set for a mean L0. The first tokens of the files
are compared with the dense latents, and must be equal. Batches are those of `batch_size: auto`."""

CPU = """A small model. All cores compute already, so little is gained by writing at the same time: the harvest's share
is what taking out, rounding and writing the latents leave. There is no bar for it."""

NO_GPU = f"""No GPU was at hand, so there are no numbers: whether a harvest on a GPU reaches {BAR} of the speed of
forward and encode has not been measured. The code of this section is only tried out on the CPU, by a test. On a machine
with one: `.venv/bin/python benchmarks/harvest.py --only gpu`."""


def gpu_text(part: dict[str, Any]) -> str:
    """Numbers, and whether the bar is met; or that there are none."""
    if "missing" in part:
        return NO_GPU
    shares = {length: share(found) for length, found in part["lengths"].items()}
    told = ", ".join(f"{value:.2f} at {length} tokens a context" for length, value in shares.items())
    met = "is met" if min(shares.values()) >= BAR else "is not met"
    return (
        f"{measured(part)}\n\nThe bar of {BAR} of the speed of forward and encode {met} by a whole shard with its "
        f"guard rails: {told}."
    )


def measured(part: dict[str, Any]) -> str:
    """Device and sizes, and a table of both lengths of contexts."""
    memory = f", at most {part['device_memory_gib']} GiB of its memory" if part["device_memory_gib"] else ""
    lines = [
        f"{part['device']}, torch {part['torch']}{memory}: {part['blocks']} blocks of width {part['d_model']:,} in "
        f"{part['dtype']}, {part['n_latents']:,} latents.",
        "",
        "| context | contexts a batch | tokens | mean L0 | | tokens a second | of forward and encode |",
        "|---|---|---|---|---|---|---|",
    ]
    for length, found in part["lengths"].items():
        sizes = f"{length} | {found['batch_size']} | {found['n_tokens']:,} | {found['mean_l0']:.0f}"
        for name in (FORWARD, ENCODE, HARVEST):
            speeds = [found["n_tokens"] / seconds for seconds in found["seconds"][name]]
            speed = f"{median(speeds):,.0f} ({min(speeds):,.0f} to {max(speeds):,.0f})"
            of_encode = ratio(found["seconds"][ENCODE], found["seconds"][name])
            lines.append(f"| {sizes} | {name} | {speed} | {of_encode:.2f} |")
        lines.append(f"| {sizes} | a shard with its guard rails | {shard_speed(found):,.0f} | {share(found):.2f} |")
    return "\n".join(lines)


def shard_speed(found: dict[str, Any]) -> float:
    """Tokens a second of a whole shard of the default size."""
    speed = found["n_tokens"] / median(found["seconds"][HARVEST])
    return SHARD / (SHARD / speed + median(found["seconds"][GUARD_RAILS]))


def share(found: dict[str, Any]) -> float:
    """Speed of a whole shard, as a share of that of forward and encode."""
    return shard_speed(found) * median(found["seconds"][ENCODE]) / found["n_tokens"]
