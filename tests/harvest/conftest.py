"""The bench, made once a session."""

from typing import Any

import pytest
from harvest_bench import Bench

from coactivation_manifolds.activations import activation_pipeline


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Shared by the tests of the harvest."""
    return Bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch):
    """Call it, and every later harvest begins with room for one entry a token."""
    opened = activation_pipeline.open_reader

    def with_little_room(*args: Any, **kwargs: Any):
        reader, commit = opened(*args, **kwargs)
        reader.entries_per_token = 1
        return reader, commit

    return lambda: monkeypatch.setattr(activation_pipeline, "open_reader", with_little_room)
