"""The short form of `make soak`: two runs at once in one clone, a third of their jobs killed."""

import pytest
from soak import soak, undisturbed

EXPERIMENTS = {"first": 2, "second": 1}


@pytest.mark.workflow
def test_two_runs_at_once_with_killed_jobs_end_with_the_same_bytes_and_leave_nothing(tmp_path):
    after = soak(tmp_path / "clone", EXPERIMENTS, seed=1, share=0.4)
    said = {each.experiment: each.log.read_text(encoding="utf-8")[-3000:] for each in after.coordinators}
    assert [each.process.returncode for each in after.coordinators] == [0, 0], said
    assert sum(after.kills.done.values()) >= 3, after.kills
    assert after.victim.results() == undisturbed(tmp_path / "undisturbed", EXPERIMENTS)
    assert not any(after.leftovers().values()), after.leftovers()
