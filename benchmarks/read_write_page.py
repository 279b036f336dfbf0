"""The part of docs/benchmarks.md on writing, indexing and slicing activations."""

from __future__ import annotations

from statistics import median
from typing import Any

from measuring import ratio, recorded, shown, verdict

GIB = 2**20  # KiB
COPY_BAR, SLICE_BAR, WRITER_BAR = 4.0, 100.0, 0.8
INDEX_MEMORY_BAR, JOB_MEMORY_BAR = 2.0, 4.0
LARGE = 1e9


def page(results: dict[str, Any]) -> str:
    """The text of the sections that are there."""
    parts = [INTRODUCTION]
    if "index" in results:
        parts += ["### Building the index", index_table(results["index"])]
    if "memory" in results:
        parts += ["### Memory and time over size", MEMORY, *memory_tables(results["memory"])]
    if "slice" in results:
        parts += ["### Slices of a cluster", SLICE, slice_table(results["slice"])]
    if "writer" in results:
        parts += ["### Writing", WRITER, writer_table(results["writer"])]
    return "\n\n".join(parts)


INTRODUCTION = """## Writing, indexing and slicing activations

`benchmarks/read_write.py`: activations on disk as a harvest leaves them (shards of parts of 8,192 tokens), the jobs
that read all of them, and slices of a few latents."""

MEMORY = """Each job in a process of its own; the larger sizes are the same shards several times over. Memory is the
largest resident one, Python and its libraries included (some 0.13 GiB)."""

SLICE = """Ten latents of a group that fires together: on which tokens any of them fires, and all their activations
there, as a dense block. Ours opens the index anew each time. polars and DuckDB scan the Parquet files for the three
columns that matter, each with the predicate that was fastest on one shard; all files are in the page cache."""

WRITER = """Ours checks the rows, writes parts with page checksums, flushes each to disk, hashes it and writes the
manifest; pyarrow's `write_table` writes the same tables with ZSTD 5 and the same row groups, and does nothing else."""


def index_table(part: dict[str, Any]) -> str:
    """Seconds beside those of a copy, and the bar."""
    lines = [f"{sizes_text(part)} The index has {part['index_bytes'] / 1e6:,.0f} MB.", ""]
    cache = "Files are read from a cold cache" if part["cold"] else "The page cache could not be dropped: it was warm"
    lines += [f"{cache}; what is written is flushed to disk.", "", "| | seconds | times a copy |", "|---|---|---|"]
    copied = part["seconds"]["copy"]
    for name, times in part["seconds"].items():
        lines.append(f"| {name} | {shown(times)} | {ratio(times, copied):.2f} |")
    best = ratio(list(part["seconds"].values())[-1], copied)
    return "\n".join([*lines, "", bar_sentence(best <= COPY_BAR, "at most 4 times the copy", f"{best:.2f} times")])


def memory_tables(points: list[dict[str, Any]]) -> list[str]:
    """One table, and what it lets expect at 1e9 entries."""
    jobs = list(points[0]["jobs"])
    titles = " | ".join(f"{job}: seconds | largest memory" for job in jobs)
    lines = [f"| tokens | entries | {titles} |", f"|---|---|{'---|' * 2 * len(jobs)}"]
    for point in points:
        cells = " | ".join(
            f"{point['jobs'][job]['seconds']:.1f} | {point['jobs'][job]['maxrss_kib'] / GIB:.2f} GiB" for job in jobs
        )
        lines.append(f"| {point['n_tokens']:,} | {point['n_entries']:.3g} | {cells} |")
    texts = ["\n".join(lines)]
    if len(points) > 1:
        whole = recorded("full_run").get("workflow")
        texts.append("\n".join(measured_whole(whole, job) or expectation(points, job) for job in jobs))
    return texts


def measured_whole(whole: dict[str, Any] | None, job: str) -> str | None:
    """What the job took in ``make bench-full``, where that ran it on at least so many entries."""
    if whole is None or whole["n_entries"] < LARGE or job not in whole["stages"]:
        return None
    stage = whole["stages"][job]
    gib = stage["mib"] / 1024
    return (
        f"- `{job}`: {gib:.2f} GiB and {stage['seconds']:.0f} s at {whole['n_entries']:.3g} entries, measured by `make "
        f"bench-full`. {memory_sentence(job, gib)}"
    )


def expectation(points: list[dict[str, Any]], job: str) -> str:
    """Time and memory of a job at 1e9 entries, on the line through the two largest sizes."""
    before, last = points[-2:]

    def line(key: str) -> tuple[float, float]:
        low, high = before["jobs"][job][key], last["jobs"][job][key]
        slope = (high - low) / (last["n_entries"] - before["n_entries"])
        return slope, max(high, high + slope * (LARGE - last["n_entries"]))

    (memory_slope, memory), (_, seconds) = line("maxrss_kib"), line("seconds")
    growth = f"{memory_slope * 1e8 / GIB:+.2f} GiB for each 1e8 entries between the two largest sizes"
    return f"- `{job}`: {growth}; expected at 1e9 entries {seconds:.0f} s. {memory_sentence(job, memory / GIB)}"


def memory_sentence(job: str, gib: float) -> str:
    """Whether a job's memory at 1e9 entries is what it may be."""
    bar = INDEX_MEMORY_BAR if job == "build_index" else JOB_MEMORY_BAR
    return bar_sentence(gib <= bar, f"at most {bar:g} GiB at 1e9 entries", f"{gib:.2f} GiB")


def slice_table(part: dict[str, Any]) -> str:
    """One table for all clusters."""
    lines = [sizes_text(part), "", "| cluster | | seconds | times ours |", "|---|---|---|---|"]
    worst = float("inf")
    for name, cluster in part["clusters"].items():
        title = f"{name}: {cluster['n_rows']:,} tokens, {cluster['n_entries']:,} entries"
        for tool, times in cluster["seconds"].items():
            slower = ratio(times, cluster["seconds"]["ours"])
            worst = min(worst, slower) if tool != "ours" else worst
            lines.append(f"| {title} | {tool} | {milliseconds(times)} | {slower:,.0f} |")
    if worst == float("inf"):
        return "\n".join([*lines, "", "Neither polars nor DuckDB is installed."])
    said = bar_sentence(worst >= SLICE_BAR, "at least 100 times as fast", f"{worst:,.0f} times at the least")
    return "\n".join([*lines, "", f"{said} {GROWS}"])


GROWS = """A scan takes as long for any cluster; ours grows with the answer, so that the ratio is smallest for the most
frequent latents. Of its processor time there, opening the index is a fifth, finding the tokens a third, taking out the
activations two fifths. Tried and left, since runs differ by more: places of tokens in fewer bytes and without masks
(none), tokens marked in place of counted (some 0.4 of 7 ms)."""


def writer_table(part: dict[str, Any]) -> str:
    """Rows a second, and the bar."""
    lines = [sizes_text(part), "", "| | seconds | rows a second | ours beside it |", "|---|---|---|---|"]
    own = part["seconds"]["ours"]
    for name, times in part["seconds"].items():
        lines.append(f"| {name} | {shown(times)} | {part['n_tokens'] / median(times):,.0f} | {ratio(times, own):.2f} |")
    share = {name: ratio(times, own) for name, times in part["seconds"].items() if name != "ours"}
    said = [
        bar_sentence(value >= WRITER_BAR, f"at least 0.8 of {name.replace(',', ' with', 1)}", f"{value:.2f}")
        for name, value in share.items()
    ]
    return "\n".join([*lines, "", *said, BESIDE])


BESIDE = """What ours does beside writing (checks of every row, a flush to disk and a hash for each part, two hashed at
once) is the difference; pages have checksums, and values no dictionaries, so that they are read twice as fast. Of ours
under a profiler, on a busy machine, pyarrow's writing is three quarters, waiting for the disk a seventh, hashing a
twentieth, the checks less than a hundredth."""


def bar_sentence(met: bool, bar: str, found: str) -> str:
    """One sentence on a bar."""
    return f"The bar ({bar}) is {verdict(met)}: {found}."


def milliseconds(times: list[float]) -> str:
    """Median, smallest and largest, with the digits that a slice needs."""
    return f"{median(times):.4f} ({min(times):.4f} to {max(times):.4f})"


def sizes_text(part: dict[str, Any]) -> str:
    """What was read or written."""
    size = f", {part['bytes'] / 1e6:,.0f} MB" if "bytes" in part else ""
    return f"{part['n_latents']:,} latents, {part['n_tokens']:,} tokens, {part['n_entries']:.3g} entries{size}."
