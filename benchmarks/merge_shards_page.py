"""The part of docs/benchmarks.md on partial counts: their bytes, the merge, the size of shards, adding shards."""

from __future__ import annotations

from statistics import median
from typing import Any

from measuring import ratio, recorded, shown, verdict

MOST_BYTES, MOST_RECOUNT, MOST_GROWING, MOST_GIB = 1.0, 0.3, 0.35, 2.0


def page(results: dict[str, Any]) -> str:
    """The text, of the sections that are there."""
    parts = [INTRODUCTION]
    if "bytes" in results:
        parts += ["### Bytes, and the second pass", bytes_text(results["bytes"])]
    if "shard_size" in results:
        parts += ["### How large a shard should be", SIZES, sizes_table(results["shard_size"])]
    if "reduce" in results:
        parts += ["### Very many shards", PARTIALS, reduce_table(results["reduce"])]
    if "growing" in results:
        parts += ["### Adding a shard", growing_text(results["growing"])]
    return "\n\n".join(parts)


INTRODUCTION = """## Partial counts

`benchmarks/merge_shards.py`: what it costs that tokens are counted in shards. All jobs read and write files, as in the
workflow; reading and checking the activations is part of pass 1, and reading the latents alone of pass 2."""

SIZES = """The same tokens, cut otherwise. Pairs that a shard keeps are written once for each shard that keeps them;
candidates are those that can still reach the floor when all shards are known, and are counted again."""

PARTIALS = """Files as pass 1 and pass 2 leave them, without tokens behind them (`benchmarks/partial_counts.py`): pairs
that belong together in nearly every shard, and chance pairs, other ones in each. Largest memory of a process that does
only this; at most one file is open at a time."""


def bytes_text(part: dict[str, Any]) -> str:
    """Bytes of the partials beside those of the activations; seconds of both passes."""
    size = part["partial_bytes"] / part["activation_bytes"]
    share = ratio(part["recount_seconds"], part["count_seconds"])
    rows = [
        ("activations", f"{part['activation_bytes'] / 1e6:.1f} MB", "", ""),
        (
            "all files of counts",
            f"{part['partial_bytes'] / 1e6:.1f} MB, {size:.3f} of the activations",
            f"at most {MOST_BYTES}",
            verdict(size <= MOST_BYTES),
        ),
        ("pass 1, seconds", shown(part["count_seconds"]), "", ""),
        (
            "pass 2, seconds",
            f"{shown(part['recount_seconds'])}, {share:.2f} of pass 1",
            f"at most {MOST_RECOUNT}",
            verdict(share <= MOST_RECOUNT),
        ),
    ]
    sizes = (
        f"{part['n_shards']} shards of {part['tokens_per_shard']:,} tokens, floor 0.02: {part['kept_pairs']:,} pairs "
        f"kept by shards, {part['candidates']:,} candidates."
    )
    return "\n".join([sizes, "", *table_of(["", "", "bar", ""], rows), "", PASSES])


PASSES = """Pass 2 reads the same files, if only the latents, finds the candidates that the shard did not keep,
and lists and counts their firings. Tried and kept: fewer candidates, by a bound over all shards; ids alone, read by
several threads; each thread lists the firings of its own tokens, without a branch on whether a latent is wanted;
postings of the next pairs are asked for ahead. Tried and left: marks of one bit, which fit the first cache but cost
more operations. Not tried: writing posting lists in pass 1, which would be larger than the latents that pass 2
reads."""


def sizes_table(points: list[dict[str, Any]]) -> str:
    """Pairs, bytes and seconds over the size of a shard."""
    names = ["tokens a shard", "shards", "pairs kept", "candidates", "bytes, of the activations"]
    rows = [
        (
            f"{point['tokens_per_shard']:,}",
            str(point["n_shards"]),
            f"{point['kept_pairs']:,}",
            f"{point['candidates']:,}",
            f"{point['partial_bytes'] / point['activation_bytes']:.3f}",
            *(f"{point[name]:.1f}" for name in ("count_seconds", "merge_seconds", "recount_seconds")),
        )
        for point in points
    ]
    return "\n".join(table_of([*names, "pass 1, s", "merge, s", "pass 2, s"], rows))


def reduce_table(part: dict[str, Any]) -> str:
    """Memory and seconds of the merge and of the reduce."""
    rows = []
    for job, name in (("merge", "merge_candidates"), ("reduce", "reduce_counts")):
        gib = part[job]["maxrss_kib"] / 2**20
        pairs = f"{name}: {part[job]['rows']:,} pairs"
        rows.append(
            (pairs, f"{part[job]['seconds']:.1f}", f"{gib:.2f}", f"at most {MOST_GIB:g}", verdict(gib <= MOST_GIB))
        )
    sizes = (
        f"{part['n_shards']} shards, {part['n_latents']:,} latents, {part['rows']:,} rows "
        f"({part['bytes'] / 1e6:.0f} MB)."
    )
    return "\n".join([sizes, "", *table_of(["", "seconds", "largest memory, GiB", "bar", ""], rows)])


def growing_text(part: dict[str, Any]) -> str:
    """One shard added, beside all at once."""
    seconds = part["seconds"]
    share = ratio(seconds["one added"], seconds["all at once"])
    added, whole = (f"{median(seconds[name]):.1f} s" for name in ("one added", "all at once"))
    text = (
        f"{part['n_latents']:,} latents, so that each fires as often in a shard as 65,536 do by default; "
        f"{part['n_shards'] - 1} shards of {part['tokens_per_shard']:,} tokens, counted before, and one more: its pass "
        f"1, the merge, pass 2 of all shards and the reduce take {added}, all {part['n_shards']} shards from the "
        f"beginning {whole}: {share:.2f} of it (bar: at most {MOST_GROWING}: {verdict(share <= MOST_GROWING)}). What "
        "is made anew is pass 2 of all shards and the reduce, so that the share is larger the faster pass 1 is. The "
        "edges are the same bytes."
    )
    return f"{text}\n\n{ADDED} {full_size_text(recorded('full_run').get('workflow'))}".rstrip()


ADDED = """Why not only the new shard: its pairs become candidates everywhere, so that every old shard has some that it
never counted, and reads its activations again for them. Counts of an old second pass could be kept, but its file leaves
out pairs that never fire together, so that what was counted is not told from what was not, and a job that updates its
own output would also keep what was made with other settings."""


def full_size_text(whole: dict[str, Any] | None) -> str:
    """What adding a shard would take of a run at full size, from the seconds of its jobs."""
    names = ("count_shard", "merge_candidates", "recount_shard", "reduce_counts")
    if whole is None or not set(names) <= set(whole["stages"]):
        return ""
    count, *others = (whole["stages"][name]["seconds"] for name in names)
    shards = whole["shards"]
    share = (count / shards + sum(others)) / (count + sum(others))
    return (
        f"Shards are a fifth of the default size here, and what a job costs besides its tokens weighs more. Of the "
        f"seconds of the {shards} shards of `make bench-full`, those made anew when one of them is added are "
        f"{share:.2f}."
    )


def table_of(names: list[str], rows: list[tuple[str, ...]]) -> list[str]:
    """The lines of a table."""
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]
