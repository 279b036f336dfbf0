"""The command-line tool: exit codes, messages, files."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from synthetic_finds import find_row, write_finds
from workflow_clone import ROOT, planted_activations, token_major_table

from coactivation_manifolds import paths
from coactivation_manifolds.activations.activation_writer import ShardWriter
from coactivation_manifolds.activations.index_build import build_index
from coactivation_manifolds.activations.token_rows import TokenRows
from coactivation_manifolds.cli import main
from coactivation_manifolds.cli.results_folder import size_text
from coactivation_manifolds.experiment.config import load_experiment
from coactivation_manifolds.experiment.expected_files import expected_files
from coactivation_manifolds.storage import write_json, write_table

IMPORTED = """\
activations: {format: parquet, path: mine.parquet, n_latents: 60}
clustering: {headline: components_j0.30, sweep: [components_j0.30]}
"""


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with config/ and the index of a small experiment, as far as the index."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "config", "config")
    Path("config/experiments/mine.yaml").write_text(IMPORTED)
    rows = TokenRows.from_table(token_major_table(planted_activations(n_tokens=500)), 60)
    manifest = paths.fill(paths.MANIFEST, experiment="mine", shard=0)
    writer = ShardWriter(manifest.parent, shard=0, n_latents=60, fingerprint={"made": "here"})
    writer.write_part(0, rows, first_batch=0, last_batch=0)
    writer.commit(manifest, expected_parts=1)
    names = (paths.INDEX_OFFSETS, paths.INDEX_TOKEN_ROWS, paths.INDEX_VALUES, paths.INDEX_TOKENS)
    offsets, token_rows, values, tokens = (paths.fill(name, experiment="mine") for name in names)
    build_index([manifest], offsets_path=offsets, token_rows_path=token_rows, values_path=values, tokens_path=tokens)
    return tmp_path


def digests(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and error of the tool."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    assert "Traceback" not in captured.out + captured.err
    return code, captured.out, captured.err


def test_the_entry_point_and_its_version():
    finished = subprocess.run(
        [sys.executable, "-c", "from coactivation_manifolds.cli import main; main(['--version'])"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert finished.returncode == 0
    assert finished.stdout == "coactivation-manifolds 0.1.0\n"


@pytest.mark.parametrize(
    "arguments", [[], ["validat"], ["slice", "x"], ["slice", "x", "--features", "a", "--out", "y"]]
)
def test_a_wrong_command_line_is_exit_code_2(capsys, arguments):
    code, _, err = run(capsys, *arguments)
    assert code == 2 and "usage: coactivation-manifolds" in err


# validate


def test_validate_takes_a_name_or_a_file(workplace, capsys):
    code, out, _ = run(capsys, "validate", "gpt2-small_layer7")
    assert code == 0
    assert "config/experiments/gpt2-small_layer7.yaml: right. 10,000,000 tokens in 20 shards, 11 clusterings" in out
    assert "warning: model.revision and corpus.revision: null takes the newest commit" in out
    assert run(capsys, "validate", "config/experiments/gpt2-small_layer7.yaml")[0] == 0


def test_validate_lists_all_problems(workplace, capsys):
    path = Path("config/experiments/bad.yaml")
    path.write_text("sead: 1\nmodel: {path: x}\nsae: {release: nothing, sae_id: x}\nharvest: {batch_size: none}\n")
    code, out, _ = run(capsys, "validate", "bad")
    assert code == 2
    lines = out.splitlines()
    assert 'error: config/experiments/bad.yaml, line 1: sead: unknown key (did you mean "seed"?)' in lines
    assert lines[-1] == "config/experiments/bad.yaml: 3 problems"


def test_validate_looks_for_files_and_sae_only_when_the_rest_is_right(workplace, capsys):
    path = Path("config/experiments/bad.yaml")
    path.write_text(
        "model: {path: nope}\nsae: {release: gpt2-small-res-jbb, sae_id: x}\ncorpus: {source: text, path: nope/*}\n"
    )
    code, out, _ = run(capsys, "validate", "bad")
    assert code == 2
    assert "model.path: the folder nope does not exist (seen from" in out
    assert "corpus.path: no file matches nope/*" in out
    assert 'did you mean "gpt2-small-res-jb"' in out
    assert out.endswith("3 problems\n")
    assert run(capsys, "validate", "mine")[1].endswith("mine.yaml: 1 problem\n")
    Path("mine.parquet").touch()
    assert "60 latents made elsewhere in 1 shard, 1 clusterings" in run(capsys, "validate", "mine")[1]
    write_table(pa.table({"doc_id": pa.nulls(1_500_000)}), "mine.parquet")
    assert "250,000 is good, 6 shards in all\n" in run(capsys, "validate", "mine")[1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gtp2-small_layer7", 'did you mean "gpt2-small_layer7"'),
        ("absent.yaml", "absent.yaml does not exist; give an experiment's name or its YAML file"),
        ("config/config.yaml", "holds the defaults; validate an experiment"),
        ("a b", "is no name of an experiment"),
    ],
)
def test_validate_of_what_is_no_experiment(workplace, capsys, name, expected):
    code, _, err = run(capsys, "validate", name)
    assert code == 2
    assert err.startswith("error: ") and expected in err and err.count("\n") == 1


def test_validate_outside_a_clone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(IMPORTED)
    code, _, err = run(capsys, "validate", "mine.yaml")
    assert code == 2 and "run this in the root of the clone" in err


# inspect


def test_inspect_says_what_is_there_and_what_is_missing(workplace, capsys):
    before = digests(workplace / "results")
    code, out, _ = run(capsys, "inspect", "results/mine")
    assert code == 1
    state = {line.split()[0]: line for line in out.splitlines() if line.startswith("  ")}
    assert state["index"].endswith("complete")
    assert state["activations"].endswith("1 of 2 missing")
    assert state["similarity"].endswith("missing")
    assert "make them with: snakemake --profile local results/mine/report.html" in out
    assert "more (--missing lists all)" in out
    listed = run(capsys, "inspect", "mine", "--missing")[1]
    assert "results/mine/similarity/edges.parquet" in listed and "--missing lists all" not in listed
    assert digests(workplace / "results") == before


def test_inspect_of_complete_results(workplace, capsys):
    for files in expected_files(load_experiment("mine")).values():
        for file in files:
            if file.exists():
                continue
            if file.suffix == ".json":
                write_json({}, file)
            elif file.suffix == ".parquet":
                write_table(pa.table({"a": [1]}), file)
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy("results/mine/index/values.npy", file)
    code, out, _ = run(capsys, "inspect", "mine", "--verify")
    assert code == 0, out
    assert "missing" not in out


def test_inspect_without_the_experiment_file(workplace, capsys):
    Path("config/experiments/mine.yaml").unlink()
    code, out, _ = run(capsys, "inspect", "mine")
    assert code == 0
    assert "what a finished run would have is not known: there is no experiment" in out
    shutil.copytree("results", "elsewhere/results")
    code, out, _ = run(capsys, "inspect", "elsewhere/results/mine")
    assert code == 0 and "there is no config/ beside results/" in out


def test_inspect_finds_damage_newer_formats_and_leftovers(workplace, capsys):
    part = Path("results/mine/activations/shard=000000/part-00000.parquet")
    Path("results/mine/index/.values.npy.abc.tmp").touch()
    assert "1 temporary files of killed jobs" in run(capsys, "inspect", "mine")[1]

    table = pq.read_table(part)
    write_table(table.slice(0, 10), part)
    assert run(capsys, "inspect", "mine")[0] == 1
    code, out, _ = run(capsys, "inspect", "mine", "--verify")
    assert code == 4 and f"error: {part} was changed since it was written" in out

    part.write_bytes(part.read_bytes()[:-30])
    code, out, _ = run(capsys, "inspect", "mine")
    assert code == 4 and f"error: {part} is damaged" in out

    part.unlink()
    code, out, _ = run(capsys, "inspect", "mine")
    assert code == 4 and f"error: {part} is missing, but" in out

    totals = Path("results/mine/cooccurrence/totals.json")
    totals.parent.mkdir()
    totals.write_text(json.dumps({"format_version": 2}))
    code, out, _ = run(capsys, "inspect", "mine")
    assert code == 4
    assert f"error: {totals} has format version 2, newer than this package's 1: update coactivation-manifolds" in out


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mien", '(did you mean "mine"?)'),
        ("results/nothing", "there are no results results/nothing"),
        ("results", "holds the results of all experiments; name one"),
    ],
)
@pytest.mark.parametrize("command", ["inspect", "slice", "headline"])
def test_results_that_do_not_exist(workplace, capsys, command, name, expected):
    more = ["--features", "1", "--out", "x.parquet"] if command == "slice" else []
    code, _, err = run(capsys, command, name, *more)
    assert code == 4 and expected in err


# slice


def test_slice_writes_the_rows_of_chosen_latents(workplace, capsys):
    code, out, _ = run(capsys, "slice", "mine", "--features", "6", "3", "--out", "new/x.parquet")
    dense = planted_activations(n_tokens=500)
    expected = [row for row in range(500) if dense[row, 3] > 0 or dense[row, 6] > 0]
    assert code == 0
    assert out.startswith(f"new/x.parquet: {len(expected)} tokens on which any of 2 latents fires")
    table = pq.read_table("new/x.parquet")
    assert table["token_row"].to_pylist() == expected
    assert set(pc.list_flatten(table["feature_ids"]).to_pylist()) == {3, 6}


def test_slice_of_silent_latents(workplace, capsys):
    code, out, _ = run(capsys, "slice", "mine", "--features", "58", "--out", "x.parquet")
    assert code == 0 and "none of these latents ever fires" in out
    assert pq.read_table("x.parquet").num_rows == 0


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["--features", "3", "60", "--out", "x.parquet"], 3, "there is no latent 60: this experiment has 0 to 59"),
        (["--features", "-1", "--out", "x.parquet"], 3, "there is no latent -1"),
        (["--features", "3", "3", "--out", "x.parquet"], 3, "latent 3 is named twice"),
        (["--features", "3", "--out", "config"], 2, "is a folder; give the name of a file"),
        (["--features", "3", "--out", "results/mine/x.parquet"], 2, "where only the workflow writes"),
    ],
)
def test_slice_refuses(workplace, capsys, arguments, code, expected):
    before = digests(workplace / "results")
    found, _, err = run(capsys, "slice", "mine", *arguments)
    assert found == code
    assert expected in err and err.count("\n") == 1
    assert digests(workplace / "results") == before
    assert not Path("x.parquet").exists()


def test_slice_without_an_index(workplace, capsys):
    shutil.rmtree("results/mine/index")
    code, _, err = run(capsys, "slice", "mine", "--features", "3", "--out", "x.parquet")
    assert code == 4
    assert "has no index yet; make it with: snakemake --profile local results/mine/index/feature_offsets.npy" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_slice_into_a_folder_without_permission(workplace, capsys):
    Path("locked").mkdir(mode=0o500)
    code, _, err = run(capsys, "slice", "mine", "--features", "3", "--out", "locked/x.parquet")
    assert code == 6 and "can't write" in err


# headline


def test_headline_of_a_planted_experiment_prints_its_lines(workplace, capsys):
    assert "there is no results/mine/report.html; make it with" in run(capsys, "headline", "mine")[2]
    Path("results/mine/report.html").touch()
    write_json({"summary_lines": ["one", "two", "three"]}, "results/mine/planted/check.json")
    code, out, _ = run(capsys, "headline", "mine")
    assert code == 0
    assert out.splitlines() == [f"report: {workplace}/results/mine/report.html", "one", "two", "three"]


def test_headline_of_other_experiments_counts_clusters(workplace, capsys):
    Path("results/mine/report.html").touch()
    summary = paths.fill(paths.CLUSTERS_SUMMARY, experiment="mine", clustering="components_j0.30")
    write_table(pa.table({"size": [5, 3, 2], "missed_by_cosine": [True, False, None]}), summary)
    lines = run(capsys, "headline", "mine")[1].splitlines()[1:]
    assert lines == ["components_j0.30: 3 clusters, sizes 2 to 5", "missed by cosine: 1 of 2 clusters"]
    write_table(pa.table({"size": pa.array([], pa.int64()), "missed_by_cosine": pa.array([], pa.bool_())}), summary)
    assert run(capsys, "headline", "mine")[1].splitlines()[1:] == ["components_j0.30: 0 clusters"]


def test_headline_prints_the_shapes_found(workplace, capsys):
    Path("results/mine/report.html").touch()
    write_json({"summary_lines": ["one"]}, "results/mine/planted/check.json")
    finds = paths.fill(paths.FINDS, experiment="mine")
    write_finds(finds, [find_row(3, [17, 201], "circle"), find_row(4, [5, 6], "blob")])
    lines = run(capsys, "headline", "mine")[1].splitlines()[1:]
    circle = "circle of 2 latents, q 0.0012, components_j0.20 cluster 0003"
    assert lines == ["one", "shapes: 1, of clusters tested over the sweep: 9 by co-activation", circle]
    part = {"words": "latents in order:", "latents": [[17, "Monday"], [201, None]]}
    write_json({"readings": {"0": [part]}}, "results/mine/gallery/readings.json")
    assert run(capsys, "headline", "mine")[1].splitlines()[-1] == "  latents in order: 17 (Monday), 201"
    write_finds(finds, [])
    assert run(capsys, "headline", "mine")[1].splitlines()[-1].endswith("have reached, by co-activation: 0.001")


def test_sizes_that_a_person_can_read():
    found = [size_text(n) for n in (0, 999, 1_500, 2_000_000, 3_100_000_000, 4e12)]
    assert found == ["0 B", "999 B", "1.5 kB", "2.0 MB", "3.1 GB", "4.0 TB"]


def test_output_into_a_closed_pipe_ends_quietly(workplace):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = "import sys; from coactivation_manifolds.cli import main; sys.exit(main(['inspect', 'mine', '--missing']))"
    finished = subprocess.run(
        ["sh", "-c", f'{sys.executable} -c "{code}" | true'], capture_output=True, text=True, env=environment
    )
    assert "Traceback" not in finished.stderr and "BrokenPipe" not in finished.stderr
