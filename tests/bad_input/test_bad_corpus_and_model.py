"""Corpora, models and SAEs that can't be harvested: each job ends with one line, and finished files stay."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_runs import BadCase, check_case, digests, run_all
from tiny_models import random_texts, save_jsonl, save_model, save_sae
from workflow_clone import Clone

pytestmark = pytest.mark.workflow

GOOD = """\
model: {{path: {model}}}
sae: {{path: {sae}}}
corpus: {{source: {source}, path: {corpus}, context_length: {context}, n_tokens: 300}}
harvest: {{device: {device}, gpus_per_job: {gpus}, max_fvu: {fvu}, tokens_per_shard: 300}}
"""
MANIFEST = "activations/shard=000000/manifest.json"
HARVEST_LOG = "harvest_shard/000000.log"


def experiment(**changes: object) -> str:
    """The text of an experiment that is right but for the changes."""
    settings = {
        "model": "in/model",
        "sae": "in/sae",
        "source": "jsonl",
        "corpus": "in/good.jsonl",
        "context": 32,
        "device": "cpu",
        "gpus": 0,
        "fvu": 1000.0,
    }
    return GOOD.format(**(settings | changes))


def corpus_case(name: str, expected: tuple[str, ...], **changes: object) -> BadCase:
    return BadCase(name, experiment(**changes), "corpus/plan.json", "plan_corpus.log", expected)


def model_case(name: str, expected: tuple[str, ...], **changes: object) -> BadCase:
    return BadCase(name, experiment(**changes), MANIFEST, HARVEST_LOG, expected)


CASES = [
    corpus_case("missing-file", ("in/god.jsonl does not exist", '"good.jsonl"', "corpus.path"), corpus="in/god.jsonl"),
    corpus_case("empty-corpus", ("the corpus is empty", "in/empty.jsonl"), corpus="in/empty.jsonl"),
    corpus_case("blank-corpus", ("the corpus holds no token", "in/blank.jsonl"), corpus="in/blank.jsonl"),
    corpus_case("no-column", ("in/column.jsonl", "text", "body"), corpus="in/column.jsonl"),
    corpus_case("no-json", ("in/broken.jsonl", "line 2", "no JSON"), corpus="in/broken.jsonl"),
    corpus_case("bad-utf8", ("in/latin.jsonl", "not UTF-8", "corpus.invalid_utf8"), corpus="in/latin.jsonl"),
    corpus_case("no-parquet", ("in/good.jsonl is damaged or no Parquet file",), source="parquet"),
    corpus_case("long-context", ("context_length is 100", "at most 64", "set it to 64 or less"), context=100),
    corpus_case("no-model", ("in/nothing does not exist", "model"), model="in/nothing"),
    model_case("wide-sae", ("d_model is 16", "reads vectors of 24", "check model and sae"), sae="in/wide"),
    model_case("odd-hook", ('"blocks.1.attn.hook_pattern", a form that is not known here',), sae="in/odd"),
    model_case("deep-hook", ('"blocks.9.hook_resid_post"', "has 3 layers, 0 to 2"), sae="in/deep"),
    model_case("no-hook", ("in/mute does not say which hook it reads",), sae="in/mute"),
    model_case("high-fvu", ("unexplained", "more than harvest.max_fvu = 0.01", "layer"), fvu=0.01),
    model_case("no-gpu", ("harvest.device is cuda", "no GPU here", "nvidia-smi"), device="cuda", gpus=1),
    model_case("nan-model", ("hold infinite numbers or NaN", "model.dtype"), model="in/nan"),
    model_case("huge-latents", ("token_index 0", "is beyond float16's range", "scale"), sae="in/huge"),
    BadCase(
        "no-release",
        experiment().replace("{path: in/sae}", "{release: gpt2-small-res-jbb, sae_id: blocks.7.hook_resid_pre}"),
        "corpus/plan.json",
        "plan_corpus.log",
        ('there is no SAE release "gpt2-small-res-jbb"', 'did you mean "gpt2-small-res-jb"', "set sae.release"),
    ),
    BadCase("no-sae", experiment(sae="in/none"), "metadata/decoder.npy", "describe_sae.log", ("in/none", "sae")),
]


def make_inputs(folder: Path) -> None:
    """Right and wrong corpora, models and SAEs."""
    folder.mkdir()
    save_jsonl(folder / "good.jsonl", random_texts(n=60))
    (folder / "empty.jsonl").touch()
    save_jsonl(folder / "blank.jsonl", ["", " "])
    (folder / "column.jsonl").write_text('{"body": "w1 w2"}\n')
    (folder / "broken.jsonl").write_text('{"text": "w1"}\n{"text": \n')
    (folder / "latin.jsonl").write_bytes(b'{"text": "w1 \xe9t\xe9"}\n')
    save_model(folder / "model")
    spoil(save_model(folder / "nan"))
    save_sae(folder / "sae")
    save_sae(folder / "wide", d_in=24)
    save_sae(folder / "odd", hook_name="blocks.1.attn.hook_pattern")
    save_sae(folder / "deep", hook_name="blocks.9.hook_resid_post")
    rewrite(save_sae(folder / "mute") / "cfg.json", lambda config: config["metadata"].pop("hook_name"))
    scale(save_sae(folder / "huge"))


def rewrite(path: Path, change: Callable[[dict], object]) -> None:
    """Change a JSON file."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def spoil(folder: Path) -> None:
    """Put NaN into a model's embedding."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "wte" in name)
    weights[name][:] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def scale(folder: Path) -> None:
    """Let an SAE's latents grow beyond float16."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "sae_weights.safetensors")
    weights["W_enc"] *= 1e6
    weights["W_dec"] /= 1e6
    save_file(weights, folder / "sae_weights.safetensors")


@pytest.fixture(scope="module")
def run(make_clone) -> tuple[Clone, str]:
    """A finished small harvest, then all bad ones in one invocation; the clone, and what the terminal saw."""
    clone = make_clone()
    make_inputs(clone / "in")
    clone.write_experiment("good", experiment())
    clone.snakemake(f"results/good/{MANIFEST}", "results/good/metadata/decoder.npy")
    for case in CASES:
        if case.target == MANIFEST:  # the plan is that of the good one
            shutil.copytree(clone / "results/good/corpus", clone / f"results/{case.name}/corpus")
            (clone / f"results/{case.name}/metadata").mkdir()
            shutil.copy2(clone / "results/good/metadata/vocab.parquet", clone / f"results/{case.name}/metadata")
    before = digests(clone / "results")
    assert len(before) > 4
    output = run_all(clone, CASES)
    after = digests(clone / "results")
    assert {path: after.get(path) for path in before} == before
    return clone, output


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_clear_line(run, case):
    clone, output = run
    check_case(clone, case, output)


def test_a_corpus_that_was_changed_is_harvested_anew(run):
    clone, _ = run
    target = f"results/good/{MANIFEST}"
    with (clone / "in/good.jsonl").open("a") as handle:
        handle.write('{"text": "one more document"}\n')
    plan = clone.snakemake("-n", target).stdout
    assert "rule plan_corpus" in plan
    assert "rule harvest_shard" in plan
