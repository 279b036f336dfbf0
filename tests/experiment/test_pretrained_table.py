import subprocess
import sys

import pytest

from coactivation_manifolds.errors import ConfigError
from coactivation_manifolds.experiment.config import experiment_names, load_experiment
from coactivation_manifolds.experiment.pretrained_table import check_pretrained, check_sae


def test_entries():
    days = check_pretrained("gpt2-small-res-jb", "blocks.7.hook_resid_pre")
    assert days.l0 == 54
    assert days.variance_explained == 0.9
    assert days.config_overrides["model_from_pretrained_kwargs"] == {"center_writing_weights": True}
    gemma = check_pretrained("gemma-scope-2b-pt-res-canonical", "layer_12/width_65k/canonical")
    assert gemma.path == "layer_12/width_65k/average_l0_72"
    assert gemma.neuronpedia == "gemma-2-2b/12-gemmascope-res-65k"
    assert gemma.l0 is None


def test_the_shipped_experiments_are_in_the_table():
    named = [name for name in experiment_names() if load_experiment(name).get("sae", {}).get("release")]
    assert len(named) >= 3
    for name in named:
        assert check_sae(load_experiment(name)["sae"]) is not None


@pytest.mark.parametrize(
    ("release", "sae_id", "message"),
    [
        (
            "gpt2-smal-res-jb",
            "x",
            r'there is no SAE release "gpt2-smal-res-jb" .*\(did you mean "gpt2-small-res-jb"\?\)',
        ),
        (
            "gemma-scope-2b-pt-res-canonical",
            "layer_12/width_65k/canonicl",
            r"has no sae_id .*\(nearest: layer_12/width_65k/canonical",
        ),
        (
            "google/gemma-scope-2b-pt-res",
            "x",
            "is a repository; sae-lens knows it as .*gemma-scope-2b-pt-res-canonical",
        ),
    ],
)
def test_the_nearest_is_offered(release, sae_id, message):
    with pytest.raises(ConfigError, match=message):
        check_pretrained(release, sae_id)


def test_a_hub_repository_outside_the_table_passes():
    assert check_pretrained("somebody/my-saes", "layer_3") is None


def test_nothing_heavy_is_imported():
    code = (
        "import sys; from coactivation_manifolds.experiment.pretrained_table import check_pretrained;"
        "check_pretrained('gpt2-small-res-jb', 'blocks.7.hook_resid_pre');"
        "print([name for name in ('torch', 'sae_lens', 'transformers', 'numpy') if name in sys.modules])"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"
