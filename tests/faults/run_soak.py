"""A soak: 200 shards through the local profile, beside a second experiment, while one job in ten is killed.

.venv/bin/python tests/faults/run_soak.py        (make soak)

Two coordinators work in one clone at once, each with two cores. Their memory and open files are looked at five times a
second; in the end all results are compared with those of the same experiments undisturbed, and everything that is left
in results/, in .snakemake/ and among the temporary files is counted. Writes docs/soak.json; docs/write_reliability.py
makes the page of it. Exit status 1 where anything was lost, was left, or where memory grew.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# so that it runs as a script: the imports below need it
sys.path += [str(HERE.parent), str(HERE.parents[1])]

from soak import KILLED, Coordinator, Sample, Soaked, soak, undisturbed  # noqa: E402

FROM_SHARD = 50
NOT_ALL_ASKED_FOR = 1
"""Exit status of `verify` where all is right, but nobody has asked for everything."""
LARGEST_CHANGE = 0.2
"""Of a coordinator's resident memory, from shard 50 on, against what it had then."""


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, nargs=2, default=(200, 20), help="of the first and the second experiment")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("docs/soak.json"))
    options = parser.parse_args()
    experiments = dict(zip(("first", "second"), options.shards, strict=True))
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        expected = undisturbed(folder / "undisturbed", experiments)
        after = soak(folder / "soak/clone", experiments, seed=options.seed)
        found = what_was_found(after, expected)
        for each in after.coordinators:
            if each.process.returncode:
                print(each.log.read_text(encoding="utf-8")[-5000:])
    about = {"seed": options.seed, "system": f"{platform.system()} {platform.machine()}", "experiments": experiments}
    options.out.write_text(json.dumps(about | found, indent=1) + "\n", encoding="utf-8")
    wrong = what_is_wrong(found)
    print("\n".join(wrong) or "nothing was lost, nothing was left")
    return int(bool(wrong))


def what_was_found(after: Soaked, expected: dict[str, str]) -> dict[str, Any]:
    """Numbers of one soak."""
    results = after.victim.results()
    other = [path for path in sorted({*results, *expected}) if results.get(path) != expected.get(path)]
    verified = [after.victim.tool("verify", f"results/{each.experiment}")[0] for each in after.coordinators]
    return {
        "jobs": len(after.kills.seen),
        "share_to_kill": KILLED,
        "killed": dict(sorted(after.kills.done.items())),
        "coordinators": {each.experiment: memory_of(each) for each in after.coordinators},
        "results": len(expected),
        "other_than_undisturbed": other,
        "verify": verified,
        "left": after.leftovers(),
    }


def memory_of(coordinator: Coordinator) -> dict[str, Any]:
    """Exit status, what was held at every fiftieth shard of both passes, and the extremes from the fiftieth on."""
    last = coordinator.samples[-1]
    passes = {"counted": [each.counted for each in coordinator.samples]}
    passes["recounted"] = [each.recounted for each in coordinator.samples]
    marks = []
    for name, done in passes.items():
        for shards in range(FROM_SHARD, max(done) + 1, FROM_SHARD):
            sample = next(each for each, number in zip(coordinator.samples, done, strict=True) if number >= shards)
            marks.append({"pass": name, "shards": shards, **held(sample)})
    later = [each for each in coordinator.samples if each.counted >= FROM_SHARD]
    return {
        "status": coordinator.process.returncode,
        "samples": len(coordinator.samples),
        "at": [*marks, {"pass": "end", "shards": last.counted, **held(last)}],
        "least_mb_since": min((each.resident_mb for each in later), default=None),
        "most_mb_since": max((each.resident_mb for each in later), default=None),
        "most_descriptors_since": max((each.descriptors for each in later), default=None),
    }


def held(sample: Sample) -> dict[str, Any]:
    """Memory and open files of one sample."""
    return {"resident_mb": sample.resident_mb, "descriptors": sample.descriptors}


def what_is_wrong(found: dict[str, Any]) -> list[str]:
    """One line for each thing that must not be."""
    wrong = [f"another result than undisturbed: {path}" for path in found["other_than_undisturbed"]]
    wrong += [f"left: {kind}: {names[0]} ..." for kind, names in found["left"].items() if names]
    wrong += [f"verify ended with {status}" for status in found["verify"] if status not in (0, NOT_ALL_ASKED_FOR)]
    for name, each in found["coordinators"].items():
        if each["status"]:
            wrong.append(f"the coordinator of {name} ended with {each['status']}")
        first = each["at"][0]
        if first["pass"] == "end":
            continue
        change = max(each["most_mb_since"] - first["resident_mb"], first["resident_mb"] - each["least_mb_since"])
        if change > LARGEST_CHANGE * first["resident_mb"]:
            wrong.append(f"memory of the coordinator of {name}: {change:.0f} MB from {first['resident_mb']} MB")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
