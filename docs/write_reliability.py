"""Write the tables of docs/reliability.md: faults tried, survived and how; what a long run under kills has left.

.venv/bin/python docs/write_reliability.py

From docs/reliability.json (make test-faults) and docs/soak.json (make soak).
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PAGE, RUNS, SOAK = Path("docs/reliability.md"), Path("docs/reliability.json"), Path("docs/soak.json")
OUTCOMES = ("unharmed", "recovered", "clear error", "unclear", "lost", "not possible here")
HEADS = (
    "tried",
    "ended well",
    "next run the same bytes",
    "clear error, mended",
    "unclear",
    "lost",
    "not possible",
)
FULL_FORM = 200
PASSES = {"counted": "first", "recounted": "second", "end": "end"}

BEGIN = "<!-- The tables: made by `python docs/write_reliability.py` from docs/reliability.json and docs/soak.json -->"
END = "<!-- End of the tables -->"


def main() -> int:
    """Replace the tables of the page."""
    content = json.loads(RUNS.read_text(encoding="utf-8"))
    runs = content["runs"]
    damaged = [run for run in runs if run["form"]]
    disturbed = [run for run in runs if not run["form"]]
    parts = [
        BEGIN,
        summary_text(runs, content["system"]),
        left_out_text(runs, content["all"]),
        "## Faults while a job runs",
        table(disturbed, "fault", "fault"),
    ]
    parts += ["By stage:", table(disturbed, "on", "stage"), "## Damaged files", table(damaged, "fault", "damage")]
    parts += ["By kind of file:", table(damaged, "form", "file"), files_text(damaged)]
    parts += ["## Load", *load_texts(json.loads(SOAK.read_text(encoding="utf-8")) if SOAK.exists() else None), END]
    page = PAGE.read_text(encoding="utf-8")
    before, after = page[: page.index(BEGIN)], page[page.index(END) + len(END) :]
    PAGE.write_text(before + "\n\n".join(parts) + after, encoding="utf-8")
    return 0


def summary_text(runs: list[Mapping[str, Any]], system: str) -> str:
    """How many runs, and what was lost."""
    counts = Counter(run["outcome"] for run in runs)
    full = "" if len(runs) >= FULL_FORM else f" (not the full form, which has {FULL_FORM})"
    on_demo = sum(run["demo"] for run in runs)
    return f"""## What became of them

{len(runs)} runs{full}, {on_demo} of them on the demo, on {system}.
Lost: {counts["lost"]}. Without a clear line: {counts["unclear"]}. Not possible there: {counts["not possible here"]}.

"Ended well": the disturbed run itself ended with the right bytes, as after short writes, or a fault that came too late.
"Clear error, mended": one line, and after the command in it all bytes were right."""


def left_out_text(runs: list[Mapping[str, Any]], known: Mapping[str, list[str]]) -> str:
    """What none of these runs tried."""
    tried = {"fault": {run["fault"] for run in runs}, "stage": {run["on"] for run in runs}}
    left = [name for key, names in known.items() for name in names if name not in tried[key]]
    return f"Not among these runs: {'; '.join(left)}." if left else "Each fault and each stage is among them."


def table(runs: Iterable[Mapping[str, Any]], key: str, head: str) -> str:
    """Outcomes by one column."""
    rows: dict[str, Counter[str]] = {}
    for run in runs:
        rows.setdefault(run[key], Counter())[run["outcome"]] += 1
    lines = [f"| {head} | {' | '.join(HEADS)} |", "|---|" + "---|" * len(HEADS)]
    for name in sorted(rows):
        counts = [sum(rows[name].values()), *(rows[name][outcome] for outcome in OUTCOMES)]
        lines.append(f"| {name} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines)


def files_text(damaged: list[Mapping[str, Any]]) -> str:
    """Which kinds of files were damaged."""
    names = sorted({run["on"] for run in damaged})
    return f"{len(names)} kinds of files: {', '.join(f'`{name}`' for name in names)}."


def load_texts(soak: Mapping[str, Any] | None) -> list[str]:
    """What a soak has shown: what the coordinators held, what was killed, what was left."""
    if soak is None:
        return [
            "`make soak` has not been run to its end; its short form, three shards, is `tests/faults/test_soak.py`."
        ]
    shards = " and ".join(str(number) for number in soak["experiments"].values())
    killed = soak["killed"]
    by_rule = ", ".join(f"{count} of `{rule}`" for rule, count in killed.items())
    ended = [each["status"] for each in soak["coordinators"].values()]
    verified = "found nothing wrong" if all(status in (0, 1) for status in soak["verify"]) else "found something wrong"
    return [
        f"""`make soak`: two experiments of {shards} shards at once in one clone, each with a coordinator of its own
through the local profile with two cores, while one job in ten is killed (SIGKILL) at a random moment and tried again.
On {soak["system"]}, seed {soak["seed"]}.

- {soak["jobs"]} jobs were seen, {sum(killed.values())} of them killed: {by_rule}.
- The coordinators ended with {" and ".join(map(str, ended))}. {soak["results"]:,} results were compared with those of
  the same experiments undisturbed; different or missing: {len(soak["other_than_undisturbed"])}. `verify` {verified}.
- Left behind: {"; ".join(f"{kind} {len(names)}" for kind, names in soak["left"].items())}.

What the coordinators held, in MB of resident memory and open files, when so many shards were done:""",
        memory_table(soak["coordinators"]),
        "\n".join(changes_text(name, each) for name, each in soak["coordinators"].items() if len(each["at"]) > 1),
    ]


def memory_table(coordinators: Mapping[str, Any]) -> str:
    """Memory and open files by shards done."""
    lines = ["| coordinator of | pass | shards done | resident MB | open files |", "|---|---|---|---|---|"]
    for name, each in coordinators.items():
        for mark in each["at"]:
            held = f"{mark['resident_mb']:.0f} | {mark['descriptors']}"
            lines.append(f"| {name} | {PASSES[mark['pass']]} | {mark['shards']} | {held} |")
    return "\n".join(lines)


def changes_text(name: str, coordinator: Mapping[str, Any]) -> str:
    """How far memory went from what it was at the first mark."""
    first = coordinator["at"][0]
    held = first["resident_mb"]
    least, most = (coordinator[f"{which}_mb_since"] / held - 1 for which in ("least", "most"))
    return (
        f"From shard {first['shards']} on the memory of the coordinator of {name} lay between {least:+.1%} and "
        f"{most:+.1%} of what it was then, in {coordinator['samples']:,} looks; it had at most "
        f"{coordinator['most_descriptors_since']} files open."
    )


if __name__ == "__main__":
    sys.exit(main())
