"""What a harvest or an import reads, and what decides the rows of one shard; no rule stands here.

Needs: common.smk. Makes: nothing.
"""

import json
from glob import glob, has_magic


def local_files(section, *keys):
    """Inputs: files named in the experiment that lie here; those of the workflow's own making always count."""

    def files(wildcards):
        section_of = experiment(wildcards.experiment).get(section) or {}
        named = [section_of[key] for key in keys if section_of.get(key) is not None]
        return [file for path in named for file in files_at(path, section)]

    return files


@lru_cache(maxsize=None)
def files_at(path, section):
    """The files of a folder, a glob, or one file; where they are still to be made by a rule, their names."""
    if re.match("results/[^/]+/trained/", path):
        return [f"{path}/{name}" for name in OWN_FILES.get(section, ())] or [path]
    if Path(path).is_dir():
        return sorted(str(file) for file in Path(path).rglob("*") if file.is_file())
    if path.startswith("results/") and not has_magic(path):
        return [path]
    return sorted(file for file in glob(path, recursive=True) if Path(file).is_file())


OWN_FILES = {
    "model": [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ],
    "sae": ["cfg.json", "sae_weights.safetensors"],
}


def plan_of_shard(wildcards):
    """The plan, as an ancient input where a new one would leave this shard's tokens as they were harvested.

    So more tokens leave finished shards alone. Where the plan is made anew, Snakemake does not look at what depends on
    it as on an ancient file, not even for missing files or changed params: hence ancient only where nothing changed.
    """
    plan = filled(paths.CORPUS_PLAN, experiment=wildcards.experiment)
    manifest = filled(paths.MANIFEST, **wildcards)
    inputs = [
        local_files(section, "path")(wildcards) for section in ("corpus", "model")
    ]
    settled = (
        Path(manifest).exists()
        and Path(plan).exists()
        and all(is_older(file, plan) for files in inputs for file in files)
        and experiment_config.plan_keeps_shard(
            read_plan(plan), experiment(wildcards.experiment), int(wildcards.shard)
        )
    )
    return ancient(plan) if settled else plan


@lru_cache(maxsize=None)
def read_plan(path):
    """The plan of an earlier run; empty where it can't be read."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=None)
def is_older(path, other):
    """Whether a file is there and not newer than another."""
    return (
        Path(path).exists()
        and Path(path).stat().st_mtime <= Path(other).stat().st_mtime
    )


def corpus_of_shard(wildcards):
    """What of the corpus decides this shard's rows: the total of tokens only where it cuts the shard short."""
    settings = experiment(wildcards.experiment)
    corpus = {
        key: value for key, value in settings["corpus"].items() if key != "n_tokens"
    }
    return corpus | {
        "shard_tokens": experiment_config.shard_tokens(settings, int(wildcards.shard))
    }


def harvest_of_shard(wildcards):
    """How this shard is computed."""
    settings = experiment(wildcards.experiment)
    decides = {key: settings["harvest"][key] for key in HARVEST_KEYS}
    return decides | {
        "batch_size": experiment_config.contexts_per_batch(settings),
        "batches_per_part": experiment_config.batches_per_part(settings),
    }


HARVEST_KEYS = (
    "device",
    "batch_size",
    "cpu_threads",
    "max_fvu",
    "keep_special_tokens",
)
