"""Results may change only together with the ALGORITHM_VERSION of their stage.

After raising a version: REWRITE_GOLDEN_HASHES=1 python -m pytest tests/workflow/test_golden_hashes.py
"""

import json
import os

import golden
import pytest
from workflow_clone import add_small_experiment

pytestmark = pytest.mark.workflow


def test_results_change_only_with_their_version(clone):
    add_small_experiment(clone, shards=2)
    targets = [f"results/small/{name}" for name in golden.STAGE_OF]
    clone.snakemake(*targets)
    found = golden.digests(clone / "results/small")
    if os.environ.get("REWRITE_GOLDEN_HASHES"):
        golden.FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    known = json.loads(golden.FILE.read_text(encoding="utf-8"))
    changed = [
        f"{name}: raise ALGORITHM_VERSION[{golden.STAGE_OF[name]!r}]"
        for name, entry in found.items()
        if entry["digest"] != known.get(name, {}).get("digest")
        and entry["version"] == known.get(name, {}).get("version")
    ]
    assert not changed, "results changed while their version did not:\n" + "\n".join(changed)
    assert found == known, "a version was raised: rewrite the golden hashes"
