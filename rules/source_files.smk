"""What a harvest or an import reads, and what decides the rows of one shard; no rule stands here.

Needs: common.smk. Makes: nothing.
"""

import json
from glob import glob, has_magic


def local_files(section, *keys):
    """Inputs: files named in the experiment that lie here; those of the workflow's own making always count."""

    return for_each_job(
        lambda wildcards: files_of(wildcards.experiment, section, *keys)
    )


@lru_cache(maxsize=None)
def files_of(name, section, *keys):
    """The files that keys of a section of an experiment name."""
    section_of = experiment(name).get(section) or {}
    named = [section_of[key] for key in keys if section_of.get(key) is not None]
    return [file for path in named for file in files_at(path, section)]


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


@for_each_job
def plan_of_shard(wildcards):
    """The plan, as an ancient input where a new one would leave this shard's tokens as they were harvested.

    So more tokens leave finished shards alone. Where the plan is made anew, Snakemake does not look at what depends on
    it as on an ancient file, not even for missing files or changed params: hence ancient only where nothing changed.
    """
    plan = filled(paths.CORPUS_PLAN, experiment=wildcards.experiment)
    settled = experiment_config.plan_keeps_shard(
        standing_plan(wildcards.experiment),
        experiment(wildcards.experiment),
        int(wildcards.shard),
    ) and os.path.exists(filled(paths.MANIFEST, **wildcards))
    return ancient(plan) if settled else plan


@lru_cache(maxsize=None)
def standing_plan(name):
    """The plan of an earlier run; empty where it can't be read, or is older than what it was made from."""
    path = Path(filled(paths.CORPUS_PLAN, experiment=name))
    made_from = [
        file
        for section in ("corpus", "model")
        for file in files_of(name, section, "path")
    ]
    try:
        made = path.stat().st_mtime
        if any(Path(file).stat().st_mtime > made for file in made_from):
            return {}
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


@for_each_job
def corpus_of_shard(wildcards):
    """What of the corpus decides this shard's rows: the total of tokens only where it cuts the shard short."""
    settings = experiment(wildcards.experiment)
    corpus = {
        key: value for key, value in settings["corpus"].items() if key != "n_tokens"
    }
    return corpus | {
        "shard_tokens": experiment_config.shard_tokens(settings, int(wildcards.shard))
    }


@for_each_job
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
