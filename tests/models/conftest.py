"""Tiny models, saved once a session."""

import pytest
from tiny_models import save_model

KINDS = ("gpt2", "gemma2", "gemma3_text", "gemma3", "llama")


@pytest.fixture(scope="session")
def model_folders(tmp_path_factory):
    """One folder for each kind of model."""
    home = tmp_path_factory.mktemp("models")
    return {kind: save_model(home / kind, kind) for kind in KINDS}


@pytest.fixture(scope="session")
def load(model_folders):
    """Loads a kind of model as the harvest does, once."""
    from coactivation_manifolds.models.model_loader import load_model

    loaded = {}

    def opened(kind):
        if kind not in loaded:
            loaded[kind] = load_model({"path": str(model_folders[kind])}, device="cpu")
        return loaded[kind]

    return opened
