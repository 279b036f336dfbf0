"""The rules' house style: what a reader may rely on in every rule."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from coactivation_manifolds import paths

ROOT = Path(__file__).parent.parent.parent
RULE_FILES = sorted((ROOT / "rules").glob("*.smk"))
HEAVY = (
    "torch",
    "transformers",
    "sae_lens",
    "datasets",
    "sklearn",
    "pyarrow",
    "matplotlib",
    "polars",
    "duckdb",
    "numpy",
    "pandas",
    "scipy",
    "numba",
    "igraph",
    "leidenalg",
)
STAGE_FILES = [path for path in RULE_FILES if path.name not in ("common.smk", "collect.smk")]


def rules_of(path: Path) -> dict[str, str]:
    """The text of each rule of a file by its name."""
    pieces = re.split(r"^rule (\w+):\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


RULES = {name: text for path in STAGE_FILES for name, text in rules_of(path).items()}


def test_snakefile_is_a_table_of_contents():
    assert len((ROOT / "Snakefile").read_text(encoding="utf-8").splitlines()) < 80


@pytest.mark.parametrize("path", STAGE_FILES, ids=lambda path: path.name)
def test_stage_files_say_what_they_need_and_make(path):
    docstring = path.read_text(encoding="utf-8").split('"""')[1]
    assert "Needs:" in docstring and "Makes:" in docstring
    assert len(rules_of(path)) <= 6


@pytest.mark.parametrize("name", RULES)
def test_a_rule_has_one_name_from_script_to_log(name):
    text = RULES[name]
    assert f'"../workflow_scripts/{name}.py"' in text
    assert re.search(rf'"logs/\{{experiment\}}/{name}[./]', text)
    for needed in ("output:", "log:", "conda:", "threads:", "resources:", "params:", "version=ALGORITHM_VERSION["):
        assert needed in text, f"rule {name} lacks {needed}"
    assert "run:" not in text and "shell:" not in text


def test_every_script_belongs_to_a_rule():
    scripts = {path.stem for path in (ROOT / "workflow_scripts").glob("*.py")}
    assert scripts == set(RULES)


@pytest.mark.parametrize("script", sorted((ROOT / "workflow_scripts").glob("*.py")), ids=lambda path: path.stem)
def test_scripts_are_thin(script):
    text = script.read_text(encoding="utf-8")
    assert "snakemake.config" not in text
    assert "with job(snakemake):" in text, "the record of a job needs its inputs and outputs"
    assert len(text.splitlines()) <= 40
    assert not [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]


def test_parsing_imports_nothing_heavy():
    """Every job parses the Snakefile again. Whatever the rules import is imported here without Snakemake's own."""
    files = [ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk"))]
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    imports = [line for line in lines if re.match(r"\s*(import|from) [\w.]+", line) and "snakemake" not in line]
    assert "from coactivation_manifolds import paths" in imports
    code = "\n".join(
        [
            *(line.strip() for line in imports),
            "import sys",
            "[experiment_config.load_experiment(name) for name in experiment_config.experiment_names()]",
            "experiment_config.imported_experiments()",
            "print([name for name in sys.argv[1:] if name in sys.modules])",
        ]
    )
    finished = subprocess.run(
        [sys.executable, "-c", code, *HEAVY], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "[]"


def test_paths_fill_shards_and_clusters():
    assert str(paths.fill(paths.MANIFEST, experiment="demo", shard=3)) == (
        "results/demo/activations/shard=000003/manifest.json"
    )
    assert str(paths.fill(paths.CLUSTER_PCA, experiment="demo", clustering="components_j0.20", cluster=12)) == (
        "results/demo/geometry/components_j0.20/cluster=0012/pca.png"
    )


def test_profiles_rerun_for_results_only():
    for name in ("local", "slurm"):
        folder = ROOT / "profiles" / name
        assert [path.name for path in folder.iterdir()] == ["profile.yaml"]
        text = (folder / "profile.yaml").read_text(encoding="utf-8")
        assert "rerun-triggers: [mtime, params, input]" in text
        assert "rerun-incomplete: true" in text
    assert not (ROOT / "profiles/default").exists()


def test_conda_environment_follows_the_lock():
    sys.path.insert(0, str(ROOT / "envs"))
    try:
        from from_lock import environment
    finally:
        sys.path.pop(0)
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert (ROOT / "envs/coactivation.yaml").read_text(encoding="utf-8") == environment(lock)
