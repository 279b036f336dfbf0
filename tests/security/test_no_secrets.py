"""A token of the hub that stands in the environment is in no record, message or page of ours.

Whole runs are looked through in tests/workflow: every run of the tests has secrets in its environment.
"""

import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from workflow_clone import ROOT, SECRETS, Clone, check_no_secret

from coactivation_manifolds.job import job


def test_the_check_sees_a_secret(tmp_path: Path, clone: Clone) -> None:
    check_no_secret(clone)
    (clone / "logs").mkdir()
    (clone / "logs/job.log").write_text(f"token {SECRETS['HF_TOKEN']}")
    with pytest.raises(AssertionError, match=r"job\.log"):
        check_no_secret(clone)


def test_the_library_reads_no_token() -> None:
    for path in [*sorted((ROOT / "coactivation_manifolds").rglob("*.py")), *sorted((ROOT / "rules").glob("*.smk"))]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"HF_TOKEN|HUGGING_FACE_HUB_TOKEN|get_token|use_auth_token|\btoken=", text), path
        assert not re.search(r"(dict|str|repr|list)\(os\.environ\)(?!\.get)", text), path


def test_a_job_that_fails_writes_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    made = SimpleNamespace(log=["logs/x/job.log"], rule="job", input=[], output=[], params={}, wildcards={})
    with pytest.raises(ZeroDivisionError), job(made):
        1 / 0  # noqa: B018 (for its traceback)
    with job(made) as logger:
        logger.warning("done")
    written = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file())
    assert "done" in written
    assert not any(secret in written for secret in SECRETS.values())
    assert os.environ["HF_TOKEN"] == SECRETS["HF_TOKEN"]
