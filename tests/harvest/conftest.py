"""The bench, made once a session."""

import pytest
from harvest_bench import Bench


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Shared by the tests of the harvest."""
    return Bench(tmp_path_factory.mktemp("bench"))
