"""All problems at once, with file, line, key, and what to do."""

import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from workflow_clone import ROOT

from coactivation_manifolds.errors import ConfigError
from coactivation_manifolds.experiment.config import load_experiment
from coactivation_manifolds.experiment.contradictions import training_recipe
from coactivation_manifolds.experiment.files import experiment_names, resolve
from coactivation_manifolds.experiment.validation import find_problems

HARVEST = """\
model: {path: models/mine}
sae: {path: saes/mine}
corpus: {source: jsonl, path: text.jsonl}
"""
IMPORT = "activations: {format: parquet, path: mine.parquet, n_latents: 100}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of config/ without the experiments that ship with it."""
    shutil.copytree(ROOT / "config", tmp_path / "config", ignore=shutil.ignore_patterns("experiments"))
    (tmp_path / "config/experiments").mkdir()
    return tmp_path / "config"


@pytest.fixture
def write(folder: Path) -> Callable[..., Path]:
    """Writes an experiment's file."""

    def write_experiment(text: str, name: str = "mine") -> Path:
        path = folder / f"experiments/{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_experiment


@pytest.mark.parametrize("name", experiment_names(ROOT / "config"))
def test_the_experiments_that_ship_are_right(name):
    assert find_problems(ROOT / f"config/experiments/{name}.yaml", ROOT / "config") == []


@pytest.mark.parametrize("text", [HARVEST, IMPORT, HARVEST + "counting:\nactivations:\n"])
def test_small_files_are_right(write, folder, text):
    assert find_problems(write(text), folder) == []


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        # unknown keys, wrong types, bounds
        (HARVEST + "sead: 1\n", 4, 'sead: unknown key (did you mean "seed"?)'),
        (HARVEST + "zzzz: 1\n", 4, "zzzz: unknown key; known here: description, seed,"),
        (HARVEST + "harvest: {bach_size: 1}\n", 4, 'harvest.bach_size: unknown key (did you mean "batch_size"?)'),
        (HARVEST + "seed: abc\n", 4, 'seed: must be a whole number, found the text "abc"'),
        (HARVEST + "seed: true\n", 4, "seed: must be a whole number, found true"),
        (HARVEST + "seed: 1.0\n", 4, "seed: must be a whole number, found the number 1.0; write 1"),
        (HARVEST + "harvest: {tokens_per_shard: 1e6}\n", 4, 'found the text "1e6"; write 1000000'),
        (HARVEST + "harvest: {max_fvu: 1e-1}\n", 4, 'must be a number, found the text "1e-1"; write 0.1'),
        (HARVEST + "harvest: {max_fvu: .inf}\n", 4, "must be a number, found the number inf"),
        (
            HARVEST + "harvest: {device: gpu}\n",
            4,
            'harvest.device: found the text "gpu", which is not of the form: auto',
        ),
        (HARVEST + "harvest: {batch_size: 0}\n", 4, "must be at least 1, found the number 0"),
        (HARVEST + "harvest: {batch_size: all}\n", 4, 'harvest.batch_size: found the text "all", which is not of'),
        (HARVEST + "harvest: [1, 2]\n", 4, "harvest: must be keys and values, found a list of 2"),
        (HARVEST + "similarity: {jaccard_floor: 1.5}\n", 4, "must be at most 1, found the number 1.5"),
        (HARVEST + "similarity: {max_density: 0}\n", 4, "must be larger than 0, found the number 0"),
        (HARVEST + "similarity: {max_density: .nan}\n", 4, "must be a number or null, found the number nan"),
        (HARVEST + "similarity: {min_count: null}\n", 4, "similarity.min_count: must be a whole number, found nothing"),
        (HARVEST + "clustering: {sweep: []}\n", 4, "must have at least 1 entry, found an empty list"),
        (HARVEST + "counting: {positions: [1]}\n", 4, "must have at least 2 entries, found a list of 1"),
        (HARVEST + "counting: {positions: [5, 5]}\n", 4, "[5, 5] is empty: [first, last)"),
        (HARVEST + "clustering: {min_size: 9, max_size: 8}\n", 4, "is 9, larger than clustering.max_size = 8"),
        # clusterings
        (HARVEST + "clustering:\n  sweep:\n    - component_j0.5\n", 6, 'nearest legal name: "components_j0.50"'),
        (HARVEST + "finds:\n  clusterings:\n    - component_j0.5\n", 6, 'nearest legal name: "components_j0.50"'),
        (HARVEST + "clustering: {headline: components_j1.20}\n", 4, "1.20 is not between 0 and 1"),
        (HARVEST + "clustering: {headline: components_j0.01}\n", 4, "below similarity.jaccard_floor = 0.02"),
        (HARVEST + "similarity:\n  jaccard_floor: 0.30\n", 5, "clustering.headline: components_j0.20 asks for edges"),
        (
            HARVEST + "clustering: {sweep: ['components_j{" + ",".join(["0.1"] * 1001) + "}']}\n",
            4,
            "sweep fewer values",
        ),
        (HARVEST + "clustering: {sweep: ['" + "{a,b}" * 60 + "']}\n", 4, "sweep fewer values"),
        (IMPORT + "clustering: {headline: cosine_components_c0.50}\n", 2, "has no decoder: set activations.decoder"),
        # model, SAE and corpus
        ("model: {name: a/b, path: c}\n" + HARVEST.split("\n", 1)[1], 1, "and model.name are both given"),
        ("model: {path: c, revision: main}\n" + HARVEST.split("\n", 1)[1], 1, "a local folder has no revision"),
        (HARVEST.replace("{path: models/mine}", "{dtype: float32}"), 1, "model.name: is missing: give a hub name"),
        (HARVEST.replace("{path: saes/mine}", "{release: x}"), 2, "sae.sae_id: is missing"),
        (HARVEST.replace("{path: saes/mine}", "{path: x, release: y}"), 2, "and sae.release are both given"),
        (
            HARVEST.replace("source: jsonl, ", ""),
            3,
            "corpus.source: is missing: one of huggingface, jsonl, text, parquet",
        ),
        (HARVEST.replace("source: jsonl", "source: json"), 3, '(did you mean "jsonl"?)'),
        (
            HARVEST.replace("path: text.jsonl", "name: wiki"),
            3,
            "corpus.name: belongs to source huggingface, not to jsonl",
        ),
        (HARVEST.replace("jsonl, path: text.jsonl", "huggingface"), 3, "needs the name of a data set"),
        (HARVEST.replace("jsonl, path", "huggingface, name: x, path"), 3, "belongs to local sources"),
        (HARVEST + "harvest: {device: cuda, gpus_per_job: 0}\n", 4, "is 0, but harvest.device is cuda"),
        (HARVEST + "harvest: {tokens_per_shard: 1}\n", 4, "gives 1,000,000 shards, more than 999,999"),
        (HARVEST + "similarity: {jaccard_floor: 0.0123456789}\n", 4, "with more than 9 decimals"),
        (HARVEST + "similarity: {max_density: 0.33333333333}\n", 4, "with more than 9 decimals"),
        (
            HARVEST + "clustering: {headline: cosine_components_c0.25}\n",
            4,
            "pairs below 0.30 are not all in cosine_edges.parquet",
        ),
        # imports
        (IMPORT + "model: {path: x}\n", 2, "model: contradicts activations"),
        (IMPORT + "training: {recipe: planted}\n", 2, "training: contradicts activations"),
        ("activations: {format: parquet, n_latents: 3}\n", 1, "activations.path: is missing"),
        (
            "activations: {format: csv, path: x, n_latents: 3}\n",
            1,
            'one of parquet, csr, npz_shards; found the text "csv"',
        ),
        (IMPORT.replace("100}", "100, tokens: x}"), 1, "activations.tokens: belongs to format csr"),
        (IMPORT.replace("100}", "0}"), 1, "activations.n_latents: must be at least 1"),
    ],
)
def test_one_problem_one_line(write, folder, text, line, expected):
    path = write(text)
    problems = find_problems(path, folder)
    assert len(problems) >= 1
    assert any(problem.startswith(f"{path}, line {line}: ") and expected in problem for problem in problems), problems
    assert all("\n" not in problem for problem in problems)


def test_all_problems_are_told_in_the_order_of_lines(write, folder):
    path = write("seed: x\nmodel: {nmae: y, dtype: z}\nsae: {path: a, release: b}\ncounting: {positions: [2, 1]}\n")
    problems = find_problems(path, folder)
    told = [problem.split(": ")[1] for problem in problems]
    assert told == ["corpus.source", "seed", "model.dtype", "model.nmae", "sae.path", "counting.positions"]


def test_a_missing_value_is_shown_in_the_own_file_not_in_the_defaults(write, folder):
    path = write("model: {path: x}\nsae: {path: y}\n")
    assert find_problems(path, folder) == [
        f"{path}: corpus.source: is missing: one of huggingface, jsonl, text, parquet",
    ]


def test_problems_of_an_extended_file_name_that_file(write, folder):
    base = write(HARVEST + "\n\nharvest:\n  batch_size: none\n", "base")
    path = write("extends: base\nseed: none\n")
    problems = find_problems(path, folder)
    assert f"{base}, line 7: harvest.batch_size" in " ".join(problems)
    assert f"{path}, line 2: seed" in " ".join(problems)


def test_extends_overrides_key_by_key_and_null_takes_away(write, folder):
    write(HARVEST + "harvest: {batch_size: 3, max_fvu: 0.9}\ncounting: {positions: [1, 2]}\n", "base")
    config = resolve(write("extends: base\nharvest: {batch_size: 5}\ncounting: {positions: null}\n"), folder)
    assert config["harvest"]["batch_size"] == 5
    assert config["harvest"]["max_fvu"] == 0.9
    assert config["counting"]["positions"] is None
    assert config["name"] == "mine"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("extends: mine\n", "mine -> mine is a circle"),
        ("extends: bsae\n", 'there is no experiment "bsae" (did you mean "base"?)'),
        ("extends: [base]\n", "must be the name of another experiment"),
        ("extends: ../base\n", "must be the name of another experiment"),
        ("extends: two\n", "mine -> two -> mine is a circle"),
    ],
)
def test_extends_that_leads_nowhere(write, folder, text, expected):
    write(HARVEST, "base")
    write("extends: mine\n", "two")
    path = write(text)
    (problem,) = find_problems(path, folder)
    assert expected in problem
    assert "line 1" in problem


def test_experiment_is_replaced_in_paths(write, folder):
    text = HARVEST.replace("{path: models/mine}", "\n  path: results/{experiment}/trained/model")
    assert resolve(write(text, "other"), folder)["model"]["path"] == "results/other/trained/model"


@pytest.mark.parametrize(
    ("change", "line", "expected"),
    [
        (lambda text: text + "experimnets: [demo]\n", None, 'experimnets: unknown key (did you mean "experiments"?)'),
        (lambda text: text.replace("experiments: [demo]", "experiments: demo"), 2, 'a list, found the text "demo"'),
        (lambda text: text.replace("experiments: [demo]", ""), None, "experiments: is missing"),
        (
            lambda text: text.replace("  seed: 0 ", "  seed: zero "),
            None,
            "defaults.seed: must be a whole number, found",
        ),
        (
            lambda text: text.replace("min_count: 10 ", "min_cuont: 10 "),
            None,
            'unknown key (did you mean "min_count"?)',
        ),
        (
            lambda text: text.replace("    min_count: 10 ", "#"),
            None,
            "similarity.min_count: is missing, here and in the",
        ),
        (lambda text: text.replace("  geometry:", "  seed: 1\n  geometry:"), None, '"defaults.seed" twice'),
    ],
)
def test_config_yaml_is_checked_as_well(write, folder, change, line, expected):
    path = write(HARVEST)
    settings = folder / "config.yaml"
    settings.write_text(change(settings.read_text()))
    problems = find_problems(path, folder)
    assert any(expected in problem for problem in problems), problems
    if line:
        assert f"config.yaml, line {line}" in problems[0]


def test_broken_files_of_the_config_folder_are_named(write, folder):
    path = write(HARVEST)
    (folder / "experiment.schema.json").write_text("{")
    assert "experiment.schema.json is missing or damaged" in find_problems(path, folder)[0]
    (folder / "config.yaml").unlink()
    assert "config.yaml does not exist" in find_problems(path, folder)[0]


def test_a_name_with_spaces_is_refused(write, folder):
    assert "is no name of an experiment" in find_problems(write(HARVEST, "my experiment"), folder)[0]


def test_load_experiment_tells_the_first_problem_and_the_number_of_others(write, folder):
    write(HARVEST + "seed: x\nzzz: 1\n")
    with pytest.raises(ConfigError, match=r"line 4: seed: .* \(and 1 more: coactivation-manifolds validate"):
        load_experiment("mine", folder)
    with pytest.raises(ConfigError, match=r'there is no experiment "mien" \(did you mean "mine"\?\)'):
        load_experiment("mien", folder)
    for name in ("../mine", "", "a b", "-x"):
        with pytest.raises(ConfigError, match="is no name of an experiment"):
            load_experiment(name, folder)


def test_every_key_of_the_schema_has_a_default_or_must_be_given(folder):
    schema = json.loads((folder / "experiment.schema.json").read_text())
    harvest = resolve(ROOT / "config/experiments/demo.yaml", folder)
    for section, rule in schema["properties"].items():
        if section in ("training", "activations"):
            continue
        assert section in harvest
        for key in rule.get("properties", {}):
            assert key in harvest[section], f"{section}.{key} has no default in config.yaml"
        if rule["type"] == "object":
            assert rule["additionalProperties"] is False, section


def test_every_key_of_the_schema_is_described(folder):
    schema = json.loads((folder / "experiment.schema.json").read_text())
    for section, rule in schema["properties"].items():
        assert rule["description"], section
        for key, inner in rule.get("properties", {}).items():
            assert inner.get("description"), f"{section}.{key}"


def test_parsing_is_light_and_quick():
    """Each remote job parses the Snakefile again: no data library, and a few tenths of a second at most."""
    heavy = [
        "torch",
        "transformers",
        "sae_lens",
        "pyarrow",
        "matplotlib",
        "polars",
        "numpy",
        "scipy",
        "numba",
        "igraph",
    ]
    code = (
        "import sys, time\nbegan = time.perf_counter()\n"
        "from coactivation_manifolds.experiment import config\n"
        "[config.load_experiment(name) for name in config.experiment_names()]\n"
        "config.imported_experiments()\n"
        f"print([name for name in {heavy} if name in sys.modules], time.perf_counter() - began)"
    )
    finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded, seconds = finished.stdout.rsplit(" ", 1)
    assert loaded == "[]"
    assert float(seconds) < 5


@pytest.mark.parametrize(
    ("section", "change", "key", "expected"),
    [
        ("planted", {"words_per_document": 64}, "words_per_document", "is 64, but a context holds"),
        ("planted", {"ring_share": 0.8}, "simplex_share", "leave no share for the background"),
        ("model", {"n_heads": 5}, "n_heads", "must divide training.model.d_model = 64"),
        ("model", {"n_layers": 1}, "hook", "names a block that a model of 1 blocks does not have"),
        ("sae", {"k": 200}, "k", "is 200, more than training.sae.d_sae = 128"),
        ("sae", {"architecture": "topk"}, "k", "must be a whole number for topk"),
    ],
)
def test_a_recipe_that_can_not_be_trained(section, change, key, expected):
    config = copy.deepcopy(load_experiment("demo", ROOT / "config"))
    assert not list(training_recipe(config))
    config["training"][section] |= change
    (keys, message), *others = training_recipe(config)
    assert not others
    assert keys[-1] == key
    assert expected in message
