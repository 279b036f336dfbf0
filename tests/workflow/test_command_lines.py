"""The reduce's command line holds no file of a shard: it stays short, however many shards there are."""

import os

import pytest
from workflow_clone import Clone, add_small_experiment

from coactivation_manifolds import paths

pytestmark = pytest.mark.workflow

SHARDS = 40
BEFORE_THE_REDUCE = (
    (paths.IMPORT_RECORD, paths.VOCAB, paths.DECODER, paths.SAE_JSON),
    (paths.MANIFEST,),
    (paths.SHARD_COUNTS, paths.SHARD_MARGINALS, paths.SHARD_TOTALS),
    (paths.CANDIDATES,),
    (paths.SHARD_RECOUNT,),
)
SUBMIT = """\
#!/bin/sh
printf '%s\\n' "$@" > submitted
exit 1
"""


@pytest.fixture
def counted(make_clone) -> Clone:
    """A copy of the workflow where empty files stand for all that the reduce reads, and a Slurm that refuses jobs."""
    clone = make_clone()
    add_small_experiment(clone, shards=SHARDS)
    for file in (clone / "data").iterdir():
        os.utime(file, (1_000_000_000, 1_000_000_000))
    for step, templates in enumerate(BEFORE_THE_REDUCE, start=1):
        for template in templates:
            for shard in range(SHARDS if "{shard}" in template else 1):
                path = clone.folder / paths.fill(template, experiment="small", shard=shard)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
                os.utime(path, (1_000_000_000 + step, 1_000_000_000 + step))
    (clone / "commands").mkdir()
    for name, text in {
        "sbatch": SUBMIT,
        "squeue": "#!/bin/sh\n",
        "scontrol": "#!/bin/sh\n",
        "sacct": "#!/bin/sh\n",
    }.items():
        command = clone / "commands" / name
        command.write_text(text, encoding="utf-8")
        command.chmod(0o755)
    return clone


def test_a_slurm_job_is_told_its_target_only(counted: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{counted / 'commands'}{os.pathsep}{os.environ['PATH']}")
    waits = ("--latency-wait", "0", "--slurm-init-seconds-before-status-checks", "1")
    options = ("--profile", "slurm", "--slurm-no-account", "--retries", "0", *waits)
    ended = counted.snakemake(*options, "--", str(paths.fill(paths.EDGES, experiment="small")), check=False)
    assert ended.returncode == 1, ended.stdout
    assert (counted / "submitted").exists(), ended.stdout
    submitted = (counted / "submitted").read_text(encoding="utf-8")
    assert "--target-jobs 'reduce_counts:experiment=small'" in submitted
    assert "--wait-for-files-file" in submitted
    assert "shard=" not in submitted
    assert len(submitted) < 4_000
